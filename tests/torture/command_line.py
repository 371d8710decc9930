"""Hostile command lines: every argument of every verb, in this process and in real ones.

A case is a command line that is right for a home with one finished study, changed at random. It must
end with one of the documented exit codes and say in one line what is wrong. It may write into its home
and where OUT says, and nothing at all where the exit code is that of wrong usage.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from random import Random

import objectives
from search import paths
from search.cli.app import COMMANDS, main, option_names
from search.errors import UsageError
from tests.torture import homes

TITLE = "hostile command lines end in one line, and write nowhere else"
QUICK, FULL = 1_020, 20_200  # of which 20 and 212 are real processes: see `how_many_real`
ROOMS = 2  # that cases are tried in side by side

ROOT = paths.ROOT
PATIENCE = 60  # seconds until a case must have ended
EXIT_CODES = {0, 1, 2, 3, 4, 5, 6, 130, 143}
MAY_FAIL = ("check-handin", "grade")  # with 1, and what is wrong on the screen: that is their answer
LONGEST = 1_000  # letters of an error: a line that nobody can read is none
LONG = 100_000  # letters of an argument: the system takes no more than 131,071

TOUCH = (
    "$(touch canary)",
    "$(shell touch canary)",
    "$$(touch canary)",
    "${shell touch canary}",
    "`touch canary`",
    "; touch canary;",
    "'; touch canary; '",
    '"; touch canary; "',
    "| touch canary",
    "&& touch canary",
    "\ntouch canary\n",
    "> canary",
    "$(eval X:=$(shell touch canary))",
    "__import__('os').system('touch canary')",
    "{0.__class__}",
)
PATHS = (
    "..",
    "../..",
    "../../../../../../etc/passwd",
    "/etc/passwd",
    "/dev/null",
    "/dev/null/below",
    "/proc/self/mem",
    "/nowhere/at/all",
    "~",
    "~root",
    ".",
    "./",
    "*",
    "?[a-z]{a,b}",
    "C:\\x",
    "file:///x",
    "CON",
    ".hidden",
)
TEXTS = (
    "",
    " ",
    "\t",
    "\n",
    "\r",
    "a\nb",
    "a\rb",
    "\\",
    "\\\\",
    "'",
    '"',
    '"""',
    "$",
    "$$",
    "%s%n",
    "-",
    "--",
    "---",
    "-h",
    "--help",
    "--debug",
    "-1",
    "=",
    "==",
    "#",
    "[/]",
    "[/x]",
    "[red]x",
    "\u2028",
    "\u202etxt.exe",
    "\u200f",
    "\ufeff",
    "\x1b[2J",
    "\x07",
    "\udcff",
    "a\udc80b",
    "é",
    "e\u0301",
    "😀",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "None",
    "True",
    "null",
)
NUMBERS = (
    "0",
    "1",
    "-0",
    "+1",
    "00",
    "007",
    "1.",
    ".5",
    "1e3",
    "1e309",
    "-1e309",
    "1e-400",
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "٣",
    "１",
    "²",
    "0x10",
    "0b1",
    "1_000",
    "1,5",
    " 1",
    "1 ",
    "1\n",
    "9" * 12,
    "9" * 13,
    "9" * 5000,
    "0-9999999",
    "3-1",
    "0-",
    "-3",
    "0,,1",
    "0-1,1-2, 3 - 4",
    "2026-02-30",
    "0001-01-01",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "HEAD",
    "HEAD^{/x",
    "--all",
    "@{-1}",
)
HOSTILE = (TOUCH, PATHS, TEXTS, NUMBERS)
LETTERS = (
    "azAZ09 .,:;-_=+*/\\|'\"`$(){}[]<>&!?#%~^@\t\n\r\x1b\x7f\x85"
    "éßقא٣\u200f\u202e\u2028\u2029\ufeff\udc80\udcff😀"
)


class Overdue(BaseException):
    """A case did not end: no OSError, which is all that a TimeoutError of Python's would be."""


