"""The command line: `python -m search VERB --name value`, or `make VERB NAME=value`.

Heavy libraries are imported where a verb needs them, so that the others answer at once; the
trainer processes import this file too.
"""

import argparse
import functools
import os
import shlex
import sys
import traceback

from search.cli import terminal
from search.cli.options import OPTIONS, TIMEOUT, TRIALS, missing, tracking_server
from search.errors import Damage, NoWinner, StoreError, TrialbookError, UsageError, unknown
from search.text import one_line, readable

EXIT_CODES = """exit codes:
  0 done   1 failed   2 wrong usage, nothing written   3 store unavailable or damaged   4 study conflict
  5 no valid winner   6 audit or doctor found damage   130 stopped by Ctrl-C   143 stopped by SIGTERM
"""
VERBS = {}


def verb(*options):
    """A function is a verb; its name and its docstring are the verb's.

    An option is one of OPTIONS; "name=one" is that one under another name.
    """
    named = {}
    for option in options:
        name, _, one = option.partition("=")
        named[name] = OPTIONS[one or name]

    def declare(function):
        VERBS[function.__name__.replace("_", "-")] = function, named
        return function

    return declare


@verb(
    *("task", "trials", "timeout", "confirm", "bar", "jobs"),
    *("study", "seed", "data", "data-dir", "old", "device"),
    *("trainers", "address", "cpus", "gpus", "memory", "storage", "join"),
)
def search(options):
    """Search a task's ranges, or go on with a study of it."""
    from search.cli.session import run

    trials, timeout = options.trials, options.timeout
    if trials is None and timeout is None:
        trials, timeout = TRIALS, TIMEOUT
    return run(
        _task(options),
        options.store,
        trials=trials,
        timeout=timeout,
        jobs=options.jobs,
        study=options.study,
        seed=options.seed,
        data=options.data,
        trainers=options.trainers,
        cluster=_cluster(options),
        device="cpu" if options.device is None else options.device,
        bar=options.bar,
        old=options.old,
        join=bool(options.join),
        **({} if options.confirm is None else {"confirm": options.confirm}),
    )


@verb("task", "data", "data-dir")
def check(options):
    """Check a task's file and its data, and train its defaults for some seconds; nothing is written."""
    from search.cli.rehearsal import rehearse

    for line in rehearse(_task(options), options.data):
        print(line, flush=True)
    return 0


@verb("task", "storage")
def status(options):
    """All studies: what was tried, the best so far."""
    from search.reports import tables
    from search.study.stored import StoredStudy

    task = None if options.task is None else _task(options)
    found, unreadable = [], {}
    store = options.store
    for name in store.names():
        try:
            found.append(StoredStudy.read(store, name))
        except TrialbookError as error:
            unreadable[name] = error
    found = [each for each in found if task in (None, each.task)]
    if found:
        terminal.show(tables.of_studies(found), unwrapped=True)
    elif not unreadable:
        print("no studies yet: make search TASK=langid")
    return _complain_of(unreadable, store)


@verb("task", "study", "data", "data-dir", "bar", "test", "storage")
def winner(options):
    """The winning configuration of a study: BAR=score: the cheapest that clears it; TEST=1: a look."""
    from search.coordinator import evaluate_on_test
    from search.log import Log
    from search.reports import tables
    from search.study.opening import hold_study

    study = _study(options)
    standing = _winner(study, options)
    if options.test:
        with hold_study(study.store, study.name) as study:
            value, error, looks = evaluate_on_test(study, standing)
            Log(study).bring_up_to_date()
        print(f"test {study.description.metric} {value:.5g} ± {error:.2g}, test evaluation {looks}")
    terminal.show(tables.of_winner(study, standing))
    return 0


@verb("task", "study", "data", "data-dir", "out", "storage")
def report(options):
    """What was learned from a study: here, and as one page in mlruns/reports/ or in OUT=folder."""
    from search.reports import page, report, tables

    _must_be_folder(options.out)
    learned = report.report(_study(options))
    terminal.show(tables.of_report(learned))
    print(f"wrote {page.write(learned, options.out)}")
    return 0


