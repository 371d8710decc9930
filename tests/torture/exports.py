"""Hostile values in all that a frozen script is made of: they are data in it, or are refused.

First a task whose words are hostile is searched and shown by every verb. Then values of every type,
drawn by Hypothesis, take the places of a trial's settings, of its origin and of why it is crossed out.
"""

import ast
import contextlib
import json
import math
from dataclasses import dataclass, replace
from html.parser import HTMLParser

import hypothesis
from hypothesis import strategies as st

from search import paths, storage
from search.errors import TrialbookError
from search.frozen_script import files
from search.reports import page, report
from search.storage.base import NAME
from search.strategy import winner
from search.study.stored import StoredStudy
from search.study.trial import VoidEntry
from search.winners import freezing
from tests.torture.in_process import at_home, run_here, violations

TITLE = "what is exported holds hostile values as data, or refuses them"
QUICK, FULL = 300, 10_000

BATCH = 100  # examples that are drawn at once
PAGES = 25  # cases to one that makes a page too: that takes longer than all else
CODE = [
    "__import__('os').system('touch canary')",
    "'''\n__import__('os').system('touch canary')\n'''",
    '"""\n__import__("os").system("touch canary")\n"""',
    '"\nimport os; os.system("touch canary")\n#"',
    "\\",
    "\\\n",
    "{0.__class__}",
    "\nRECORD = None",
    "\r\nopen('canary', 'w')",
    "\x0copen('canary', 'w')",
    "\u2028open('canary', 'w')",
    "\x85open('canary', 'w')",
    "\0",
    "\ud800",
    "\udcff",
    "<canary>",
    "'\"></script><canary><!--",
    "[/x]",
    "$name ${name",
    freezing.FLAG,
]
VOID = ["void", "--trials", "1", "--reason", "<canary>"]
SHOWN = ["winner"], ["status"], ["report"], ["export"], VOID, ["handin"], ["audit"]


@dataclass(frozen=True)
class Drawn:
    """What takes the places of a trial's settings, of where it comes from, and of why it is crossed out."""

    settings: dict
    machine: dict
    commit: str
    run_id: str
    digest: str
    choices: list  # of the word, as the study's range has it
    score: object
    reason: str
    name: str


PLAIN = Drawn(
    settings=dict.fromkeys(("word", "share", "accent", "count", "sure", "epochs", "seed"), 1),
    machine={},
    commit="0" * 40,
    run_id="a1" * 16,
    digest="0123456789ab",
    choices=["plain"],
    score=0.5,
    reason="the mask was wrong",
    name="plain",
)


def texts():
    """Texts of all that Python has: lone halves of pairs, control characters, code."""
    of_any = st.text(st.characters(exclude_categories=()), max_size=20)
    pieces = st.lists(of_any | st.sampled_from(CODE), min_size=1, max_size=3)
    return of_any | st.sampled_from(CODE) | pieces.map("".join)


def numbers():
    huge = st.sampled_from([10**400, -(2**64), 10**5000, 2**1023 * 1.0, 5e-324, -0.0])
    return st.integers() | st.floats() | huge


def values():
    return texts() | numbers() | st.booleans() | st.none()


def drawings():
    """A Drawn."""
    return st.builds(
        Drawn,
        settings=st.fixed_dictionaries({name: values() for name in PLAIN.settings}),
        machine=st.dictionaries(texts(), values(), max_size=3),
        commit=st.just(PLAIN.commit) | texts(),
        run_id=st.just(PLAIN.run_id) | texts(),
        digest=st.just(PLAIN.digest) | texts(),
        choices=st.lists(texts(), min_size=1, max_size=3),
        score=st.floats(),
        reason=texts(),
        name=st.from_regex(NAME, fullmatch=True),
    )


def run(random, count, folder):
    """Yield of each case what it violated, or None."""
    here = folder / "here"
    here.mkdir()
    with at_home(folder / "home"), contextlib.chdir(here):
        yield from of_a_search(here)
        study = StoredStudy.read(storage.chosen(None), "hostile")
        plain = tree_of(freezing.freeze(study, put(study, PLAIN), PLAIN.run_id))
    for number in range(count - len(SHOWN) - 1):
        if number % BATCH == 0:
            batch = draw(random, BATCH)
        with at_home(folder / "home"), contextlib.chdir(here):
            yield case(study, plain, batch[number % BATCH], here, number % PAGES == 0)


def draw(random, count):
    """So many Drawn, which follow from the state of `random` alone."""
    found = []

    @hypothesis.seed(random.getrandbits(64))
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(drawings())
    def take(drawn):
        found.append(drawn)

    while len(found) < count:
        take()
    return found