class Room:
    """A home with one finished study, and a place to stand in where OUT may lie.

    A home that a case wrote to is replaced by another: MLflow keeps those that it opened open.
    """

    def __init__(self, folder):
        self.folder, self.free = folder, folder / "free"
        self.here = self.free / "b" / "c"
        self.here.mkdir(parents=True)
        self.ready, self.zip = folder / "ready", folder / "finished.zip"
        with at_home(self.ready):
            finish(self.zip)
        self.taken = socket.create_server(("127.0.0.1", 0))
        self.port = str(self.taken.getsockname()[1])
        self._homes = 0
        self.renew()

    def renew(self):
        """Stand before a home that nobody has touched."""
        if self._homes:
            shutil.rmtree(self.home)
        self._homes += 1
        self.home = self.folder / f"home-{self._homes}"
        shutil.copytree(self.ready, self.home)
        shutil.rmtree(self.free)
        self.here.mkdir(parents=True)

    def may_hold(self, here, out):
        """Whether this OUT lies where it may, or is none."""
        path = Path(os.path.normpath(here / out))
        return path.is_relative_to(self.free) or path.exists() or str(path).startswith(("/dev", "/proc"))

    def may_change(self, path, arguments):
        """Whether a command may write there: in its home, and where OUT says.

        A copied log keeps its pages where the first one did.
        """
        told = any(argument.lower().startswith("--out") for argument in arguments)
        may = [self.home, self.ready / "mlruns" / "artifacts", *([self.free] if told else [])]
        return any(Path(path).is_relative_to(folder) for folder in may)

    def right(self):
        """What is right here: values of each option."""
        return {
            "task": ["bowl"],
            "study": ["finished"],
            "trials": ["12", "13"],
            "timeout": ["5", "0.5"],
            "jobs": ["1", "256"],
            "seed": ["0"],
            "confirm": ["0", "2"],
            "old": ["supersede", "void"],
            "bar": ["0.5", "-1", "1e9"],
            "test": ["1", "0"],
            "which": ["3", "0-2,5", "0-11"],
            "since": ["2020-01-01", "2020-01-01T10:30:00+02:00"],
            "code": ["0", "a"],
            "reason": ["the mask was wrong", "é"],
            "data": ["builtin"],
            "data-dir": ["."],
            "trainers": ["inline"],
            "device": ["cpu"],
            "zip": [str(self.zip)],
            "run": ["0"],
            "out": [str(self.here / "out")],
            "fix": ["1", "0"],
            "how": ["ray", "join"],
            "storage": ["postgresql://nobody@127.0.0.1:1/none"],
            "to": ["files"],
            "log": ["http://127.0.0.1:1"],
            "join": ["0"],
            "host": ["127.0.0.1", "localhost"],
            "address": ["127.0.0.1:1"],
            "cpus": ["1", "0.5"],
            "gpus": ["0", "0.25"],
            "memory": ["1"],
            "a": ["finished"],
            "b": ["finished"],
            "port": [self.port],
            "q": ["q1", "q1,q3"],
            "seeds": ["1"],
            "no-graphics": ["1"],
            "check-dependencies": ["0"],
        }


def finish(zip_path=None):
    """Search the bowl in the home that is set: 12 trials, the winner confirmed, logged and exported."""
    study = ["--task", "bowl", "--study", "finished"]
    budget = ["--trials", "12", "--confirm", "2", "--trainers", "inline"]
    verbs = [["search", *study, *budget], ["export", *study]]
    if zip_path:
        verbs.append(["handin", *study])
    for arguments in verbs:
        code, said, complained = call(arguments)
        assert code == 0, said + complained
    if zip_path:
        shutil.move(paths.home() / "finished-handin.zip", zip_path)
    shutil.rmtree(paths.artifacts() / "bowl")  # megabytes of pages, which no case reads