@verb("a", "b", "storage")
def compare(options):
    """Two studies beside each other: ranges, budget, winner, score, and the difference's standard error."""
    from search.reports import compare
    from search.study.stored import StoredStudy

    store = options.store
    for option in ("a", "b"):
        if getattr(options, option) is None:
            raise missing(option, f"which study? Valid are {', '.join(store.names()) or 'none yet'}")
    terminal.show(compare.compare(StoredStudy.read(store, options.a), StoredStudy.read(store, options.b)))
    return 0


@verb("task", "study", "data", "data-dir", "bar", "out", "storage")
def export(options):
    """Freeze the winner into one script: models/frozen/TASK.py, or OUT=folder with its data."""
    from search import export, log
    from search.study.opening import require_same_code

    _must_be_folder(options.out)
    study = _study(options)
    standing = _winner(study, options)
    trial = standing.trial
    require_same_code(study, trial)
    print(
        f"Proving the script: it trains as trial {trial.number} did, {trial.seconds:.0f} s then ...",
        flush=True,
    )
    path = export.export(study, standing, log.run_of(study, trial.number), options.out)
    confirmed = f"mean {standing.mean:.5g} on fresh seeds" if standing.confirmed else "unconfirmed: one seed"
    print(f"wrote {path}: trial {trial.number} of study {study.name} ({confirmed}). It reached its score.")
    return 0


@verb("task", "data", "data-dir")
def train(options):
    """Train the frozen winner models/frozen/TASK.py again: prepare its data, run it, compare its score."""
    from search.cli.train import train

    return train(_task(options), options.data, functools.partial(print, flush=True))


@verb("task", "study", "trials=which", "since", "code", "reason", "storage")
def void(options):
    """Cross out trials that a bug made worthless, by TRIALS=3-9,14 or SINCE= or CODE=, with a REASON=."""
    if options.reason is None:
        raise missing("reason", "why are these trials crossed out?")
    return _cross(options, "void")


@verb("task", "study", "trials=which", "since", "code", "reason", "storage")
def unvoid(options):
    """Let trials count again that were crossed out: TRIALS= or SINCE= or CODE=."""
    return _cross(options, "restore")


@verb("task", "study", "storage")
def audit(options):
    """Whether the studies and the log are true and agree: ten invariants; nothing is changed."""
    from search.maintenance import audit

    store = options.store
    found, unreadable = 0, {}
    for name in _names(options):
        if by := store.holder(name):
            print(f"{name}: process {by} searches it: not audited")
            continue
        try:
            violations = audit.audit(store, name)
        except UsageError as error:  # its task's file was deleted, or cannot be imported
            print(f"{name}: not audited")
            unreadable[name] = error
            continue
        print(f"{name}: {len(violations) or 'no'} violations")
        for violation in violations:
            print(f"  {violation.invariant}: {violation.said}")
        found += len(violations)
    for number, (text, *_) in audit.INVARIANTS.items():
        print(f"{number:4}  {text}")
    code = _complain_of(unreadable, store)
    if found:
        raise Damage(f"{found} violations; the number before each is that of the invariant")
    return code


@verb("task", "study", "fix", "storage")
def doctor(options):
    """What is to be repaired in the studies and the log; FIX=1: back up, and repair it."""
    from search.maintenance import doctor

    names = _names(options)
    found, errors = doctor.doctor(options.store, names, options.fix, print)
    if not names:
        print("no studies yet: make search TASK=langid")
    code = _complain_of(errors, options.store)
    if found and not options.fix:
        raise Damage(f"{found} to repair: the same with FIX=1 backs up, and repairs; nothing is deleted")
    return code


@verb("out")
def bundle(options):
    """Write the files that the course's grader takes, with the frozen winners in place: OUT=folder."""
    from search.course.bundle import write

    if options.out is None:
        raise missing("out", "which folder are they written into?")
    _must_be_folder(options.out)
    for path in write(options.out):
        print(f"wrote {path}")
    return 0


