# `make COMMAND NAME=value` runs `python -m search COMMAND --name value`.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
COMMANDS := search try check status winner report compare export train handin check-handin void unvoid audit doctor bundle grade ui dashboard copy serve token tokens stack slurm
SETTINGS := $(foreach v,$(.VARIABLES),$(if $(filter command line,$(origin $v)),$v))

# Values are plain text: neither make nor the shell expands them.
$(foreach v,$(SETTINGS),$(eval override $v := $$(value $v))$(eval export $v))
OPTIONS = $(foreach v,$(filter-out PYTHON TORCH_INDEX,$(SETTINGS)),--$v="$$$v")

# Recipes read PYTHON from their environment, where the shell does not interpret it.
export PYTHON

.PHONY: picture help setup lock test test-fast test-all test-slow refreeze torture bench bench-gpu lint $(COMMANDS)
.DEFAULT_GOAL := help

help:  ## list all commands
	@grep -hE '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20
	@echo '`.venv/bin/python -m search --help` lists every option; `make search TASK=langid` starts.'

search: .venv/ready $(if $(filter ray,$(value TRAINERS)),.venv/ray)  ## search a task, or resume a study of it, 300 s at most: TASK= TRIALS= TIMEOUT= CONFIRM= BAR= STAGES=1 JOBS= STUDY= SEED= DATA= OLD= DEVICE= VERBOSE=1 SERVER=
try: .venv/ready  ## train one configuration of your own, also while a search runs: TASK= WITH="name=value ..." STUDY= SEED= DATA= DEVICE=
check: .venv/ready  ## check a task's file, and train its defaults for some seconds; writes nothing: TASK= DATA=
status: .venv/ready  ## list all studies: TASK=
winner: .venv/ready  ## show the winning configuration of a study: TASK= STUDY= BAR=score TEST=1
report: .venv/ready  ## report what was learned, here and as one page: TASK= STUDY= OUT=folder
compare: .venv/ready  ## compare two studies side by side: A=study B=study
export: .venv/ready  ## freeze the winner into one script, models/frozen/TASK.py: TASK= STUDY= BAR= OUT=folder
train: .venv/ready  ## prepare the data of a frozen winner and train it again: TASK= DATA= DATA_DIR=
void: .venv/ready  ## mark trials void: TASK= STUDY= TRIALS=3-9,14 or SINCE= or CODE=, REASON="mask was wrong"
unvoid: .venv/ready  ## let void trials count again: TASK= STUDY= TRIALS= or SINCE= or CODE=
audit: .venv/ready  ## check that studies and log are whole and agree; changes nothing: TASK= STUDY=
doctor: .venv/ready  ## list repairs of studies and log; FIX=1 backs up and repairs: TASK= STUDY= FIX=1
bundle: .venv/ready  ## write the files that the course's grader takes, with the frozen winners: OUT=folder
grade: .venv/ready  ## grade the frozen winners as the course does: Q= NO_GRAPHICS=1 SEEDS= DATA= CHECK_DEPENDENCIES=1
handin: .venv/ready  ## pack a study into one zip, to hand it in: TASK= STUDY= OUT=folder
check-handin: .venv/ready  ## check a hand-in offline, and run its script last unless RUN=0: ZIP=file DATA_DIR=
dashboard: .venv/ready  ## show a copy of a study in Optuna's dashboard: TASK= STUDY= PORT=
copy: .venv/ready  ## copy a study with its log: STUDY= TO=postgresql://... or TO=files, LOG=http://...
ui: .venv/ready  ## show the log of all trials in a browser: PORT= HOST=
serve: .venv/ready $(if $(filter ray,$(value TRAINERS)),.venv/ray)  ## serve a queue of searches to a class or a team, until Ctrl-C: PORT= HOST= JOBS= QUOTA= TRAINERS= ADDRESS=
token: .venv/ready  ## make a token of the service, shown once, or revoke a person's: NAME=login ROLE=student or staff, REVOKE=1
tokens: .venv/ready  ## list the tokens of the service
stack: .venv/ready  ## serve PostgreSQL and MLflow for a team, on this host until Ctrl-C: PORT= HOST=
slurm: .venv/ready  ## print a batch script for Slurm: TASK= JOBS=nodes HOW=ray or join, and the options of search
$(COMMANDS):
	@.venv/bin/python -m search $@ $(OPTIONS)

test: .venv/ready  ## run the tests: eight minutes on two cores
	@.venv/bin/python -m pytest -q -n logical --maxprocesses 4 --dist loadgroup

test-fast: .venv/ready  ## run the tests that start no other program: less than a minute
	@.venv/bin/python -m pytest -q -n logical --maxprocesses 4 --dist loadgroup \
	  -m 'not integration and not thorough and not slow'

