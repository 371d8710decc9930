# The front door. `make VERB NAME=value` is `python -m search VERB --name value`.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
VERBS := search check status winner report compare export train handin check-handin void unvoid audit doctor bundle grade ui dashboard copy stack slurm
SETTINGS := $(foreach v,$(.VARIABLES),$(if $(filter command line,$(origin $v)),$v))

# What is typed is text, and is neither expanded by make nor read by the shell.
$(foreach v,$(SETTINGS),$(eval override $v := $$(value $v))$(eval export $v))
OPTIONS = $(foreach v,$(filter-out PYTHON TORCH_INDEX,$(SETTINGS)),--$v="$$$v")

# Recipes read PYTHON from their environment, where the shell does not interpret it.
export PYTHON

.PHONY: picture help setup lock test test-fast test-all test-slow refreeze torture bench lint $(VERBS)
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20
	@echo '`.venv/bin/python -m search --help` lists every option; `make search TASK=langid` starts.'

search: .venv/ready $(if $(filter ray,$(value TRAINERS)),.venv/ray)  ## search a task, or go on with it: TASK= TRIALS= TIMEOUT= CONFIRM= BAR= JOBS= STUDY= SEED= DATA= OLD= DEVICE=
check: .venv/ready  ## is a task's file right? Trains its defaults for some seconds, writes nothing: TASK= DATA=
status: .venv/ready  ## all studies, as a table: TASK=
winner: .venv/ready  ## the winning configuration of a study: TASK= STUDY= BAR=score TEST=1
report: .venv/ready  ## what was learned, here and as one page: TASK= STUDY= OUT=folder
compare: .venv/ready  ## two studies beside each other: A=study B=study
export: .venv/ready  ## the winner as one script, models/frozen/TASK.py: TASK= STUDY= BAR= OUT=folder
train: .venv/ready  ## train the frozen winner of a task again, on its data, which this prepares: TASK= DATA= DATA_DIR=
void: .venv/ready  ## cross trials out: TASK= STUDY= TRIALS=3-9,14 or SINCE= or CODE=, REASON="mask was wrong"
unvoid: .venv/ready  ## let them count again: TASK= STUDY= TRIALS= or SINCE= or CODE=
audit: .venv/ready  ## are studies and log true, and do they agree? It changes nothing: TASK= STUDY=
doctor: .venv/ready  ## what of studies and log is to be repaired; FIX=1 backs up and repairs it: TASK= STUDY= FIX=1
bundle: .venv/ready  ## the files that the course's grader takes, with the frozen winners: OUT=folder
grade: .venv/ready  ## grade the frozen winners as the course does: Q= NO_GRAPHICS=1 SEEDS= DATA= CHECK_DEPENDENCIES=1
handin: .venv/ready  ## all of a study in one zip, to be handed in: TASK= STUDY= OUT=folder
check-handin: .venv/ready  ## check a hand-in offline; its script runs last, RUN=0: not: ZIP=file DATA_DIR=
dashboard: .venv/ready  ## a copy of a study in Optuna's dashboard, in a browser: TASK= STUDY= PORT=
copy: .venv/ready  ## take a study with its log along: STUDY= TO=postgresql://... or TO=files, LOG=http://...
ui: .venv/ready  ## the log of all trials, in a browser: PORT= HOST=
stack: .venv/ready  ## PostgreSQL and MLflow's server for a team, on this host until Ctrl-C: PORT= HOST=
slurm: .venv/ready  ## print a batch script for Slurm: TASK= JOBS=nodes HOW=ray or join, and what search takes
$(VERBS):
	@.venv/bin/python -m search $@ $(OPTIONS)

test: .venv/ready  ## the tests: some four minutes on two cores
	@.venv/bin/python -m pytest -q -n logical --maxprocesses 4 --dist loadgroup

test-fast: .venv/ready  ## the tests of what needs no other program: less than a minute
	@.venv/bin/python -m pytest -q -n logical --maxprocesses 4 --dist loadgroup \
	  -m 'not integration and not thorough and not slow'