@verb("q", "no-graphics", "check-dependencies", "seeds", "data", "data-dir")
def grade(options):
    """Train the frozen winners from scratch, and give them points as the course does."""
    from rich.console import Console

    if options.check_dependencies:
        from search.course.dependencies import check

        return check(print)
    from search.course.grade import QUESTIONS, grade, named

    names = list(QUESTIONS) if options.q is None else named(options.q)
    return grade(Console(), names, options.data, options.seeds, not options.no_graphics)


@verb("task", "study", "data", "data-dir", "out", "storage")
def handin(options):
    """All of a study in one zip, STUDY-handin.zip: trials, figures, script; OUT=folder: there."""
    from search import log
    from search.study.opening import hold_study
    from search.submission import pack

    _must_be_folder(options.out)
    with hold_study(options.store, _study(options).name) as study:
        print("Proving the winner's script, unless it is the one that was exported ...", flush=True)
        path = pack.write(study, functools.partial(log.run_of, study), options.out)
        print(f"wrote {path}: {sum(1 for _ in study.trials())} trials, {path.stat().st_size:,} bytes")
    print(f"make check-handin ZIP={shlex.quote(str(path))}   what whoever gets it can check")
    return 0


@verb("zip", "run", "data-dir")
def check_handin(options):
    """Check a hand-in offline, its script last: that runs code of whoever made it (RUN=0: not)."""
    from search.submission import check, handed

    if options.zip is None:
        raise missing("zip", "which hand-in is checked?")
    if not os.path.isfile(options.zip):
        raise UsageError(f"ZIP {options.zip!r} is not a file")
    run, sound = options.run is not False, True
    with open(options.zip, "rb") as file:
        handin = handed.Handin(file.read(handed.BYTES))
    if run:
        print("If all else holds, its script runs last: code of whoever made this (RUN=0: not)", flush=True)
    for finding in check.findings(handin, run):
        print(f"{'yes' if finding.holds else 'NO':4}{finding.name:14}{finding.said}", flush=True)
        sound = sound and finding.holds
    print("The hand-in is what it says." if sound else "The hand-in is NOT what it says.")
    return 0 if sound else 1


@verb("task", "study", "data", "data-dir", "port", "storage")
def dashboard(options):
    """Show a study in Optuna's dashboard: a copy of it, so that looking disturbs no search."""
    from search.services import dashboard

    return dashboard.serve(_study(options), options.port or 8080)


@verb("port", "host", "storage")
def ui(options):
    """Show the log in a browser: MLflow, on this machine only, or with a password on HOST=."""
    from search.services import mlflow_ui

    return mlflow_ui.serve(
        options.store, options.port or 5000, mlflow_ui.HERE if options.host is None else options.host
    )


@verb("study", "storage", "to", "log")
def copy(options):
    """Take a study with its log along: TO=postgresql://user@host/name, or TO=files; LOG= another server."""
    from search.maintenance import copy

    store = options.store
    for option in ("study", "to"):
        if getattr(options, option) is None:
            raise missing(option, f"studies are {', '.join(store.names()) or 'none yet'}")
    copy.copy(store, options.study, options.to, options.log, print)
    return 0


@verb("port", "host")
def stack(options):
    """What a team needs on one host: a PostgreSQL and MLflow's server, until Ctrl-C ends them."""
    from search.services import mlflow_ui
    from search.services.stack import serve

    return serve.serve(options.port or 5000, mlflow_ui.HERE if options.host is None else options.host)


@verb(
    *("task", "jobs", "how", "trials", "timeout", "confirm", "bar"),
    *("study", "seed", "data", "data-dir", "old", "device"),
    *("cpus", "gpus", "memory", "storage"),
)
def slurm(options):
    """Print a batch script for Slurm: a search on so many nodes, JOBS=, to be handed to sbatch."""
    from search.services import slurm

    _task(options)
    said = {name: value for name, value in vars(options).items() if name not in ("jobs", "how")}
    print(slurm.slurm(options.how or "ray", options.jobs, said), end="")
    return 0


