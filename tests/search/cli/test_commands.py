"""The command line: verbs, options, and one line for what is wrong."""

import os
import re
import shlex
import subprocess
import sys

import forks
import pytest
from stores import here
from typed import options_of

from search import paths
from search.cli.app import COMMANDS, main, option_names
from search.coordinator import confirm
from search.executors.inline import Inline
from search.strategy import winner
from search.study.opening import open_study


def said(capsys):
    captured = capsys.readouterr()
    return captured.out, captured.err


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


def test_no_study_and_no_trial_are_no_winner(bowl, capsys):

    assert main(["winner", "--task", "bowl"]) == 5
    assert "make search TASK=bowl" in said(capsys)[1]
    with open_study(here(), bowl):
        pass
    assert main(["export", "--task", "bowl"]) == 5
    assert "no completed trial" in said(capsys)[1]


def test_a_task_with_one_study_needs_no_name_for_it(searched, capsys):

    assert main(["winner", "--task", "bowl"]) == 0
    assert "Winner of study searched" in said(capsys)[0]
    with open_study(here(), searched.task, "another"):
        pass
    assert main(["winner", "--task", "bowl"]) == 5
    assert "no study 'bowl-builtin' yet: STUDY= another, searched" in said(capsys)[1]


def test_help_is_the_reference(capsys):
    assert main(["--help"]) == 0
    out, _ = said(capsys)
    assert all(f"\n  {name}: " in out for name in COMMANDS) and "exit codes:" in out and "--debug" in out
    for arguments in [], ["-h"], ["--trials", "3"]:
        assert main(arguments) == 0
        assert said(capsys)[0] == out
    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        shown, error = said(capsys)
        assert f"python -m search {name} " in shown and f"Example: make {name}" in shown and error == ""
        listed = re.findall(r"^  --([a-z-]+)", shown, re.MULTILINE)
        assert set(listed) == set(option_names(name)) - {"-q"}, name


