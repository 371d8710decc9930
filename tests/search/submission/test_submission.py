"""A hand-in holds all of a study, and whoever changed it is found out."""

import io
import json
import re
import statistics
import zipfile
from dataclasses import replace

import pytest
from stores import here

from search import paths
from search.cli.app import main
from search.coordinator import Clock, Coordinator, confirm, search
from search.errors import NoWinner, TrialbookError, UsageError
from search.executors.inline import Inline
from search.frozen_script import files
from search.strategy import winner
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.submission import check, figures, pack
from search.submission.submission import MAX_BYTES, REQUIRED, Submission, trial_from_record
from search.winners import freezing


def made(bowl):
    """A study with repeats, and with two trials that are crossed out, of which one has failed."""
    study = open_study(here(), bowl, "searched")
    search(study, Inline(study), trials=12)
    confirm(study, Inline(study), replicates=2)
    study.tell(Strategy(study).ask().number, "failed", "FileNotFoundError: no '/home/ann/words/x.npz' here")
    last = len(list(study.trials())) - 1
    study.void(
        "void", [next(t.number for t in study.history() if t.state == "pruned"), last], "the mask was wrong"
    )
    # What is in the project counts as proved: no test needs to train it once more.
    files.write(paths.frozen("bowl"), freezing.freeze(study, winner.choose(study), "run"))
    return study


@pytest.fixture
def study(bowl):
    with made(bowl) as study:
        yield study


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """The files of its hand-in, which no test changes: made once."""
    from objectives import bowl

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIALBOOK_HOME", str(tmp_path_factory.mktemp("home")))
        with made(bowl) as study:
            return pack.members_of(study, lambda _: "run")


def failures(members, run=False):
    """The checks that a hand-in fails: name -> message."""
    content = pack.packed({name: text for name, text in members.items() if name != "DIGESTS"})
    return {each.name: each.message for each in check.findings(Submission(content), run) if not each.holds}


def edited(members, name, edit):
    """A hand-in in which one JSON file is another, and the digests are right again."""
    value = json.loads(members[name])
    edit(value)
    return members | {name: json.dumps(value).encode()}


