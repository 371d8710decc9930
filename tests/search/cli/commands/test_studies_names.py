"""Commands find tasks and studies, whatever their names are and whatever lies beside them."""

import shlex

import pytest
from stores import here
from typed import said

from search import paths
from search.cli.app import main
from search.study.opening import open_study


def test_a_task_with_one_study_needs_no_name_for_it(searched, capsys):

    assert main(["winner", "--task", "bowl"]) == 0
    assert "Winner of study searched" in said(capsys)[0]
    with open_study(here(), searched.task, "another"):
        pass
    assert main(["winner", "--task", "bowl"]) == 5
    assert "no study 'bowl-builtin' yet: STUDY= another, searched" in said(capsys)[1]


def test_a_damaged_study_hides_no_other(searched, capsys):
    (paths.studies() / "torn.journal").write_bytes(b"not a journal\n")
    assert main(["status"]) == 3
    out, err = said(capsys)
    assert "searched" in out and "torn.journal is damaged" in err and err.count("\n") == 1


def test_a_damaged_study_hides_not_the_one_that_is_meant(searched, capsys):
    (paths.studies() / "another.journal").write_bytes(b"")
    assert main(["winner", "--task", "bowl"]) == 0
    (paths.studies() / "bowl-builtin.journal").write_bytes(b"")
    assert main(["winner", "--task", "bowl", "--data", "builtin"]) == 3
    assert "bowl-builtin.journal is damaged" in said(capsys)[1]


BROKEN = {
    "deleted": None,
    "syntax": "def f(:\n",
    "missing": "import no_such_library\n",
    "leaves": "import sys\nsys.exit(0)\n",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_task_that_cannot_be_imported_hides_no_study(how, audited, task_files, edited_bowl, capsys):

    with open_study(here(), edited_bowl(name="fragile")):
        pass
    task_files.put("fragile", BROKEN[how])
    for typed, code in (["status"], 2), (["audit"], 2), (["doctor"], 2):
        assert main(typed) == code
        out, err = said(capsys)
        assert "audited" in out and err.count("\n") == 1 and "fragile" in err, (typed, out, err)
    assert main(["report", "--task", "bowl"]) == 0
    assert main(["winner", "--task", "fragile"]) == 2
    wrong = "unknown TASK 'fragile'" if how == "deleted" else "task 'fragile' cannot be imported: "
    assert said(capsys)[1].startswith(f"error: {wrong}")


def test_a_stray_file_beside_the_studies_is_named_once_and_hides_none(audited, capsys):
    stray = paths.studies() / "x (copy).journal"
    stray.write_bytes(b"")
    for typed in "status", "audit", "doctor":
        assert main([typed]) == 0
        out, err = said(capsys)
        assert "audited" in out and "x (copy)" not in out
        assert err == (
            f"error: {stray} is no study: its name is not valid, which is a-z 0-9 . _ -, "
            "a letter or digit first, at most 63\n"
        )


def test_a_copy_of_a_study_is_said_to_be_one(audited, capsys):
    copy = paths.studies() / "copy.journal"
    copy.write_bytes((paths.studies() / "audited.journal").read_bytes())
    assert main(["status"]) == 3
    out, err = said(capsys)
    assert "audited" in out
    assert err == f"error: {copy} is a copy of study 'audited': its file has another name\n"


@pytest.mark.parametrize(
    "name",
    [
        "two words",
        *(
            pytest.param(name, marks=pytest.mark.thorough)
            for name in ("模型", "MLPv2", "my-net", "Größe", "n" * 90)
        ),
    ],
)
def test_a_task_of_any_name_is_found_by_every_verb(name, database, edited_bowl, tmp_path, capsys):
    edited_bowl(name=name)
    search = ["search", "--task", name, "--trainers", "inline", "--trials", "3", "--confirm", "0"]
    assert main(search) == 0, said(capsys)
    out, _ = said(capsys)
    assert f"make export TASK={shlex.quote(name)} " in out and "STUDY=" not in out
    assert main(["void", "--task", name, "--trials", "2", "--reason", "x"]) == 0
    for verb in "status", "winner", "report", "audit", "doctor", "unvoid --trials 2", "handin":
        out_folder = ["--out", str(tmp_path / "out")] if verb == "handin" else []
        verb, *more = verb.split()
        assert main([verb, "--task", name, *more, *out_folder]) == 0, (verb, said(capsys))


def test_values_are_shown_as_they_are_whatever_brackets_they_have(database, capsys, monkeypatch):
    from objectives import texts

    monkeypatch.setattr(texts, "WORDS", ["plain", "[/x]", "[red]"])
    study = ["--task", "texts", "--study", "brackets"]
    budget = ["--trainers", "inline", "--trials", "8", "--confirm", "0"]
    assert main(["search", *study, *budget]) == main(["winner", *study]) == main(["status"]) == 0
    assert "one of plain, [/x], [red]" in said(capsys)[0]