def test_a_command_has_help_of_its_own_with_defaults_and_an_example(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for arguments in ["search", "--help"], ["search", "--task", "bowl", "-h"]:
        assert main(arguments) == 0
        out, _ = said(capsys)
        assert "--timeout S" in out and "[default: 300]" in out and "Example: make search TASK=" in out
        assert "exit codes" not in out and "--fix" not in out


@pytest.mark.parametrize("typed", ["--version", "search --version"])
def test_the_version_is_that_of_the_package(typed, capsys):
    assert main(typed.split()) == 0
    assert said(capsys) == ("Trialbook 0.2.0\n", "")


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


def test_search_goes_on_to_the_number_asked_for_and_then_does_nothing(database, capsys):
    search = ["search", "--task", "bowl", "--trainers", "inline", "--confirm", "0", "--verbose"]
    assert main([*search, "--trials", "2"]) == 0
    out, _ = said(capsys)
    assert "Study bowl-builtin is new" in out and "make export TASK=bowl" in out
    assert "Too few trials tell the odds; stopped as TRIALS=2 is reached after " in out
    assert main([*search, "--trials", "3"]) == 0
    out, _ = said(capsys)
    assert "resumes after 2 trials" in out and "trial 2 starts" in out and "trial 1 starts" not in out
    assert main([*search, "--trials", "3"]) == 0
    out, _ = said(capsys)
    assert "Nothing to do: it has 3 trials, TRIALS=3 is reached. Too few trials tell the odds." in out


ODDS = (
    r"(over 99%|\d+%): as much time again finds no configuration in the ranges that is better by more than "
)
ODDS += "100%; stopped"
UNKNOWN = "Too few trials tell the odds; stopped"


@pytest.mark.parametrize(
    "options, why",
    [
        (["--timeout", "300"], f"{ODDS} by itself after .* of 5 min 00 s"),
        (["--timeout", "300", "--bar", "0.3"], f"{UNKNOWN} as BAR=0.3 is reached with 95% after .*"),
        (["--trials", "12"], rf"{ODDS} as TRIALS=12 is reached after [\d.]+ s"),
        (["--timeout", "0.3"], rf"({ODDS}|{UNKNOWN}) at TIMEOUT= after [\d.]+ s"),
    ],
)
def test_search_says_why_it_ends_and_the_odds(database, bowl, monkeypatch, capsys, options, why):
    monkeypatch.setattr(bowl, "MEANINGFUL_DIFFERENCE", 1.0, raising=False)  # half as high is no better
    assert main(["search", "--task", "bowl", "--trainers", "inline", *options]) == 0
    out, _ = said(capsys)
    assert re.search(rf"^{why}\.$", out, re.MULTILINE), out


@pytest.mark.parametrize("options, n_in_order", [(["--stages"], 5), ([], 0)])
def test_search_in_stages_begins_in_the_order_of_the_course(
    database, write_task, capsys, options, n_in_order
):
    field = ("x: float = 0.5", "learning_rate: float = 0.5")
    drawn = ('x=trial.suggest_float("x", 0, 1)', 'learning_rate=trial.suggest_float("learning_rate", 0, 1)')
    write_task("rated", field, drawn, ("config.x", "config.learning_rate"))
    search = ["search", "--task", "rated", "--trainers", "inline", "--confirm", "0", "--verbose"]
    assert main([*search, "--trials", "7", *options]) == 0, said(capsys)
    assert said(capsys)[0].count("(in order: values of learning_rate, ") == n_in_order


def test_search_confirms_and_goes_on_confirming(database, capsys):
    search = ["search", "--task", "bowl", "--trainers", "inline", "--trials", "4"]
    assert main([*search, "--confirm", "0"]) == 0
    assert "no: too few fresh seeds, 0 of 2" in said(capsys)[0]
    assert main([*search, "--confirm", "2"]) == 0
    assert "yes, on 2 fresh seeds" in said(capsys)[0]
    assert main([*search, "--confirm", "2"]) == 0
    assert "Nothing to do" in said(capsys)[0]


def test_status_shows_studies(searched, capsys):
    assert main(["status"]) == 0
    out, _ = said(capsys)
    won = winner.choose(searched)
    estimate = f"height {won.mean:.4g} ± {won.standard_error:.2g}"
    assert "searched" in out and "completed" in out and estimate in out and "1 seed, unconfirmed" in out
    assert main(["status", "--task", "regression"]) == 0
    assert "searched" not in said(capsys)[0]


def test_status_shows_seeds_and_expected_loss_of_a_confirmed_winner(searched, capsys):
    confirm(searched, Inline(searched), replicates=2)
    assert main(["status"]) == 0
    out, _ = said(capsys)
    assert "3 seeds, confirmed" in out and "expected loss negligible" in out


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


def test_a_fault_of_ours_is_one_line_and_its_traceback_lies_in_a_file(searched, capsys, monkeypatch):
    monkeypatch.setattr("search.storage.files.FileStore.names", lambda store: 1 / 0)
    for _ in range(2):
        assert main(["status"]) == 1
        assert said(capsys)[1] == (
            "error: a fault of this program: ZeroDivisionError: division by zero "
            f"(where: {paths.faults()}, or --debug)\n"
        )
    assert paths.faults().read_text().count("Traceback") == 2
    for debug in ("--debug", "--DEBUG=1"):
        with pytest.raises(ZeroDivisionError):
            main(["status", debug])


def test_a_file_that_cannot_be_written_is_named_in_one_line(searched, database, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["report", "--task", "bowl", "--out", str(tmp_path / "file" / "below")]) == 3
    assert said(capsys)[1].startswith(f"error: {tmp_path}/file")


def test_winner_shows_score_origin_values_and_ranges(searched, capsys):
    won = winner.choose(searched)
    score = f"{won.mean:.5g} ± {won.standard_error:.2g}"
    assert main(["winner", "--task", "bowl", "--study", "searched"]) == 0
    out, _ = said(capsys)
    for part in (score, f"{won.trial.number}, trained", "searched: 0.0 to 1.0", "too few fresh seeds"):
        assert part in out


def test_a_confirmed_winner_is_shown_with_its_mean_the_others_and_the_looks_at_the_test_data(
    searched, database, capsys
):
    confirm(searched, Inline(searched), replicates=2)
    searched.__exit__()
    won = winner.choose(searched)
    named = ["winner", "--task", "bowl", "--study", "searched"]
    assert main([*named, "--test"]) == 0
    out, _ = said(capsys)
    assert f"test height {won.trial.score:.5g} ± 0.001, test evaluation 1" in out
    for part in (
        f"{won.mean:.5g} ± {won.standard_error:.2g}",
        "yes, on 2 fresh seeds",
        "estimated from 3 seeds",
        "negligible: how much better the best candidate is",
        "as good as the estimate",
    ):
        assert part in out
    assert main([*named, "--bar", "0.5"]) == 0
    assert "Winner of study searched" in said(capsys)[0]
    assert main([*named, "--bar", "-1"]) == 5
    assert "clears -1 with 95%" in said(capsys)[1]


def test_void_and_unvoid_are_said_and_logged(searched, database, capsys):
    searched.__exit__()
    named = ["--task", "bowl", "--study", "searched"]
    assert main(["export", *named]) == 0
    number = searched.best().number
    assert main(["void", *named, "--trials", f"{number},0-1", "--reason", "the mask was wrong"]) == 0
    out, _ = said(capsys)
    assert "are void" in out and "was made from a trial that is void" in out
    assert "# VOID, do not use" in paths.frozen("bowl").read_text()
    assert main(["unvoid", *named, "--trials", "0-11"]) == 0
    assert "12 trials count" in said(capsys)[0]
    assert "# VOID, do not use" not in paths.frozen("bowl").read_text()
    assert main(["unvoid", *named, "--code", searched.trial(0).fingerprint["code"]]) == 2
    assert "no trial is meant" in said(capsys)[1]


def test_export_writes_the_script_into_the_project_or_with_its_data_elsewhere(searched, database, tmp_path):
    export = ["export", "--task", "bowl", "--study", "searched"]
    assert main(export) == 0
    assert paths.frozen("bowl").exists()
    assert main([*export, "--out", str(tmp_path / "away")]) == 0
    assert sorted(path.name for path in (tmp_path / "away").iterdir()) == ["bowl.py", "sine-builtin.npz"]
    assert paths.frozen("bowl").read_text() == (tmp_path / "away" / "bowl.py").read_text()


def test_export_needs_a_folder(searched, database, tmp_path, capsys):
    (tmp_path / "file").touch()
    for out in ("", str(tmp_path / "file")):
        assert main(["export", "--task", "bowl", "--study", "searched", "--out", out]) == 2
        assert "is not a folder" in said(capsys)[1]


def test_a_study_that_is_being_searched_is_a_conflict(searched, capsys):
    assert main(["search", "--task", "bowl", "--study", "searched", "--trials", "20"]) == 4
    assert "is being searched by process" in said(capsys)[1]


def test_wrong_usage_of_void_writes_nothing(searched, home, capsys):
    searched.__exit__()
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    assert main(["void", "--task", "bowl", "--study", "searched", "--trials", "99", "--reason", "x"]) == 2
    assert "there is no trial 99" in said(capsys)[1]
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


def test_what_is_wrong_is_one_line_that_can_be_read_whatever_was_typed(searched, tmp_path, capsys):
    file = tmp_path / "a\nb\u2028\x1b[2J"
    file.touch()
    named = ["--task", "bowl", "--study", "searched"]
    assert main(["report", *named, "--out", str(file / "below")]) == 3
    err = said(capsys)[1]
    assert err.endswith("a\\nb\\u2028\\x1b[2J/below: Not a directory\n") and len(err.splitlines()) == 1
    assert main(["status", "--task", "x" * 100_000]) == 2
    err = said(capsys)[1]
    assert err.startswith("error: unknown TASK 'xxx") and "valid are" in err and len(err) < 1000


@pytest.mark.integration
def test_a_name_that_is_no_text_can_be_said(searched, tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff"
    process, output, errors = forks.start(*["report", "--task", "bowl", "--out"], os.fsdecode(folder))
    with output, errors:
        assert "/\\udcff/searched.html" in output.read() and errors.read() == ""
    process.join()
    assert process.exitcode == 0
    assert os.path.exists(folder + b"/searched.html")


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


@pytest.mark.integration
def test_a_backend_that_matplotlib_does_not_know_is_one_line(tmp_path):
    command = [sys.executable, "-m", "search", "grade", "--check-dependencies"]
    nonsense = os.environ | {"MPLBACKEND": "nonsense"}
    done = subprocess.run(command, cwd=paths.ROOT, env=nonsense, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: MPLBACKEND 'nonsense' is not valid: agg, or nothing, which chooses one\n"