def read(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_it_holds_every_trial_and_all_of_each(study):
    members = pack.members_of(study, lambda _: "run")
    trials = [trial_from_record(fields) for fields in json.loads(members["trials.json"])]
    assert len(trials) == len(list(study.trials()))
    for trial, original in zip(trials, study.trials(), strict=True):
        for name in ("number", "state", "config", "score", "curve", "started", "fingerprint", "provenance"):
            assert getattr(trial, name) == getattr(original, name)
    assert {trial.kind for trial in trials} == {"completed", "pruned", "replicates", "void"}
    assert json.loads(members["study.json"])["winner"]["mean"] == winner.choose(study).mean
    assert members.keys() == REQUIRED - {"DIGESTS"} | {"sine-builtin.npz"}


def test_it_names_no_folder_and_no_user(study):
    members = pack.members_of(study, lambda _: "run")
    text = b"".join(members[name] for name in REQUIRED - {"DIGESTS"})
    assert b"no 'x.npz' here" in members["trials.json"]
    assert b"/home" not in text and str(paths.home()).encode() not in text
    assert study.void_entries()[0].who.encode() not in text


def test_the_same_study_gives_the_same_bytes(study, tmp_path):
    first = pack.write(study, lambda _: "run", tmp_path / "a")
    assert pack.write(study, lambda _: "run").read_bytes() == first.read_bytes()
    assert first.name == "searched-handin.zip" and not list(paths.home().glob("*.zip.*"))


@pytest.mark.integration
def test_all_of_it_holds_and_the_script_trains_as_the_trial_did(members):
    findings = list(check.findings(Submission(pack.packed(members))))
    assert [finding.message for finding in findings if not finding.holds] == []
    assert len(findings) == len(check.CHECKS) + 1
    assert "4 values, equal to the last bit" in findings[-1].message


def test_a_change_without_new_digests_is_found(members):
    packed = read(io.BytesIO(pack.packed(members)))
    packed["trials.json"] = packed["trials.json"].replace(b'"seconds"', b'"Seconds"', 1)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, text in packed.items():
            file.writestr(name, text)
    findings = check.findings(Submission(content.getvalue()))
    broken = {each.name: each.message for each in findings if not each.holds}
    assert broken["digests"] == "DIGESTS has another digest than trials.json"
    assert "was not run" in broken["first report"]


def worst(trials):
    """The worst that is completed and counts."""
    own = [t for t in trials if t["state"] == "completed" and t["confirms"] is t["crossed"] is None]
    return max(own, key=lambda trial: trial["score"])


def better_score(trials):
    worst(trials)["score"] = -1.0


def no_score(trials):
    trials[3]["score"] = None


def one_fewer(trials):
    del trials[-1]


def gap(trials):
    del trials[4]


def restored(trials):
    trials[-1]["crossed"] = None


def backwards(trials):
    trials[3]["curve"].reverse()


def infinite(trials):
    trials[3]["curve"][0]["train_loss"] = float("inf")


def out_of_range(trials):
    trials[3]["params"]["x"] = trials[3]["config"]["x"] = 7.0


def other_code(trials):
    trials[3]["fingerprint"]["code"] = "0123456789ab"


def shorter(trials):
    worst(trials)["curve"][0]["seconds"] += 1


def better_repeat(trials):
    for trial in trials:
        if trial["confirms"] is not None:
            trial["score"] *= 0.5


def nonsense(trials):
    trials[3] = "\x1b[2Jnothing"


@pytest.mark.parametrize(
    "edit, name, said",
    [
        (better_score, "figures", "baseline score is .*, computed again -1.0"),
        (no_score, "trials", "trial 3 is completed with score None"),
        (one_fewer, "void trials", "the void list names trials that are missing: "),
        (gap, "trials", "not numbered from 0"),
        (restored, "void trials", "is not void, unlike in the void list"),
        (backwards, "curves", "the epochs of trial 3 do not rise"),
        (infinite, "curves", "epoch 1 of trial 3 is not finite"),
        (out_of_range, "settings", "trial 3: x is out of range"),
        (other_code, "fingerprints", "differ in their code"),
        (shorter, "figures", "seconds is .*, computed again"),
        (better_repeat, "the winner", "its scores: .*, computed again"),
        (nonsense, "trials", r"cannot be read: TypeError"),
    ],
)
def test_changed_trials_are_found(members, edit, name, said):
    broken = failures(edited(members, "trials.json", edit))
    assert re.search(said, broken[name]), broken
    assert all(text.isprintable() for text in broken.values())


def test_check_another_winner_fails_in_each_file_that_names_it(study):
    other = winner.candidates(study)[1]
    coordinator = Coordinator(Strategy(study), Inline(study), (), Clock())
    for seed in (1, 2):
        coordinator.start(coordinator.strategy.replicate(other.trial, seed))
        coordinator.executor.listen(coordinator, 0)
    members, other = pack.members_of(study, lambda _: "run"), winner.candidates(study)[1]
    view = Submission(pack.packed(members)).view
    record = check.winner_record(other)
    assert record["confirmed"] and other.trial.number != winner.choose(study).trial.number
    forged = edited(members, "study.json", lambda about: about.update(winner=record))
    assert failures(forged).keys() == {"the winner"}
    forged["report.txt"] = figures.text_of(view, other).encode()
    forged["script.py"] = freezing.freeze(study, other, "run").encode()
    broken = failures(forged)
    number = winner.choose(study).trial.number
    assert broken["the winner"] == f"study.json names trial {other.trial.number}, but trial {number} wins"
    assert broken["figures"].startswith(("winner is", "winner's"))
    assert broken["script"] == "its record has another trial than the winner"


@pytest.mark.parametrize(
    "line", [b"best score: 0.0", b"best score: null", b"best score: 1e-9\ngood: 1", b"best score: 1\nvoid: 2"]
)
def test_a_figure_that_the_trials_do_not_give_is_found(members, line):
    text = members["report.txt"].split(b"\n")
    at = next(number for number, each in enumerate(text) if each.startswith(b"best score:"))
    text[at] = line
    assert failures(members | {"report.txt": b"\n".join(text)}).keys() == {"figures"}


def test_a_page_that_says_what_the_trials_do_not_is_found(members):
    page = members["report.html"]
    assert b"the estimate from 3 seeds" in page
    told = page.replace(b"the estimate from 3 seeds", b"the estimate from 9 seeds")
    assert failures(members | {"report.html": told}).keys() == {"the page"}


def test_check_report_with_another_heading_fails(members):
    text = members["report.txt"].replace(b"lower is better", b"higher is better")
    broken = failures(members | {"report.txt": text})
    assert broken == {"figures": "report.txt begins with other words than a report"}


def test_check_trials_with_another_score_than_study_json_states_fail(members):
    def other(trials):
        for trial in trials:
            trial["fingerprint"]["score"] = "maximize height"

    broken = failures(edited(members, "trials.json", other))
    assert broken == {"fingerprints": "study.json states another score than the trials"}


def by_version(members, version):
    """The hand-in as another version would have written it, in other words; version 0.1 had plain means."""
    won = json.loads(members["study.json"])["winner"]
    mean = statistics.fmean(won["scores"]) if version in (None, "0.1.0") else won["mean"]

    def edit(about):
        about["winner"]["mean"] = mean
        del about["version"]
        if version:
            about["version"] = version

    names = {
        b"replicates:": b"repeats:",
        b"superseded:": b"aside:",
        b"infeasible: 0\n": b"",
        b"Scores": b"They",
        f"winner's mean: {won['mean']}".encode(): f"winner's mean: {mean}".encode(),
    }
    report = members["report.txt"]
    for today, then in names.items():
        report = report.replace(today, then)
    page = members["report.html"].replace(b"What next", b"And now")
    return edited(members, "study.json", edit) | {"report.txt": report, "report.html": page}


@pytest.mark.parametrize("version", [None, "0.1.0", "9.0"])
def test_check_hand_in_of_another_version_holds_and_says_what_is_not_compared(members, version):
    content = pack.packed(by_version(members, version))
    results = {each.name: each for each in check.findings(Submission(content), run=False)}
    assert all(each.holds for each in results.values()), results
    stated = f"Version {version or '0.1'} worded the rest, which is NOT compared"
    assert stated in results["the page"].message


@pytest.mark.parametrize("version, broken", [(None, set()), ("9.0", {"figures"})])
def test_check_standard_error_is_not_judged_of_version_0_1_alone(members, version, broken):
    moved = by_version(members, version)
    report = re.sub(rb"winner's standard error: .*", b"winner's standard error: 0.5", moved["report.txt"])
    assert failures(moved | {"report.txt": report}).keys() == broken


def test_check_winner_of_version_0_1_without_the_mean_of_its_trials_fails(members):
    moved = by_version(members, None)
    better = edited(moved, "study.json", lambda about: about["winner"].update(mean=0.001))
    assert failures(better).keys() == {"the winner"}
    other = edited(moved, "study.json", lambda about: about["winner"].update(trial=0))
    assert "which is unconfirmed, unlike others" in failures(other)["the winner"]
    none = edited(moved, "study.json", lambda about: about["winner"].update(trial=1))
    assert "which cannot have won" in failures(none)["the winner"]


def test_check_hand_in_of_another_version_with_a_forged_table_fails(members):
    moved = by_version(members, None)
    page = re.sub(rb'data-value="0\.\d+"', b'data-value="0.123456"', moved["report.html"], count=1)
    assert page != moved["report.html"]
    assert failures(moved | {"report.html": page}).keys() == {"the page"}


@pytest.mark.integration
def test_a_script_that_trains_otherwise_is_found(members):
    script = members["script.py"].decode()
    other = script.replace("+ 1 / epoch", "+ 1.5 / epoch")
    assert other != script
    broken = failures(members | {"script.py": other.encode()}, run=True)
    assert broken.keys() == {"first report"} and "expected equal to the last bit" in broken["first report"]
    failing = script.replace("def build(config):", "def build(config):\n    raise OSError('no\\x1b[2J')\n")
    broken = failures(members | {"script.py": failing.encode()}, run=True)
    assert broken == {"first report": "the script failed: OSError: no?[2J"}


def test_a_script_of_other_settings_is_not_even_run(members):
    script = members["script.py"].replace(b"epochs: int = 5", b"epochs: int = 6")
    broken = failures(members | {"script.py": script}, run=True)
    assert broken == {
        "script": "its config is not the winner's",
        "first report": "the script was not run, because another check failed",
    }


@pytest.mark.integration
def test_on_another_machine_it_is_compared_within_a_tolerance(members):
    def elsewhere(trials):
        for trial in trials:
            trial["provenance"]["machine"]["python"] = "3.0"

    python = Submission(pack.packed(members)).trials[0].provenance["machine"]["python"]
    moved = edited(members, "trials.json", elsewhere)
    moved["script.py"] = moved["script.py"].replace(f'"{python}"'.encode(), b'"3.0"')
    for change, broken in ((b"1.01", set()), (b"1.5", {"first report"})):
        script = moved["script.py"].replace(b"+ 1 / epoch", b"+ " + change + b" / epoch")
        assert failures(moved | {"script.py": script}, run=True).keys() == broken


def test_other_data_and_none_are_found(members):
    assert "cannot be read" in failures(members | {"sine-builtin.npz": b"PK"})["the data"]
    moved = edited(members, "study.json", lambda about: about.update(data_file="course.npz"))
    assert (
        "neither in the zip nor on this machine: name its folder with DATA_DIR="
        in failures(moved)["the data"]
    )
    moved = edited(members, "study.json", lambda about: about.update(data_file="../x"))
    assert "not the name of a data file" in failures(moved)["the data"]


def zipped(members):
    """A zip of names and texts; a number stands for so many zeros."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members:
            file.writestr(name, bytes(text) if isinstance(text, int) else text)
    return content.getvalue()


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "cannot be read: BadZipFile"),
        (b"no zip at all", "cannot be read: BadZipFile"),
        ([("study.json", "{}")], "lacks DIGESTS, report.html, report.txt, script.py, trials.json"),
        ([("../x", "")], "names that no hand-in has"),
        ([("/etc/x", "")], "names that no hand-in has"),
        ([("folder/", "")], "names that no hand-in has"),
        ([(f"f{number}", "") for number in range(11)], "names that no hand-in has"),
        ([("bomb", MAX_BYTES + 1)], "its files have more than 500,000,000 bytes"),
    ],
    ids=range(8),
)
def test_what_is_no_hand_in_is_wrong_usage(content, said, tmp_path, capsys):
    path = tmp_path / "some.zip"
    path.write_bytes(content if isinstance(content, bytes) else zipped(content))
    assert main(["check-handin", "--zip", str(path)]) == 2
    out, error = capsys.readouterr()
    assert error.count("\n") == 1 and said in error and out == ""
    assert list(tmp_path.iterdir()) == [path]


def test_a_torn_zip_is_wrong_usage(members):
    content = bytearray(pack.packed(members))
    content[len(content) // 2] ^= 255
    with pytest.raises(UsageError, match="cannot be read: BadZipFile: Bad CRC|cannot be read: error"):
        Submission(bytes(content))


def test_from_the_command_line(study, database, tmp_path, capsys):
    study.__exit__()
    named = ["handin", "--task", "bowl", "--study", "searched"]
    assert main([*named, "--out", str(tmp_path / "out")]) == 0
    path = tmp_path / "out" / "searched-handin.zip"
    assert f"wrote {path}" in capsys.readouterr().out
    assert main(["check-handin", "--zip", str(path), "--run", "0"]) == 0
    out = capsys.readouterr().out
    assert out.count("\nyes ") == len(check.CHECKS) - 1 and "The hand-in passed every check." in out
    path.write_bytes(pack.packed(read(path) | {"report.txt": b""}))
    assert main(["check-handin", "--zip", str(path), "--run", "0"]) == 1
    assert "NO  figures" in capsys.readouterr().out
    assert main(["check-handin", "--zip", str(tmp_path)]) == 2
    assert main([*named, "--out", str(path)]) == 2


@pytest.mark.integration
def test_nothing_is_written_of_a_study_without_a_winner_or_of_one_that_would_not_pass(bowl, study):
    with open_study(here(), bowl, "empty") as empty, pytest.raises(NoWinner):
        pack.write(empty, lambda _: "run")
    study.description = replace(study.description, digest="0123456789ab")
    with pytest.raises(TrialbookError, match="is not what the trial was trained on"):
        pack.write(study, lambda _: "run")
    # As if its script had been proved all the same.
    files.write(paths.frozen("bowl"), freezing.freeze(study, winner.choose(study), "run"))
    with pytest.raises(TrialbookError, match="would fail its check"):
        pack.write(study, lambda _: "run")
    assert not list(paths.home().glob("*.zip*"))


def test_a_task_whose_trials_make_text_is_handed_in_too(moody):
    with open_study(here(), moody("late nan", "error"), "moods") as study:
        search(study, Inline(study), trials=12)
        files.write(paths.frozen("moody"), freezing.freeze(study, winner.choose(study), "run"))
        assert failures(pack.members_of(study, lambda _: "run")) == {}


def test_write_task_whose_names_are_not_in_alphabetical_order_passes_its_check():
    from objectives import texts

    with open_study(here(), texts, "texts") as study:
        search(study, Inline(study), trials=12)
        assert list(study.ranges()) == ["word", "share"]
        assert list(winner.choose(study).trial.config) != sorted(winner.choose(study).trial.config)
        files.write(paths.frozen("texts"), freezing.freeze(study, winner.choose(study), "run"))
        members = read(pack.write(study, lambda _: "run"))
    assert failures(members) == {}
    assert list(json.loads(members["study.json"])["space"]) == ["word", "share"]