def _cluster(options):
    """What is said of the cluster, by name. Raises UsageError where there is none."""
    said = {name: getattr(options, name) for name in ("address", "cpus", "gpus", "memory")}
    said = {name: value for name, value in said.items() if value is not None}
    if said and options.trainers != "ray":
        raise UsageError(f"{', '.join(said).upper()} is for TRAINERS=ray alone")
    return said


def _task(options):
    from search import tasks

    if options.task is None:
        import objectives

        raise missing("task", f"valid are {', '.join(objectives.names())}")
    return tasks.find(options.task)


def _study(options):
    """The study that is meant, to look at: the one named, else the task's only one, else its default."""
    from search.study.opening import require_same, resolve, studies_of
    from search.study.stored import StoredStudy

    store = options.store
    task, name, source = _task(options), options.study, getattr(options, "data", None)
    if name is None:
        own = studies_of(store, options.task)
        name = own[0] if len(own) == 1 and source is None else resolve(store, task, None, source)[1]
        if name not in own and not store.exists(name):
            hint = f"STUDY= {', '.join(own)}" if own else f"make search TASK={shlex.quote(options.task)}"
            raise NoWinner(f"task {options.task!r} has no study {name!r} yet: {hint}")
    found = StoredStudy.read(store, name)
    require_same(name, found.description, task)
    return found


def _names(options):
    """The names of the studies that are meant: all, or the one of STUDY= or of TASK=."""
    one = options.study is not None or options.task is not None
    return [_study(options).name] if one else options.store.names()


def _winner(study, options):
    """The winner that is meant: the cheapest that clears a bar, or the best."""
    from search.strategy.winner import cheapest, choose

    return choose(study) if options.bar is None else cheapest(study, options.bar)


def _cross(options, action):
    """Cross trials out or restore them, in the study, the log and the frozen script."""
    from search import export
    from search.log import Log
    from search.maintenance.doctor import remedy
    from search.study.opening import hold_study
    from search.study.trial import number_ranges

    looked_at = _study(options)
    _meant(looked_at, options, action)  # before anything is written: it may be wrong
    with hold_study(options.store, looked_at.name) as study:
        numbers = _meant(study, options, action)
        study.void(action, numbers, options.reason or "restored")
        log = Log(study)
        log.bring_up_to_date()
        flagged = export.flag(study)
        done = "count again" if action == "restore" else "are void"
        print(
            f"trials {number_ranges(numbers)} of study {study.name} {done}; {study.n_finished()} trials count"
        )
        if flagged:
            print(f"{flagged} was made from a trial that is void: it says so now")
        if log.behind:
            print(f"The log is incomplete ({log.behind}): {remedy(study.store)}.")
    return 0


def _meant(study, options, action):
    """The numbers of the trials that are to be crossed out or restored. Raises UsageError."""
    from search.cli import selection

    trials = [trial for trial in study.trials() if bool(trial.void) == (action == "restore")]
    everyone = list(study.trials()) if options.trials is not None else trials
    return selection.chosen(everyone, options.trials, options.since, options.code)


def _must_be_folder(out):
    """Raises UsageError where OUT is given, and is something else than a folder."""
    if out is not None and not (out and (os.path.isdir(out) or not os.path.exists(out))):
        raise UsageError(f"OUT {out!r} is not a folder")


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message):
        raise UsageError(f"{message}; see python -m search --help")


