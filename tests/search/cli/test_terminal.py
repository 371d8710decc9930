"""What is printed for a person: whole names and commands, and an output whose reader goes."""

import forks
import pytest
from stores import here

from search.cli import terminal
from search.cli.app import main
from search.coordinator import search
from search.executors.inline import Inline
from search.study.opening import open_study
from search.study.stored import StoredStudy

NAME, OTHER = "n" * 63, "o" * 63


@pytest.fixture(params=["20", "80"])
def columns(request, monkeypatch):
    """A terminal of so many columns."""
    monkeypatch.setenv("COLUMNS", request.param)


@pytest.fixture
def long_names(bowl, columns):
    for name in NAME, OTHER:
        with open_study(here(), bowl, name) as study:
            search(study, Inline(study), trials=2)


@pytest.mark.parametrize(
    "typed, names",
    [
        ("status", (f" {NAME} ", f" {OTHER} ")),
        (f"winner --task bowl --study {NAME}", (f"Winner of study {NAME} (bowl)",)),
        (f"compare --a {NAME} --b {OTHER}", (f" {NAME} ", f" {OTHER} ")),
        (f"report --task bowl --study {NAME}", (f"/{NAME}.html\n",)),
    ],
)
def test_names_are_printed_whole_in_a_narrow_terminal(typed, names, long_names, capsys):
    assert main(typed.split()) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in names), out


def test_search_prints_paths_and_commands_whole_in_a_narrow_terminal(database, columns, capsys):
    options = f"--task bowl --study {NAME} --trainers inline --trials 2 --confirm 0"
    assert main(["search", *options.split()]) == 0
    lines = capsys.readouterr().out.splitlines()
    data = StoredStudy.read(here(), NAME).data_path
    assert any(f"Data: builtin, {data} (digest" in line for line in lines)
    assert any(line.startswith(f"make report TASK=bowl STUDY={NAME} ") for line in lines)


def test_a_search_whose_reader_goes_is_finished_and_says_so_once(database):
    options = "search --task bowl --study s --trainers inline --trials 4 --confirm 0"
    process, output, errors = forks.start(*options.split())
    assert output.readline().startswith("Task bowl")
    output.close()
    assert errors.read() == "The reader of this output has gone: the search continues in silence.\n"
    errors.close()
    process.join()
    assert process.exitcode == 0
    assert StoredStudy.read(here(), "s").n_finished() == 4


def test_output_that_fails_otherwise_is_no_silence(tmp_path):
    with open(tmp_path / "file", "w") as file:
        output = terminal.Output(file)
    with pytest.raises(ValueError, match="closed file"):
        output.write("text")