def of_a_search(here):
    """A search of a task whose words are hostile, and each verb that shows what came of it."""
    study = ["--task", "texts", "--study", "hostile"]
    budget = ["--trials", "25", "--confirm", "2", "--trainers", "inline"]
    for command, *options in [["search", *budget], *SHOWN]:
        named = study if command != "status" else []
        outcome = run_here([command, *named, *options])
        wrong = violations(command, outcome)
        if outcome.code != 0:
            wrong.append(f"exit code {outcome.code}: {outcome.errors[:200]}")
        if command == "report" and not wrong:
            wrong = planted((paths.reports() / "hostile.html").read_text(encoding="utf-8"))
        wrong += ["a canary"] * any(here.iterdir())
        yield f"{command}: {'; '.join(wrong)}" if wrong else None


def case(study, plain, drawn, here, with_page):
    """What the script of these values violates, or None."""
    standing = put(study, drawn)
    try:
        wrong = of_script(study, standing, drawn, plain) + ["a canary"] * any(here.iterdir())
        if with_page:
            wrong += planted(page.page(report.report(study)))
    except Exception as error:
        wrong = [f"{type(error).__name__}: {error}"[:200]]
    return ascii(f"{'; '.join(wrong)}: {shown(drawn)}") if wrong else None


def shown(drawn):
    """Values as text, if Python can show them: it refuses integers of many digits."""
    try:
        return str(drawn)
    except ValueError as error:
        return f"values that cannot be shown: {error}"


def put(study, drawn):
    """Put what was drawn into its places. Returns the standing of the trial that has it now."""
    from objectives.texts import WORDS  # of tests/toys, which is on the path only once the torture runs

    first = winner.choose(study)
    choices = [*drawn.choices, *WORDS]  # the trials have these, and a page shows them
    ranges = {"name": "CategoricalDistribution", "attributes": {"choices": choices}}
    study.name = drawn.name
    space = study.description.space | {"word": json.dumps(ranges)}
    study.description = replace(study.description, digest=drawn.digest, space=space)
    provenance = first.trial.provenance | {"machine": drawn.machine, "commit": drawn.commit}
    trial = replace(first.trial, config=drawn.settings, provenance=provenance, score=drawn.score)
    return replace(first, trial=trial)


def of_script(study, standing, drawn, plain):
    """What is wrong with a script, in words."""
    try:
        text = freezing.freeze(study, standing, drawn.run_id)
    except TrialbookError as refused:
        return [] if str(refused).isprintable() else [f"refused in more than a line: {refused}"]
    path = files.write(paths.frozen("texts"), text)
    wrong = []
    if tree_of(path.read_bytes()) != plain:
        wrong.append("its code is another")
    if not same(files.values(path), drawn.settings):
        wrong.append("its settings are others")
    record = files.record(path)
    expected = {"machine": drawn.machine, "digest": drawn.digest, "score": drawn.score, "run": drawn.run_id}
    if not same({name: record[name] for name in expected}, expected):
        wrong.append("its record is another")
    exec(compile(path.read_bytes(), "script.py", "exec"), {"__name__": "script"})  # in no folder that matters
    return wrong + of_flag(study, standing.trial, drawn, plain, path)


def of_flag(study, trial, drawn, plain, path):
    """What is wrong with the line that says that a script's trial is crossed out."""
    before, wrong = path.read_bytes(), []
    entry = VoidEntry("void", (trial.number,), drawn.reason, drawn.commit, drawn.name)
    ended = study.tried().ended
    mine = ended[trial.number]
    ended[trial.number] = replace(mine, void=entry)
    freezing.flag(study)
    first, _, rest = path.read_bytes().partition(b"\n")
    if not first.startswith(freezing.FLAG.encode()) or rest != before or tree_of(path.read_bytes()) != plain:
        wrong.append("the line that crosses it out is more than a line")
    ended[trial.number] = mine
    freezing.flag(study)
    if path.read_bytes() != before:
        wrong.append("it is another after it was crossed out and restored")
    return wrong


class Page(HTMLParser):
    """What a browser makes of a page, as far as it is planted."""

    def __init__(self):
        super().__init__()
        self.planted = []

    def handle_starttag(self, tag, attributes):
        if "canary" in tag or any("canary" in name for name, _ in attributes):
            self.planted.append(f"the page has an element <{tag}>")


def planted(text):
    """What is planted in the text of a page."""
    parser = Page()
    parser.feed(text)
    return parser.planted


def tree_of(text):
    """A script's syntax tree as text, without its values: those of the docstring, the record and Config."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module):
            node.body[0].value.value = ""
        elif isinstance(node, ast.ClassDef) and node.name == "Config":
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and is_value(field.value):
                    field.value = ast.Constant(0)
        elif (
            isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RECORD" and is_value(node.value)
        ):
            node.value = ast.Constant(0)
    return ast.dump(tree)


def is_value(node):
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def same(one, other):
    """Whether values are equal, and so are their types and the sign of zero."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return one == other and (not isinstance(one, float) or math.copysign(1, one) == math.copysign(1, other))
