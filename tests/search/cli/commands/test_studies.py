"""The commands on studies: what each writes and says."""

from stores import here
from typed import said

from search import paths
from search.cli.app import main
from search.coordinator import confirm
from search.executors.inline import Inline
from search.strategy import winner
from search.study.opening import open_study


def test_no_study_and_no_trial_are_no_winner(bowl, capsys):

    assert main(["winner", "--task", "bowl"]) == 5
    assert "make search TASK=bowl" in said(capsys)[1]
    with open_study(here(), bowl):
        pass
    assert main(["export", "--task", "bowl"]) == 5
    assert "no completed trial" in said(capsys)[1]


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