test-all: .venv/ray test  ## all that CI runs: these tests, those that take longer, and the quick torture
	@.venv/bin/python -m pytest -q -n logical --maxprocesses 2 --dist loadgroup -m thorough
	@.venv/bin/python -m tests.torture --seed=1

picture: .venv/ready  ## record the README's picture from a real run; GUIDE=1: all that docs/guide.md shows, half an hour
	@.venv/bin/python tests/docs/picture.py $(if $(filter GUIDE,$(SETTINGS)),--guide)

refreeze: .venv/ready  ## cut models/frozen/*.py anew from today's sources; records and values stay: TASK=
	@PYTHONPATH=. .venv/bin/python tests/models/refreeze.py $(if $(filter TASK,$(SETTINGS)),"$$TASK")

test-slow: .venv/ready  ## the tests that need minutes
	@.venv/bin/python -m pytest -q -m slow

torture: .venv/ready  ## kill, crowd and feed it on purpose, for about an hour: QUICK=1 SEED= ONLY=kills,starts
	@.venv/bin/python -m tests.torture $(if $(filter QUICK,$(SETTINGS)),,--full) \
	  $(if $(filter SEED,$(SETTINGS)),--seed="$$SEED") $(if $(filter ONLY,$(SETTINGS)),--only="$$ONLY")

lint: .venv/ready  ## style and types: ruff, mypy
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/python -m mypy

bench: .venv-bench/ready  ## speed, side by side with the course's way and with other searches: SEEDS=
	@PYTHONPATH=. .venv-bench/bin/python tests/bench/throughput.py
	@PYTHONPATH=. .venv-bench/bin/python tests/bench/trial_overhead.py
	@PYTHONPATH=.:tests/toys .venv-bench/bin/python -m tests.bench.scale
	@PYTHONPATH=.:tests/toys .venv-bench/bin/python tests/bench/log_rates.py
	@.venv-bench/bin/python -m tests.bench.replay $(if $(filter SEEDS,$(SETTINGS)),--seeds "$$SEEDS")

setup: .venv/ready  ## the set-up alone: .venv, from pinned versions (the other verbs do it by themselves): TORCH_INDEX=

.venv/ray: requirements-ray.txt .venv/ready
	@echo 'Adding Ray to .venv from $<: once ...'
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.venv/ready: requirements.txt
.venv-bench/ready: requirements-bench.txt
.venv/ready .venv-bench/ready:
	@version=$$("$$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); \
	case "$$version" in 3.11|3.12|3.13) ;; *) \
	  echo "error: PYTHON '$$PYTHON' is $${version:-not there}: Python 3.11 to 3.13 is needed: make setup PYTHON=python3.13" >&2; \
	  exit 2 ;; esac
	@echo 'Setting up $(@D) from $<: once, a minute or two and what the downloads take ...'
	@"$$PYTHON" -m venv $(@D)
	@$(if $(filter TORCH_INDEX,$(SETTINGS)),$(@D)/bin/python -m pip install --disable-pip-version-check --quiet \
	  --no-deps --index-url="$$TORCH_INDEX" "$$(grep '^torch==' $<)",:)
	@$(@D)/bin/python -m pip install --disable-pip-version-check -r $< 2>$(@D)/setup.log \
	  | { grep --line-buffered -E '^ *(Downloading|Installing).*( MB|packages)' | cut -c 1-100 || true; } \
	  || { cat $(@D)/setup.log >&2; exit 1; }
	@touch $@

lock:  ## pin anew what requirements.in asks for, and then requirements-bench.in
	@set -e; for name in requirements requirements-bench requirements-ray; do \
	  rm -rf .venv-lock; "$$PYTHON" -m venv .venv-lock; \
	  .venv-lock/bin/python -m pip install --quiet --disable-pip-version-check -r $$name.in; \
	  { echo "# Pinned by \`make lock\` from $$name.in."; \
	    .venv-lock/bin/python -m pip freeze | sed 's/+[a-z0-9.]*$$//'; } > $$name.txt; \
	done
	@rm -rf .venv-lock