def run(random, count, folder):
    """Yield of each case what it violated, or None."""
    works = [
        (folder / f"room-{number}", random.getrandbits(32), share)
        for number, share in enumerate(homes.shares(count, -(-count // ROOMS)))
    ]
    return homes.side_by_side(in_a_room, works)


def in_a_room(folder, seed, count):
    """Try so many cases one after the other."""
    random, room, real = Random(seed), Room(folder), how_many_real(count)
    outcomes = [case(random, room) for _ in range(count - real)]
    outcomes += [real_case(random, room) for _ in range(real)]
    room.taken.close()
    return outcomes


def how_many_real(count):
    return 5 + count // 100


def case(random, room):
    """One command line in this process."""
    verb, words = typed(random, room)
    arguments = tamed(random, [verb, *spelt(random, words)], room, room.here)
    before = seen(room)
    with at_home(room.home), contextlib.chdir(room.here):
        outcome = call(arguments)
    return judged(room, arguments, before, *outcome)


def real_case(random, room):
    """One command line in a process of its own, half of them through make."""
    verb, words = typed(random, room)
    if random.random() < 0.5 and verb in COMMANDS:
        if not shutil.which("make") or not (ROOT / ".venv" / "bin" / "python").exists():
            return homes.Skipped("there is no make, or no .venv that it would run")
        made = [f"--{each}" for each in for_make(words)]
        arguments = tamed(random, [verb, *made], room, ROOT)
        command = ["make", "-o", ".venv/ready", "--no-print-directory", verb]
        command += [argument.removeprefix("--") for argument in arguments[1:]]
    else:
        arguments = tamed(random, [verb, *spelt(random, words)], room, ROOT)
        command = [sys.executable, "-m", "search", *arguments]
    before = seen(room)
    with at_home(room.home):
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "toys")}
        try:
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return f"did not end: {shown(command)}"
    code, complained = done.returncode, done.stderr.decode(errors="backslashreplace")
    if command[0] == "make":
        code, complained = without_make(code, complained)
    return judged(room, arguments, before, code, done.stdout.decode(errors="replace"), complained)


# What is typed


def typed(random, room):
    """A verb and its options, (name, value) each; a value may be None. Right once, then changed."""
    verb, right = random.choice(list(COMMANDS)), room.right()
    if verb in ("void", "unvoid"):
        right["trials"] = right["which"]
    words = [[name, random.choice(right[name])] for name in option_names(verb)]
    random.shuffle(words)
    needed = [word for word in words if word[0] in ("task", "study", "trainers", "reason", "zip", "port")]
    others = [word for word in words if word not in needed]
    words = needed + others[: random.randrange(len(others) + 1)]
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3))):
        words = random.choice(CHANGES)(random, words)
    if random.random() < 0.05:
        verb = random.choice((misspelt(random, verb), hostile(random)))
    return verb, words


def spoil(random, words):
    """Another value for one of the options."""
    if words:
        random.choice(words)[1] = hostile(random)
    return words


def bend(random, words):
    """One value with a letter more, less or changed."""
    if words:
        word = random.choice(words)
        word[1] = misspelt(random, word[1] or "")
    return words


def drop(random, words):
    return random.sample(words, max(0, len(words) - 1))


def double(random, words):
    return words + [[name, hostile(random)] for name, _ in random.sample(words, min(1, len(words)))]


def swap(random, words):
    """The values in another order."""
    values = [value for _, value in words]
    random.shuffle(values)
    return [[name, value] for (name, _), value in zip(words, values, strict=True)]


def rename(random, words):
    """One option is misspelt."""
    if words:
        word = random.choice(words)
        word[0] = misspelt(random, word[0] or "")
    return words


def bare(random, words):
    """One option without a value."""
    if words:
        random.choice(words)[1] = None
    return words


def stray(random, words):
    """Something that is no option."""
    return [*words, [None, hostile(random)]]


CHANGES = (spoil, spoil, spoil, spoil, bend, drop, double, swap, rename, bare, stray)


def hostile(random):
    """A value that nobody would type by mistake."""
    choice = random.random()
    if choice < 0.75:
        return random.choice(random.choice(HOSTILE))
    if choice < 0.8:
        return random.choice(LETTERS) * (LONG // 4)
    letters = [random.choice(LETTERS) for _ in range(random.randrange(1, 20))]
    return "".join(letters)


def misspelt(random, text):
    """A text with a letter more, less or changed."""
    place, letter = random.randrange(len(text) + 1), random.choice("aZ0-_.é ")
    return text[:place] + random.choice((letter, "")) + text[place + random.randrange(2) :]


def spelt(random, words):
    """Options as arguments, in one of the ways that the command line takes them."""
    arguments = []
    for name, value in words:
        option = f"--{name}" if random.random() < 0.7 else f"--{name}".upper().replace("-", "_")
        option = f"--{option.lstrip('-_')}"
        if name is None:
            arguments.append(value or "")
        elif value is None:
            arguments.append(option)
        else:
            arguments += [f"{option}={value}"] if random.random() < 0.5 else [option, value]
    return arguments


def for_make(words):
    """Options as make takes them: those that it takes at all."""
    names = [(name, value) for name, value in words if name and value is not None]
    return [
        f"{name.upper().replace('-', '_')}={value}" for name, value in names if re.fullmatch("[a-z-]+", name)
    ]


def tamed(random, arguments, room, here):
    """A command line, made wrong where it would train for long, serve, or write where it may not."""
    from typed import options_of  # of tests/toys, which is on the path only once the torture runs

    try:
        with at_home(room.home), contextlib.chdir(here), contextlib.redirect_stdout(io.StringIO()):
            options = options_of(arguments)
    except UsageError:
        return arguments
    verb = arguments[0]
    too_much = {
        "search": lambda: searches_for_long(options),
        "dashboard": lambda: str(options.port) != room.port,
        "ui": lambda: str(options.port) != room.port,
        "check-handin": lambda: options.run and random.random() < 0.9,
        "export": lambda: random.random() < 0.9,
    }
    outside = getattr(options, "out", None) and not room.may_hold(here, options.out)
    return [*arguments, "--NONSENSE=1"] if outside or too_much.get(verb, bool)() else arguments


def searches_for_long(options):
    """Whether a search would train more than a toy, a moment long, in this process."""
    if options.task not in objectives.names() or options.trainers not in ("inline", None, "processes"):
        return False
    short = (options.trials or 99) <= 13 and (options.confirm or 0) <= 5
    return options.task != "bowl" or options.trainers != "inline" or not short


# What came of it


def call(arguments):
    """Run a command line here. Returns the exit code, and what was said on both ways out."""
    out, complaint = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace") for _ in "12")
    before = signal.signal(signal.SIGALRM, overdue)
    signal.alarm(PATIENCE)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaint):
            code = main(list(arguments))
    except SystemExit as end:
        code = end.code
    except (Exception, Overdue) as error:
        code = f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    if code in (130, 143):  # a signal that was meant for whoever runs this
        raise KeyboardInterrupt
    return code, *(text(each) for each in (out, complaint))


