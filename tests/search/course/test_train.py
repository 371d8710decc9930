"""A frozen winner is trained again on the data that its script names."""

import pytest

import data
from data import DataError
from objectives import digits, langid
from search import paths
from search.cli.app import main
from search.course import train
from search.frozen_script import files
from search.strategy import winner
from search.winners import freezing


@pytest.fixture
def script(searched):
    """The frozen winner of the bowl, in its place."""
    return files.write(paths.frozen("bowl"), freezing.freeze(searched, winner.choose(searched), "run"))


@pytest.mark.integration
def test_train_with_a_script_runs_it_on_its_data_and_shows_what_it_prints(script, capfd):
    assert main(["train", "--task", "bowl"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "Training models/frozen/bowl.py on sine-builtin.npz (DATA=builtin, as recorded)."
    assert lines[-1].startswith("As recorded: expected equal to the last bit")


@pytest.mark.integration
def test_train_with_a_script_that_misses_its_score_returns_its_exit_code(script, capfd):
    text = script.read_text()
    files.write(script, text.replace('"score": ', '"score": -1 + '))
    assert main(["train", "--task", "bowl"]) == 5  # that record is no value
    files.write(script, text.replace('"digest": "', '"digest": "x').replace('"score": ', '"score": -'))
    assert main(["train", "--task", "bowl", "--data", "builtin"]) == 1
    said = capfd.readouterr()
    assert "is no frozen script" in said.err and "(DATA=builtin, as DATA= says)" in said.out
    assert "MISSED" in said.out and "as these differ: data" in said.out


@pytest.mark.integration
def test_train_with_a_script_of_an_earlier_version_names_the_data_as_that_has_it(script, capfd):
    files.write(
        script, script.read_text().replace('"--data-file", dest="data file"', '"--data", dest="data file"')
    )
    assert main(["train", "--task", "bowl"]) == 0


@pytest.mark.parametrize(
    "typed, code, said",
    [
        ("--task bowl", 5, "no frozen winner of bowl: make search export TASK=bowl"),
        ("--task bowls", 2, "unknown TASK 'bowls'.*Did you mean 'bowl'?"),
        ("--task bowl --trials 3", 2, "unknown option 'trials': valid are data, data-dir, task"),
        ("", 2, "TASK is missing"),
    ],
)
def test_train_with_nothing_to_train_is_one_line(typed, code, said, bowl, capsys):
    assert main(["train", *typed.split()]) == code
    assert capsys.readouterr().err.startswith(f"error: {said.split('.*')[0]}")


def test_data_of_a_record_are_those_of_its_source():
    source, path, why = train.data_of(langid, "words-builtin.npz")
    assert (source, path.name, why) == ("builtin", "words-builtin.npz", "as recorded")


def test_data_of_a_record_that_cannot_be_had_are_the_default_and_it_says_why():
    source, path, why = train.data_of(langid, "lang_id.npz")
    assert (source, path.name) == ("builtin", "words-builtin.npz")
    assert "lang_id.npz of the record cannot be had: DATA=course needs the course's file" in why


def test_data_of_the_course_are_found_in_its_folder(tmp_path, monkeypatch):
    data.use_course_folder(tmp_path)
    (tmp_path / "mnist.npz").touch()
    assert train.data_of(digits, "mnist.npz") == ("course", tmp_path / "mnist.npz", "as recorded")


def test_train_on_a_source_that_is_not_here_is_one_line(script, capsys):
    files.write(paths.frozen("langid"), script.read_text())
    with pytest.raises(DataError, match="lang_id.npz"):
        train.train(langid, "course", print)
    assert main(["train", "--task", "langid", "--data", "course"]) == 2
