"""Options as they are typed: their values, and one line for what is wrong."""

import os
import re

import pytest
from typed import options_of, said

from search import paths
from search.cli.app import main


@pytest.mark.parametrize(
    "typed, wrong",
    [
        ("serach --task bowl", "unknown command 'serach': valid are .* Did you mean 'search'?"),
        ("search", "TASK is missing: valid are .*bowl.* langid"),
        ("search --task", "expected one argument"),
        ("search --task=", "unknown TASK '': valid are"),
        ("search --task bowls", "unknown TASK 'bowls'.*Did you mean 'bowl'"),
        ("search --task ../data", "unknown TASK"),
        ("search --task bowl --trails 3", "unknown option 'trails': valid are .*Did you mean 'trials'"),
        ("search --task bowl extra", "unknown option 'extra'"),
        ("search --task bowl --trials 0", "TRIALS '0' is not valid: a whole number from 1 to 1000000"),
        ("search --task bowl --trials 1e3", "TRIALS '1e3'"),
        ("search --task bowl --trials -3", "TRIALS '-3'|expected one argument"),
        ("search --task bowl --trials ٣", "TRIALS '٣'"),
        ("search --task bowl --trials 99999999", "TRIALS '99999999'"),
        ("search --task bowl --timeout 0", "TIMEOUT '0' is not valid: seconds, more than 0"),
        ("search --task bowl --timeout nan", "TIMEOUT 'nan'"),
        ("search --task bowl --timeout 1e9", "TIMEOUT '1e9'"),
        ("search --task bowl --jobs 0", "JOBS '0' is not valid: a whole number from 1 to 256"),
        ("search --task bowl --seed -1", "SEED '-1'|expected one argument"),
        ("search --task bowl --seed 2147483648", "SEED '2147483648'"),
        ("search --task bowl --data curse", "unknown DATA 'curse': valid are builtin"),
        ("search --task langid --data course", r"lang_id\.npz.*DATA_DIR"),
        ("search --task bowl --study ../up", "STUDY '../up' is no name: valid are a-z"),
        ("search --task bowl --study=--", "STUDY '--' is not valid"),
        ("search --task bowl --trainers rai", "unknown TRAINERS 'rai': valid are inline, processes, ray"),
        ("search --task bowl --device gpu", "unknown DEVICE 'gpu': valid are cpu, cuda"),
        ("search --task bowl --device=", "unknown DEVICE '': valid are cpu, cuda"),
        ("search --task bowl --data-dir nowhere", "DATA_DIR 'nowhere' is not a folder"),
        ("winner --task bowl --study none", "unknown STUDY 'none': valid are none yet"),
        ("export --task bowl --out x --trials 3", "unknown option 'trials'"),
        ("status --task bowls", "unknown TASK 'bowls'"),
        ("search --task bowl --confirm 1", "CONFIRM '1' is not valid: a whole number from 2 to 100, or 0"),
        ("search --task bowl --old keep", "unknown OLD 'keep': valid are supersede, void"),
        ("winner --task bowl --bar high", "BAR 'high' is not valid: a number"),
        ("winner --task bowl --test yes", "TEST 'yes' is not valid: nothing, 1 or 0"),
        ("void --task bowl --trials 1", "REASON is missing"),
        ("void --task bowl --trials 1 --reason=", "REASON '' is not valid: one line"),
        ("handin --task bowl --out=", "OUT '' is not a folder"),
        ("check-handin", "ZIP is missing: which hand-in"),
        ("bundle", "OUT is missing: which folder"),
        ("copy --study s", "TO is missing: studies are none yet"),
        ("compare --a s", "B is missing: which study. Valid are none yet"),
        ("check-handin --zip none.zip", "ZIP 'none.zip' is not a file"),
        ("check-handin --zip none.zip --run no", "RUN 'no' is not valid: nothing, 1 or 0"),
        ("ui --port 0", "PORT '0' is not valid"),
        ("grade -q q9", "unknown Q 'q9': valid are q1, q2, q3, q4, q5, q6, q7."),
        ("grade --q=", "unknown Q ''"),
        ("grade -q q1,,q2", "unknown Q ''"),
        ("grade -q", "expected one argument"),
        ("grade -x q1", "unknown option 'x'"),
        ("grade --seeds 0", "SEEDS '0' is not valid"),
        ("grade --no-graphics=yes", "NO_GRAPHICS 'yes' is not valid: nothing, 1 or 0"),
        ("grade --data curse", "unknown DATA 'curse': valid are builtin, course, mnist, shakespeare"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(typed, wrong, capsys, home):
    assert main(typed.split(" ")) == 2
    out, err = said(capsys)
    assert err.startswith("error: ") and err.count("\n") == 1 and out == ""
    assert re.search(wrong, err), err
    assert not home.exists()


@pytest.mark.parametrize(
    "typed, value",
    [
        ("", False),
        ("--test", True),
        ("--test 1", True),
        ("--test=0", False),
        ("--TEST=1 --bar 1", True),
        ("--test --bar 1", True),
        ("--bar 1 --test 0", False),
        ("--test=1 --test 0", False),
    ],
)
def test_a_switch_stands_alone_or_has_1_or_0(typed, value):
    assert options_of(["winner", *typed.split()]).test is value


def test_the_last_of_the_same_options_counts_as_in_make():
    assert options_of(["search", "--trials", "3", "--TRIALS=4"]).trials == 4


def test_a_folder_of_the_course_that_is_typed_wins_over_that_of_the_environment(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "other"))
    (tmp_path / "typed").mkdir()
    search = ["search", "--task", "langid", "--data", "course"]
    for typed, folder in ([], "other"), (["--data-dir", str(tmp_path / "typed")], "typed"), ([], "other"):
        assert main([*search, *typed]) == 2
        assert f"{tmp_path}/{folder}/lang_id.npz" in said(capsys)[1]
        assert os.environ["DATA_DIR"] == str(tmp_path / "other")


def test_make_may_write_names_in_capitals(searched, capsys):
    assert main(["winner", "--TASK=bowl", "--STUDY=searched"]) == 0
    assert "Winner of study searched" in said(capsys)[0]


@pytest.mark.parametrize("typed", ["search", "winner", "export", "slurm"])
def test_an_option_before_make_is_hinted_at_where_it_is_missing(typed, capsys, monkeypatch):
    monkeypatch.setenv("TASK", "bowl")
    assert main([typed]) == 2
    hint = "TASK='bowl' of the environment is not read: type it after the command"
    assert hint in said(capsys)[1]


def test_an_option_of_the_environment_is_not_hinted_at_where_it_is_given(monkeypatch, capsys):
    monkeypatch.setenv("TASK", "bowl")
    assert main(["search", "--task", "bowls"]) == 2
    assert "environment" not in said(capsys)[1]


def test_a_tilde_is_the_home_folder(searched, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["report", "--task", "bowl", "--out=~/away"]) == 0
    assert (tmp_path / "away" / "searched.html").exists()
    assert main(["check-handin", "--zip=~/none.zip"]) == 2
    assert f"ZIP '{tmp_path}/none.zip' is not a file" in said(capsys)[1]
    monkeypatch.setenv("TRIALBOOK_HOME", "~/home")
    assert paths.home() == tmp_path / "home"


@pytest.mark.parametrize(
    "name, value, wrong",
    [
        ("TRIALBOOK_STORAGE", "nonsense", "STORAGE is not valid"),
        ("MLFLOW_TRACKING_URI", "nonsense", "MLFLOW_TRACKING_URI 'nonsense' is not valid: http://host:port"),
        ("MLFLOW_TRACKING_URI", "http://x:y:z", "MLFLOW_TRACKING_URI 'http://x:y:z' is not valid"),
        ("MLFLOW_TRACKING_URI", "ftp://x", "MLFLOW_TRACKING_URI 'ftp://x' is not valid"),
    ],
)
@pytest.mark.parametrize("typed", ["status", "audit", "search --task bowl"])
def test_an_address_in_the_environment_that_is_none_is_one_line(
    name, value, wrong, typed, home, monkeypatch, capsys
):
    monkeypatch.setenv(name, value)
    assert main(typed.split()) == 2
    assert said(capsys)[1].startswith(f"error: {wrong}") and not home.exists()