def overdue(*_):
    raise Overdue(f"no end in {PATIENCE} s")


def text(stream):
    stream.flush()
    return stream.buffer.getvalue().decode(errors="replace")


@contextlib.contextmanager
def at_home(folder):
    """Meanwhile this is the home, and there is no course's data and no other log."""
    before = dict(os.environ)
    os.environ.update(TRIALBOOK_HOME=str(folder), DATA_DIR=str(folder / "no-course"))
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def judged(room, arguments, before, code, said, complained):
    """What a case violated, in one line, or None. Afterwards the room is as it was."""
    after = seen(room)
    changed = sorted(str(path) for path in before.keys() ^ after.keys() | differing(before, after))
    elsewhere = [path for path in changed if not room.may_change(path, arguments)]
    wrong = wrongs(arguments[0] if arguments else "", code, said, complained)
    if code == 2 and changed:
        wrong.append(f"wrong usage, and {changed[0]!r} was written")
    elif elsewhere:
        wrong.append(f"{elsewhere[0]!r} was written")
    if changed:
        room.renew()
    return f"{'; '.join(wrong)}: {shown(arguments)}" if wrong else None


def wrongs(verb, code, said, complained):
    """What is wrong with how a command ended, in words."""
    wrong, lines = [], complained.splitlines()
    if code not in EXIT_CODES or (code == 1 and verb not in MAY_FAIL):
        wrong.append(f"exit code {code}")
    if "Traceback" in said + complained or "a fault of this program" in complained:
        wrong.append(f"a fault: {complained[:200]!r}")
    if code == 1 and verb in MAY_FAIL and not lines:
        return wrong
    if code != 0 and not (len(lines) == 1 and lines[0].startswith("error: ") and lines[0].isprintable()):
        wrong.append(f"no one line: {complained[:200]!r}")
    if any(len(line) > LONGEST for line in lines):
        wrong.append(f"a line of {max(map(len, lines))} letters: {complained[:80]!r}")
    return wrong


def without_make(code, complained):
    """The exit code that make hides, and what was said without what make adds."""
    if end := re.search(r"^make(?:\[\d+\])?: \*\*\* .* Error (\d+)$", complained, re.M):
        code = int(end[1])
    return code, re.sub(r"^make(\[\d+\])?: .*\n", "", complained, flags=re.M)


def seen(room):
    """All files and folders that a command could have written to: path -> size and time."""
    found = {}
    for top in (room.folder, ROOT):
        for folder, names, files in os.walk(top):
            names[:] = [name for name in names if not name.startswith((".", "__pycache__", "cache"))]
            for path in [folder, *(os.path.join(folder, name) for name in files)]:
                status = os.lstat(path)
                found[path] = status.st_mtime_ns, status.st_size * (path != folder)
    return found


def differing(before, after):
    return {path for path in before.keys() & after.keys() if before[path] != after[path]}


def shown(arguments):
    """A command line that can be replayed, where it is not too long."""
    return " ".join(shlex.quote(each if each.isprintable() else ascii(each)) for each in arguments)[:600]
