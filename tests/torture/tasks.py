"""Task files as users may write them: each is searched, or refused in one line; no study is ever damaged."""

import shutil
import sys
from random import Random

from stores import here
from written_tasks import draw

import objectives
from search import paths
from search.errors import NoWinner
from search.study.stored import StoredStudy
from tests.torture import homes

TITLE = "a task of any kind is searched, or one line says why not"
QUICK, FULL = 20, 200  # tasks
TRIALS = 6
FAULTS = "Traceback", "a fault of this program", "is damaged"
ENDS = "trials in a row failed with one cause: ", "draws in a row gave no configuration"


def run(random, count, folder):
    database = homes.fresh(folder)
    works = [(folder / f"task-{place}", database, random.getrandbits(31)) for place in range(count)]
    return homes.side_by_side(try_one, works)


def try_one(folder, database, seed):
    """Search one task, then use its study in every way."""
    random = Random(seed)
    task, name = draw(random), f"made{seed}"
    home = homes.Home(folder, database)
    tasks = folder / "tasks" / "objectives"
    tasks.mkdir(parents=True)
    (tasks / f"{name}.py").write_text(task.text, encoding="utf-8")
    objectives.__path__ = [*objectives.__path__, str(tasks)]
    sys.path.append(str(tasks.parent))  # trainers are told this; a script that is proved needs none of it
    try:
        wrong = list(violations(home, task, name, random.choice(["inline", "inline", "processes"])))
    finally:
        sys.path.remove(str(tasks.parent))
        objectives.__path__ = objectives.__path__[:-1]
    if not wrong:
        shutil.rmtree(folder)
        return [None]
    return [f"{folder}, {task.parts}: {'; '.join(wrong)}"]


def violations(home, task, name, trainers):
    """What is wrong, in lines."""
    options = f"--task {name} --trials {TRIALS} --confirm 0 --trainers {trainers}"
    code, search = home.run(f"search {options}" + (" --jobs 2" if trainers == "processes" else ""))
    yield from faults("search", search)
    if code == 2:
        if task.must_run:
            yield f"the search refused it: {search.error}"
        if search.said.count("\n") != 1 or not search.error.startswith("error: task "):
            yield f"it was not refused in one line: {search.said!r}"
        if list(paths.studies().glob("*")):
            yield "it was refused, and a study was written"
        return
    if task.wrong:
        yield f"a wrong task was searched: {search.error}"
    if code == 1 and not any(end in search.error for end in ENDS) or code not in (0, 1):
        yield f"the search ended with {code}: {search.error}"
    if code == 1 and task.must_run:
        yield f"a task that works was not searched: {search.error}"
    yield from used(home, task, name, options)


def used(home, task, name, options):
    """What is wrong with the study, as other commands see it."""
    study = StoredStudy.read(here(), f"{name}-builtin")
    try:
        study.best()
        has_winner = True
    except NoWinner:
        has_winner = False
    for command, codes in (("status", [0]), ("report", [0]), ("winner", [0 if has_winner else 5])):
        code, started = home.run(f"{command} --task {name}")
        yield from faults(command, started)
        if code not in codes:
            yield f"{command} ended with {code}: {started.error}"
    code, export = home.run(f"export --task {name}")
    yield from faults("export", export)
    if code != (0 if has_winner else 5):
        yield f"export ended with {code}: {export.error}"
    code, again = home.run(f"search {options.replace(f'--trials {TRIALS}', f'--trials {TRIALS + 2}')}")
    yield from faults("the second search", again)
    yield from home.audited()


def faults(command, started):
    """The faults that a process showed."""
    for fault in FAULTS:
        if fault in started.said:
            line = next(line for line in started.said.splitlines() if fault in line)
            yield f"{command} said: {line}"
            return
