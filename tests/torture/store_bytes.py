"""Damaged stores: no command ends with a fault, and none writes to a file that it cannot read.

Each case changes one file of a home with a finished study. Then commands read it, void a trial and resume
the search. A damaged log stops no search: all of its trials are in the study.
"""

import os
import shutil
from random import Random

from search import paths, storage
from search.study.stored import StoredStudy
from tests.torture import homes
from tests.torture.damage import BYTES, GARBAGE, LINES
from tests.torture.in_process import at_home, make_finished_study, run_here, violations

TITLE = "no byte of a store that is changed makes a fault, or is lost to another"
QUICK, FULL = 50, 1_000
FOLDERS = 2  # that cases are tried in side by side

NAME = "finished"
STUDY = ["--task", "bowl", "--study", NAME]
READS = [
    ["winner", *STUDY],
    ["status"],
    ["report", *STUDY],
    ["audit"],
    ["compare", "-a", NAME, "-b", NAME],
    ["doctor"],
]
WRITES = [
    ["void", *STUDY, "--trials", "1", "--reason", "the mask was wrong"],
    ["search", *STUDY, "--trainers", "inline", "--trials", "13", "--confirm", "0"],
    ["winner", *STUDY],
]
EXPORT = ["export", *STUDY]
SELDOM = 0.1  # of the cases: to prove a script takes a second
MANY_LINES = ("status", "audit", "doctor")  # a line for each study that is damaged
MAY_FAIL = ("export",)  # with 1, where the script does not reach a score that was changed


# Damage to a home


def journal(random):
    """Change the study's records."""
    return rewritten(random, journal_path(), random.choice((*BYTES, *LINES)))


def database(random):
    """Change the log."""
    if random.random() < 0.1:
        return replaced(random, paths.mlflow_database())
    return rewritten(random, paths.mlflow_database(), random.choice(BYTES))


def script(random):
    """Change the frozen script."""
    if random.random() < 0.1:
        return replaced(random, paths.frozen("bowl"))
    return rewritten(random, paths.frozen("bowl"), random.choice(BYTES))


def something(random):
    """Put a folder in a file's place, or the reverse, or add a strange file."""
    home = paths.home()
    places = [journal_path(), home / "mlruns", paths.studies(), paths.artifacts()]
    places += [home / "models", paths.frozen("bowl").parent, paths.reports()]
    of_others = ["BAD NAME.journal", "x.journal", "finished.new", "finished.lock", ".journal"]
    if random.random() < 0.5:
        path = paths.studies() / random.choice(of_others)
        path.write_bytes(random.choice(GARBAGE[:8]))
        return f"{path.name} is garbage"
    return replaced(random, random.choice([*places, journal_path().with_suffix(".lock")]))


def locked(random):
    """Forbid to read and write something."""
    places = [paths.home(), paths.studies(), journal_path(), paths.frozen("bowl")]
    path = random.choice(places)
    path.chmod(0o500 if path.is_dir() else 0)
    return f"{path.name} is locked"


KINDS = (journal, journal, journal, database, database, script, something)


def journal_path():
    """The file of the study."""
    return storage.chosen(None).files(NAME)[0]


def rewritten(random, path, change):
    """Apply a change to a file. Returns a line about it."""
    content = path.read_bytes()
    changed = change(random, content)
    path.write_bytes(changed)
    position = next(
        (at for at, (a, b) in enumerate(zip(content, changed)) if a != b), min(map(len, (content, changed)))
    )
    return f"{path.name} {change.__name__} at byte {position}"


def replaced(random, path):
    """Make a file a folder, a folder a file, or delete it. Returns a line about it."""
    was_folder = path.is_dir()
    shutil.rmtree(path) if was_folder else path.unlink(missing_ok=True)
    if random.random() < 0.3:
        return f"{path.name} is gone"
    path.write_bytes(b"") if was_folder else path.mkdir()
    return f"{path.name} is a {'file' if was_folder else 'folder'}"


# A case


def run(random, count, folder):
    """Yield of each case what it violated, or None."""
    root = os.geteuid() == 0
    if root:
        yield homes.Skipped("files and folders that may not be read: nothing is closed to root")
    shares = homes.shares(count - root, -(-(count - root) // FOLDERS))
    kinds = KINDS if root else (*KINDS, locked)
    works = [
        (folder / str(number), random.getrandbits(32), share, kinds) for number, share in enumerate(shares)
    ]
    yield from homes.side_by_side(try_cases, works)


def try_cases(folder, seed, count, kinds):
    """Try so many cases one after the other."""
    random, outcomes = Random(seed), []
    with at_home(folder / "ready"):
        make_finished_study()
    for number in range(count):
        home = folder / f"home-{number}"  # a new one: MLflow keeps those that it opened
        shutil.copytree(folder / "ready", home)
        with at_home(home):
            os.environ["MLFLOW_SQLALCHEMYSTORE_POOLCLASS"] = "NullPool"  # but not their files
            outcomes.append(case(random, random.choice(kinds)))
            make_writable(home)
        shutil.rmtree(home)
    return outcomes


def make_writable(home):
    """Allow that it is deleted."""
    for folder, _, _ in os.walk(home):
        os.chmod(folder, 0o700)


def case(random, kind):
    """Damage something, then try every command. Returns what they violated, or None."""
    damage = kind(random)
    seldom = [EXPORT] if random.random() < SELDOM else []
    wrong, codes = [], []
    for arguments in [*READS, *seldom, *WRITES]:
        before = content_of(journal_path())
        outcome = run_here(arguments)
        codes.append(outcome.code)
        found = violations_of(arguments[0], outcome)
        if outcome.code == 3 and content_of(journal_path()) != before:
            found.append("what could not be read was written to")
        wrong += [f"{arguments[0]}: {each}" for each in found]
    if codes[0] == 0 and codes[-1] not in (0, 5):
        wrong.append("the study can be read no more after it was written to")
    if kind is database and not (codes[-2] == 0 and n_finished() == 13):
        wrong.append(f"a damaged log stopped a search, which ended with {codes[-2]}")
    return f"{damage}: {'; '.join(wrong)}" if wrong else None


def violations_of(command, outcome):
    """The rules that the end of a command violates, but for what this part allows."""
    lines = outcome.errors.splitlines()
    if command in MANY_LINES and all(line.startswith("error: ") for line in lines):
        lines = lines[:1]
    if command in MAY_FAIL and outcome.code == 1 and "a fault" not in outcome.errors:
        outcome = outcome._replace(code=3)
    return violations(command, outcome._replace(errors="\n".join(lines)))


def n_finished():
    """The number of finished trials of the study."""
    return StoredStudy.read(storage.chosen(None), NAME).n_finished()


def content_of(path):
    """The bytes of a file; None where it is none, or is locked."""
    try:
        return path.read_bytes()
    except OSError:
        return None