test-all: .venv/ray test  ## run all tests of CI: these, longer ones, and a short torture
	@.venv/bin/python -m pytest -q -n logical --maxprocesses 2 --dist loadgroup -m thorough
	@.venv/bin/python -m tests.torture --seed=1

picture: .venv/ready  ## record the README's picture from a real run; GUIDE=1: everything in docs/guide.md, a quarter of an hour
	@.venv/bin/python tests/docs/picture.py $(if $(filter GUIDE,$(SETTINGS)),--guide)

refreeze: .venv/ready  ## write models/frozen/*.py again from today's sources; records and values stay: TASK=
	@PYTHONPATH=. .venv/bin/python tests/models/refreeze.py $(if $(filter TASK,$(SETTINGS)),"$$TASK")

test-slow: .venv/ready  ## run the tests that need minutes
	@.venv/bin/python -m pytest -q -m slow

torture: .venv/ready  ## kill, crowd and misuse searches on purpose, for about an hour: QUICK=1 SEED= ONLY=kills,starts
	@.venv/bin/python -m tests.torture $(if $(filter QUICK,$(SETTINGS)),,--full) \
	  $(if $(filter SEED,$(SETTINGS)),--seed="$$SEED") $(if $(filter ONLY,$(SETTINGS)),--only="$$ONLY")

lint: .venv/ready  ## check style and types: ruff, mypy
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/python -m mypy

bench: .venv-bench/ready  ## measure speed beside the course's way and other searches: SEEDS=
	@PYTHONPATH=. .venv-bench/bin/python tests/bench/throughput.py
	@PYTHONPATH=. .venv-bench/bin/python tests/bench/trial_overhead.py
	@PYTHONPATH=.:tests/toys .venv-bench/bin/python -m tests.bench.scale
	@PYTHONPATH=.:tests/toys .venv-bench/bin/python tests/bench/log_rates.py
	@PYTHONPATH=.:tests/toys .venv-bench/bin/python -m tests.bench.service
	@PYTHONPATH=. .venv-bench/bin/python -m tests.bench.groups
	@PYTHONPATH=. .venv-bench/bin/python -m tests.bench.draws
	@.venv-bench/bin/python -m tests.bench.replay $(if $(filter SEEDS,$(SETTINGS)),--seeds "$$SEEDS")

bench-gpu: .venv-bench/ready  ## measure on a GPU how networks train together, 8 minutes at most: DEVICE=cpu TORCH_INDEX=
	@PYTHONPATH=. .venv-bench/bin/python -m tests.bench.groups --limit=360 $(if $(filter DEVICE,$(SETTINGS)),--device="$$DEVICE" --gpu-tables --quick,--device=cuda)

setup: .venv/ready  ## create .venv from pinned versions; other commands do so themselves: TORCH_INDEX=

.venv/ray: requirements-ray.txt .venv/ready
	@echo 'Adding Ray to .venv from $<: once ...'
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.venv/ready: requirements.txt
.venv-bench/ready: requirements-bench.txt
.venv/ready .venv-bench/ready:
	@version=$$("$$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); \
	case "$$version" in 3.11|3.12|3.13) ;; *) \
	  echo "error: PYTHON '$$PYTHON' is $${version:-not found}: Python 3.11 to 3.13 is needed: make setup PYTHON=python3.13" >&2; \
	  exit 2 ;; esac
	@echo 'Setting up $(@D) from $<: once, a minute or two beside the downloads ...'
	@"$$PYTHON" -m venv $(@D)
	@$(if $(filter TORCH_INDEX,$(SETTINGS)),$(@D)/bin/python -m pip install --disable-pip-version-check --quiet \
	  --no-deps --index-url="$$TORCH_INDEX" "$$(grep '^torch==' $<)",:)
	@$(@D)/bin/python -m pip install --disable-pip-version-check -r $< 2>$(@D)/setup.log \
	  | { grep --line-buffered -E '^ *(Downloading|Installing).*( MB|packages)' | cut -c 1-100 || true; } \
	  || { cat $(@D)/setup.log >&2; exit 1; }
	@touch $@

lock:  ## pin the versions of requirements*.in again
	@set -e; for name in requirements requirements-bench requirements-ray; do \
	  rm -rf .venv-lock; "$$PYTHON" -m venv .venv-lock; \
	  .venv-lock/bin/python -m pip install --quiet --disable-pip-version-check -r $$name.in; \
	  { echo "# Pinned by \`make lock\` from $$name.in."; \
	    .venv-lock/bin/python -m pip freeze | sed 's/+[a-z0-9.]*$$//'; } > $$name.txt; \
	done
	@rm -rf .venv-lock
