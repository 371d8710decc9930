"""A value that is missing in a study's records, or has another type, is damage, named in one line."""

import json

import pytest
from stores import here

from search.cli.app import main
from search.errors import StoreError
from search.study.opening import hold_study, open_study
from search.study.stored import StoredStudy

ABOUT, EPOCH, OUTCOME = (("trial", name) for name in ("about", "epoch 2", "outcome"))


def attribute(records, kind, name):
    """The last value that a study's or a trial's attribute was given."""
    has = [each["user_attr"] for each in records if name in each.get("user_attr", ())]
    return [each[name] for each in has][0 if kind == "study" else -1]


@pytest.mark.parametrize(
    "where, names, value",
    [
        (("study", "about"), ["metric"], None),
        (("study", "about"), ["direction"], "sideways"),
        (("study", "about"), ["space", "x"], "{}"),
        (("study", "about"), ["space"], []),
        (("study", "budget"), ["trials"], "x"),
        (ABOUT, ["config"], 3),
        (ABOUT, ["config", "x"], []),
        (ABOUT, ["config", "epochs"], "5"),
        (ABOUT, ["provenance", "commit"], None),
        (ABOUT, ["fingerprint", "code"], 1),
        (ABOUT, ["weights"], "2"),
        (ABOUT, ["draw"], "2"),
        (EPOCH, ["epoch"], 3),
        (EPOCH, ["seconds"], "1"),
        (EPOCH, ["validation_height"], None),
        (EPOCH, ["time"], []),
        (OUTCOME, ["state"], "won"),
        (OUTCOME, ["reason"], None),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_damage(searched, home, where, names, value, capsys):
    searched.set_budget(12, None)
    path = here().path("searched")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    inner = attribute(records, *where)
    for name in names[:-1]:
        inner = inner[name]
    inner[names[-1]] = value
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"searched\.journal is damaged: ValueError ") as damage:
        StoredStudy.read(here(), "searched")
    assert (names[-1] in str(damage.value) or names[0] in str(damage.value)) and repr(value) in str(
        damage.value
    )
    searched.__exit__()
    assert main(["search", "--task", "bowl", "--study", "searched", "--trials", "13"]) == 3
    assert main(["winner", "--task", "bowl", "--study", "searched"]) == 3
    assert capsys.readouterr().err.count("\n") == 2 and path.read_bytes() == before


def test_what_is_torn_and_damaged_is_left_as_it_is(searched):
    searched.__exit__()
    path = here().path("searched")
    content = path.read_bytes().replace(b'"epochs":', b'"epochz":') + b'{"op_code"'
    path.write_bytes(content)
    for try_again in (
        lambda name: hold_study(here(), name),
        lambda name: open_study(here(), searched.task, name),
    ):
        with pytest.raises(StoreError):
            try_again("searched")
    assert path.read_bytes() == content
