"""Stores whose bytes were changed: no verb ends with a fault, and nothing that cannot be read is written to.

Each case changes one file of a home with a finished study, and then every verb looks at it, crosses a
trial out and searches on. A log that is damaged stops no search: all of its trials are in the study.
"""

import functools
import json
import os
import shutil
from random import Random

from stores import here

from search import paths
from search.cli.app import COMMANDS
from search.study.stored import StoredStudy
from tests.torture import homes
from tests.torture.command_line import at_home, call, finish, wrongs

TITLE = "no byte of a store that is changed makes a fault, or is lost to another"
QUICK, FULL = 50, 1_000
FOLDERS = 2  # that cases are tried in side by side

STUDY = ["--task", "bowl", "--study", "finished"]
LOOKS = [["winner", *STUDY], ["status"], ["report", *STUDY], ["audit"], ["compare", "-a", "finished"]]
LOOKS[-1] += ["-b", "finished"]
DOCTOR = [["doctor"]] if "doctor" in COMMANDS else []
WRITES = [
    ["void", *STUDY, "--trials", "1", "--reason", "the mask was wrong"],
    ["search", *STUDY, "--trainers", "inline", "--trials", "13", "--confirm", "0"],
    ["winner", *STUDY],
]
EXPORT = ["export", *STUDY]
SELDOM = 0.1  # of the cases: to prove a script takes a second
MANY_LINES = ("status", "audit", "doctor")  # a line for each study that is damaged
MAY_FAIL = ("export",)  # with 1, where the script does not reach a score that was changed
GARBAGE = [
    b"",
    b"\0",
    b"\n",
    b"not a journal\n",
    b"\xff\xfe\n",
    b"{}\n",
    b"[]\n",
    b"null\n",
    b"3\n",
    b'"x"\n',
]
GARBAGE += [b"SQLite format 3\0", b"[" * 100_000 + b"\n", b"9" * 10_000 + b"\n", b"a" * 3_000_000 + b"\n"]
WRONG = [None, True, -1, 0, 1.5, 1e999, 2**70, "", "x", "[/x]", [], ["x"], {}, {"x": 1}]


# What is done to the bytes of any file


def truncated(random, content):
    return content[: random.randrange(len(content) + 1)]


def flipped(random, content):
    """One bit is another."""
    place = random.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << random.randrange(8)]) + content[place + 1 :]


def overwritten(random, content):
    """A block is another, or zeros, as a disk may leave it."""
    first, last = block(random, content)
    new = random.choice((random.randbytes(last - first), bytes(last - first)))
    return content[:first] + new + content[last:]


def cut(random, content):
    first, last = block(random, content)
    return content[:first] + content[last:]


def doubled(random, content):
    first, last = block(random, content)
    return content[:last] + content[first:]


def garbage(random, content):
    return random.choice(GARBAGE)


def followed(random, content):
    """Something stands behind the end."""
    return content + random.choice(
        (random.choice(GARBAGE), b'{"op_code":', bytes(4096), random.randbytes(99))
    )


def block(random, content):
    first = random.randrange(len(content))
    return first, min(len(content), first + random.choice((1, 16, 512, 4096)))


# What is done to the records of a journal


def of_lines(change):
    """A change of lines as one of bytes."""

    @functools.wraps(change)
    def changed(random, content):
        lines = content.splitlines(keepends=True)
        change(random, lines)
        return b"".join(lines)

    return changed


def swap(random, lines):
    one, other = random.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]


def delete(random, lines):
    del lines[random.randrange(len(lines))]


def repeat(random, lines):
    lines.insert(random.randrange(len(lines)), random.choice(lines))


def insert(random, lines):
    lines.insert(random.randrange(len(lines)), random.choice(GARBAGE))


def of_another_type(random, lines):
    """A value, however deep, is one of another type."""
    number = random.randrange(len(lines))
    record = json.loads(lines[number])
    inner, name = random.choice(list(places_in(record)))
    inner[name] = random.choice(WRONG)
    lines[number] = json.dumps(record).encode() + b"\n"


def without_a_name(random, lines):
    """A value, however deep, is missing or has another name."""
    number = random.randrange(len(lines))
    record = json.loads(lines[number])
    inner, name = random.choice([place for place in places_in(record) if isinstance(place[0], dict)])
    value = inner.pop(name)
    if random.random() < 0.5:
        inner[f"{name}x"] = value
    lines[number] = json.dumps(record).encode() + b"\n"


def places_in(value):
    """Each place within a value of JSON: what it is in, and its name or number there."""
    named = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in list(named):
        yield value, name
        yield from places_in(inner)