def parser():
    """The command line; `--help` is its reference."""
    lines = []
    for name, (function, options) in VERBS.items():
        lines.append(f"{name}: {function.__doc__}")
        for option, (_, metavar, text) in options.items():
            lines.append(f"    --{option} {metavar or ''}".ljust(26) + text)
        lines.append("")
    top = Parser(
        prog="python -m search",
        description="Systematic hyperparameter search: every trial written down, the winner frozen.",
        epilog="\n".join(
            [*lines, "--debug: any verb shows the traceback of a fault of this program\n", EXIT_CODES]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="python -m search VERB [--name value ...], or make VERB [NAME=value ...]",
    )
    top.add_argument("verb", metavar="VERB", help=", ".join(VERBS))
    return top


def parse(arguments):
    """The verb's function and its options. Raises UsageError."""
    if not arguments or arguments[0] in ("-h", "--help"):
        parser().parse_args(["--help"])
    if arguments[0] not in VERBS:
        raise unknown("verb", arguments[0], VERBS)
    function, names = VERBS[arguments[0]]
    verb_parser = Parser(
        prog=f"python -m search {arguments[0]}", description=function.__doc__, allow_abbrev=False
    )
    for name, (read, metavar, text) in names.items():
        spellings = [f"--{name}", f"-{name}"] if len(name) == 1 else [f"--{name}"]
        alone = {"nargs": "?", "const": True} if metavar is None else {}
        verb_parser.add_argument(*spellings, type=read, metavar=metavar, help=text, **alone)
    # `make` passes NAME=value as --NAME=value: case and underscores do not matter here.
    spelt = [_lower(argument) if argument.startswith("--") else argument for argument in arguments[1:]]
    options, rest = verb_parser.parse_known_args(spelt)
    for name, value in vars(options).items():
        if value == []:  # which argparse makes of it
            raise UsageError(f"{name.upper()} '--' is not valid")
    if rest:
        raise unknown("option", rest[0].lstrip("-").partition("=")[0], names)
    return function, options


def _lower(argument):
    name, equals, value = argument.partition("=")
    return name.lower().replace("_", "-") + equals + value


def main(arguments):
    """Run a verb. Returns the exit code."""
    from data import DataError

    arguments, debug = _without_debug(arguments)
    try:
        function, options = parse(arguments)
        if folder := getattr(options, "data_dir", None) or os.environ.get("DATA_DIR"):
            os.environ["DATA_DIR"] = os.path.expanduser(folder)  # for the trainers too
        options.store = _chosen_store(getattr(options, "storage", None))
        return function(options)
    except TrialbookError as error:
        code, message = error.exit_code, error
    except DataError as error:
        code, message = UsageError.exit_code, error
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        code, message = StoreError.exit_code, f"{error.filename or 'a file'}: {error.strerror or error}"
    except Exception as error:  # a fault of this program
        if debug:
            raise
        code, message = TrialbookError.exit_code, _written_down(error)
    _complain(message)
    return code


def _chosen_store(address):
    """The store of studies: at the address that was typed, or at that of the environment. Raises UsageError."""
    from search import storage

    if known := None if address else os.environ.get("TRIALBOOK_STORAGE"):
        OPTIONS["storage"][0](known)
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        tracking_server(uri)
    return storage.chosen(address or known)


def _complain(message):
    print(f"error: {readable(message)}", file=sys.stderr)


def _complain_of(unreadable, store):
    """Complain of each study that could not be read, and of each stray file. Returns the exit code.

    Args:
        unreadable: study name -> TrialbookError.
    """
    for name, error in unreadable.items():
        _complain(error if name in str(error) else f"study {name!r}: {error}")
    for stray in store.strays():
        _complain(stray)
    return max((error.exit_code for error in unreadable.values()), default=0)


def _without_debug(arguments):
    """What was typed but for --debug, which any verb takes, and whether that was there."""
    asked = [argument for argument in arguments if argument.lower() in ("--debug", "--debug=1")]
    return [argument for argument in arguments if argument not in asked], bool(asked)


def _written_down(error):
    """Add a traceback to the file of them. Returns one line about it."""
    from search import paths, redact

    said = f"a fault of this program: {one_line(error)}"
    try:
        paths.faults().parent.mkdir(parents=True, exist_ok=True)
        with open(paths.faults(), "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(redact.redacted("".join(traceback.format_exception(error))))
    except OSError:
        return f"{said} (--debug shows where)"
    return f"{said} (where: {paths.faults()}, or --debug)"


def run():
    """Run the command that was typed, and exit with its code."""
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be no text
    searching = sys.argv[1:2] == ["search"]
    farewell = "The reader of this output has gone: the search goes on in silence." if searching else ""
    sys.stdout, sys.stderr = terminal.Output(sys.stdout, farewell), terminal.Output(sys.stderr)
    sys.exit(main(sys.argv[1:]))