BYTES = (truncated, flipped, flipped, overwritten, cut, doubled, garbage, followed)
LINES = tuple(map(of_lines, (swap, delete, repeat, insert))) + 2 * tuple(
    map(of_lines, (of_another_type, without_a_name))
)


# What is done to a home


def journal(random):
    return rewritten(random, here().path("finished"), random.choice((*BYTES, *LINES)))


def database(random):
    if random.random() < 0.1:
        return replaced(random, paths.mlflow_database())
    return rewritten(random, paths.mlflow_database(), random.choice(BYTES))


def script(random):
    if random.random() < 0.1:
        return replaced(random, paths.frozen("bowl"))
    return rewritten(random, paths.frozen("bowl"), random.choice(BYTES))


def something(random):
    """A file or a folder of the home is no file or no folder, or is of somebody else."""
    home = paths.home()
    places = [here().path("finished"), home / "mlruns", paths.studies(), paths.artifacts()]
    places += [home / "models", paths.frozen("bowl").parent, paths.reports()]
    of_others = ["BAD NAME.journal", "x.journal", "finished.new", "finished.lock", ".journal"]
    if random.random() < 0.5:
        path = paths.studies() / random.choice(of_others)
        path.write_bytes(random.choice(GARBAGE[:8]))
        return f"{path.name} is garbage"
    return replaced(random, random.choice([*places, here().path("finished").with_suffix(".lock")]))


def locked(random):
    """Something may be neither read nor written."""
    places = [paths.home(), paths.studies(), here().path("finished"), paths.frozen("bowl")]
    path = random.choice(places)
    path.chmod(0o500 if path.is_dir() else 0)
    return f"{path.name} is locked"


KINDS = (journal, journal, journal, database, database, script, something)


def rewritten(random, path, change):
    content = path.read_bytes()
    changed = change(random, content)
    path.write_bytes(changed)
    same = next(
        (at for at, (a, b) in enumerate(zip(content, changed)) if a != b), min(map(len, (content, changed)))
    )
    return f"{path.name} {change.__name__} at byte {same}"


def replaced(random, path):
    """A file becomes a folder, a folder a file, or it is gone."""
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
    yield from homes.side_by_side(in_a_folder, works)


def in_a_folder(folder, seed, count, kinds):
    """Try so many cases one after the other."""
    random, outcomes = Random(seed), []
    with at_home(folder / "ready"):
        finish()
    for number in range(count):
        home = folder / f"home-{number}"  # a new one: MLflow keeps those that it opened
        shutil.copytree(folder / "ready", home)
        with at_home(home):
            os.environ["MLFLOW_SQLALCHEMYSTORE_POOLCLASS"] = "NullPool"  # but not their files
            outcomes.append(case(random, random.choice(kinds)))
            open_again(home)
        shutil.rmtree(home)
    return outcomes


def open_again(home):
    """So that it can be deleted."""
    for folder, _, _ in os.walk(home):
        os.chmod(folder, 0o700)


def case(random, kind):
    """Change something, then try every verb. Returns what they violated, or None."""
    done = kind(random)
    seldom = [EXPORT] if random.random() < SELDOM else []
    wrong, codes = [], []
    for arguments in [*LOOKS, *DOCTOR, *seldom, *WRITES]:
        before = content_of(here().path("finished"))
        code, said, complained = call(arguments)
        codes.append(code)
        found = of_verb(arguments[0], code, said, complained)
        if code == 3 and content_of(here().path("finished")) != before:
            found.append("what could not be read was written to")
        wrong += [f"{arguments[0]}: {each}" for each in found]
    if codes[0] == 0 and codes[-1] not in (0, 5):
        wrong.append("the study can be read no more after it was written to")
    if kind is database and (codes[-2] != 0 or StoredStudy.read(here(), "finished").n_finished() != 13):
        wrong.append(f"a damaged log stopped a search, which ended with {codes[-2]}")
    return f"{done}: {'; '.join(wrong)}" if wrong else None


def of_verb(verb, code, said, complained):
    """What is wrong with how a verb ended, in words."""
    lines = complained.splitlines()
    if verb in MANY_LINES and all(line.startswith("error: ") for line in lines):
        lines = lines[:1]
    if verb in MAY_FAIL and code == 1 and "a fault" not in complained:
        code = 3
    return wrongs(verb, code, said, "\n".join(lines))


def content_of(path):
    """The bytes of a file; None where it is none, or is locked."""
    try:
        return path.read_bytes()
    except OSError:
        return None
