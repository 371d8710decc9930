"""A frozen script stands alone, holds only values, and reaches its score."""

import ast
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from forks import run_script
from stores import here

import objectives
from search import paths, tasks
from search.cli.app import main
from search.coordinator import search
from search.errors import TrialbookError
from search.executors.inline import Inline
from search.frozen_script import files
from search.strategy import winner
from search.strategy.estimates.levels import Estimate, Scale
from search.strategy.strategy import Strategy
from search.study.opening import open_study
from search.winners import freezing


@pytest.fixture
def carried(searched, tmp_path):
    """The frozen winner of the bowl and its data, in an empty folder."""
    folder = tmp_path / "elsewhere"
    files.write(folder / "bowl.py", freezing.freeze(searched, winner.choose(searched), "run-1"))
    shutil.copyfile(searched.data_path, folder / searched.data_path.name)
    return folder


@pytest.mark.integration
def test_it_reaches_its_score_to_the_last_bit(carried, searched):
    alone = [sys.executable, "-I", "bowl.py"]  # a clean interpreter, which sees no project
    done = subprocess.run(alone, cwd=carried, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"recorded {searched.best().score!r}" in done.stdout
    assert "As recorded: expected equal to the last bit" in done.stdout
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("epoch")] == list("12345")


def changed(script, old, new):
    text = script.read_text()
    assert text.count(old) == 1
    script.write_text(text.replace(old, new))


def test_a_changed_score_is_a_miss(carried, searched):
    changed(
        carried / "bowl.py",
        f'"score": {searched.best().score!r}',
        f'"score": {searched.best().score + 1e-15!r}',
    )
    done = run_script(carried / "bowl.py")
    assert done.returncode == 1 and "MISSED" in done.stdout


def test_elsewhere_it_is_compared_within_the_tolerance(carried, searched):
    changed(carried / "bowl.py", '"python": "', '"python": "other ')
    done = run_script(carried / "bowl.py")
    assert (
        done.returncode == 0 and "As recorded: expected within 1e-06, as these differ: python" in done.stdout
    )
    changed(carried / "bowl.py", f'"score": {searched.best().score!r}', '"score": -1.0')
    assert run_script(carried / "bowl.py").returncode == 1


def test_another_seed_or_setting_is_tried_from_the_command_line(carried):
    done = run_script(carried / "bowl.py", "--epochs", "2", "--x", "0.5")
    assert "epochs=2" in done.stdout and "epoch   3" not in done.stdout
    assert done.returncode == 1 and "as these differ: config" in done.stdout
    assert run_script(carried / "bowl.py", "--x", "five").returncode == 2


NOTEBOOK = """
import sys
sys.argv = ["ipykernel_launcher.py", "-f", "kernel-0123.json"]
with open("bowl.py") as file:
    text = file.read()
names = {"__name__": "__main__"}
exec(text, names)
print("and the next cell")
"""


@pytest.mark.integration
def test_a_script_pasted_into_a_notebook_trains_with_its_defaults_and_goes_on(carried):
    done = subprocess.run([sys.executable, "-I", "-c", NOTEBOOK], cwd=carried, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert "As recorded: expected equal to the last bit" in done.stdout
    assert done.stdout.splitlines()[-1] == "and the next cell"


def test_a_script_pasted_into_a_notebook_finds_the_data_in_the_cache_below(carried):
    (carried / "data" / "cache").mkdir(parents=True)
    (carried / "sine-builtin.npz").rename(carried / "data" / "cache" / "sine-builtin.npz")
    (carried / "notebook.py").write_text(NOTEBOOK)
    done = run_script(carried / "notebook.py")
    assert done.returncode == 0 and "As recorded" in done.stdout


def test_other_data_is_said(carried, searched):
    changed(carried / "bowl.py", f'"digest": "{searched.description.digest}"', '"digest": "0123456789ab"')
    done = run_script(carried / "bowl.py")
    assert done.returncode == 0 and "as these differ: data" in done.stdout


@pytest.mark.parametrize(
    "content, said",
    [(None, "no sine-builtin.npz here"), (b"PK nonsense", "cannot read"), (b"", "cannot read")],
)
def test_missing_or_damaged_data_is_one_line(carried, content, said):
    data = carried / "sine-builtin.npz"
    data.unlink()
    if content is not None:
        data.write_bytes(content)
    done = run_script(carried / "bowl.py")
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_it_imports_nothing_but_the_standard_library_numpy_and_torch(carried):
    tree = ast.parse((carried / "bowl.py").read_text())
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert {module.partition(".")[0] for module in modules} <= {"numpy", "torch"} | set(
        sys.stdlib_module_names
    )


def test_definitions_stand_as_in_the_sources(carried, bowl):
    import inspect

    from models import langid
    from objectives import replay

    text = (carried / "bowl.py").read_text()
    for part in (bowl.train, bowl.score, bowl.DATA.load, replay.replay, replay.verdict):
        assert inspect.getsource(part) in text
    assert "def space" not in text and "def prepare" not in text
    assert inspect.getsource(langid.LanguageIDModel) not in text


def test_winning_values_are_the_defaults_each_with_its_range(carried, searched):
    namespace = {"__name__": "frozen"}
    text = (carried / "bowl.py").read_text()
    exec(compile(text, "bowl.py", "exec"), namespace)  # ours, made a moment ago
    assert vars(namespace["Config"]()) == searched.best().config
    config = searched.best().config
    assert f"    x: float = {config['x']!r}  # to the right; searched 0.0 to 1.0\n" in text
    assert f"    y: int = {config['y']}  # to the back; searched 0 to 100\n" in text
    assert "    epochs: int = 5  # measurements, each nearer to the truth\n" in text


def test_the_head_says_where_it_comes_from(carried, searched):
    head = ast.get_docstring(ast.parse((carried / "bowl.py").read_text()))
    best = searched.best()
    for what in (
        f"study searched, trial {best.number}, run run-1",
        searched.description.digest,
        f"{best.score:.5g}",
    ):
        assert what in head
    assert best.provenance["commit"] in head


@pytest.mark.parametrize("run_id", ["a\nb", "a\rb", "\0", "\ud800", "\u2028", '"""', "\\"])
def test_a_head_that_is_no_plain_text_is_refused(searched, run_id):
    with pytest.raises(TrialbookError, match="the head of a frozen script"):
        freezing.freeze(searched, winner.choose(searched), run_id)


def test_a_range_stays_in_its_comment_whatever_its_choices(searched):
    plain = freezing.freeze(searched, winner.choose(searched), "run")
    choices = ["a\nimport os", "\r", "\x0c", "\u2028", "\ud800", "é"]
    ranges = {"name": "CategoricalDistribution", "attributes": {"choices": choices}}
    space = searched.description.space | {"y": json.dumps(ranges)}
    searched.description = replace(searched.description, space=space)
    text = freezing.freeze(searched, winner.choose(searched), "run")
    assert "; searched one of a\\nimport os, \\r, \\x0c, \\u2028, \\ud800, é" in text
    assert ast.dump(ast.parse(text.encode())) == ast.dump(ast.parse(plain))


def test_a_comment_stands_behind_a_default_of_letters_with_accents():
    from objectives import texts

    with open_study(here(), texts, "accents") as study:
        study.tell(Strategy(study).ask().number, "completed", "told so", (0.5, 0.1))
        text = freezing.freeze(study, winner.choose(study), "run")
    assert "    accent: str = 'éé # \\u2028'  # on it\n" in text


@pytest.mark.parametrize(
    "garbage", ["", "(", "\0", "RECORD = 3", "RECORD = {}", "RECORD = {'study': 'searched'}"]
)
def test_a_script_that_cannot_be_read_is_not_flagged(searched, garbage):
    path = files.write(paths.frozen("bowl"), garbage)
    searched.void("void", [0], "the data was wrong")
    assert freezing.flag(searched) is None and path.read_text() == garbage


@pytest.mark.parametrize("name", sorted(set(objectives.names()) - {"bowl", "moody", "texts"}))
def test_scripts_of_the_real_tasks_are_short_enough_to_read(name):
    task = tasks.find(name)
    with open_study(here(), task, "short", source="builtin") as study:
        study.tell(Strategy(study).ask().number, "completed", "told so", (0.5, 0.1))
        text = freezing.freeze(study, winner.choose(study), "run")
    lines = text.splitlines()
    assert 100 <= len(lines) <= 400
    assert max(map(len, lines)) <= 110
    compile(text, name, "exec")


@pytest.mark.integration
def test_regression_for_real(tmp_path):
    """A real network, trained in a search, and again in another process from the script alone."""
    from objectives import regression

    with open_study(here(), regression, "real") as study:
        search(study, Inline(study), trials=1)
        files.write(tmp_path / "regression.py", freezing.freeze(study, winner.choose(study), "run"))
        done = run_script(tmp_path / "regression.py", "--data-file", str(study.data_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal to the last bit" in done.stdout


@pytest.mark.integration
def test_a_script_that_misses_its_score_is_not_written(searched, tmp_path, monkeypatch):
    monkeypatch.setattr(searched.task, "TOLERANCE", 0)
    candidate = winner.choose(searched)
    other = replace(candidate, trial=replace(candidate.trial, score=candidate.trial.score - 1e-9))
    with pytest.raises(TrialbookError, match="does not reach its score, and was not written: .*MISSED"):
        freezing.export(searched, other, "run", tmp_path / "away")
    assert not (tmp_path / "away").exists()
    assert freezing.export(searched, candidate, "run", tmp_path / "away").exists()


@pytest.mark.integration
def test_flag_of_a_void_trial_marks_its_script_until_the_trial_is_restored(searched):
    path = freezing.export(searched, winner.choose(searched), "run")
    plain = path.read_text()
    assert freezing.flag(searched) is None and path.read_text() == plain
    number = files.record(path)["trial"]
    searched.void("void", [number], "the data was wrong")
    assert freezing.flag(searched) == freezing.flag(searched) == path
    first, rest = path.read_text().split("\n", 1)
    assert first.startswith("# VOID, do not use: void: the data was wrong (") and rest == plain
    path.write_text(first.replace("VOID", "CROSSED OUT") + "\n" + plain)  # as an earlier version wrote it
    assert freezing.flag(searched) == path and path.read_text() == f"{first}\n{plain}"
    searched.void("restore", [number], "it was right")
    assert freezing.flag(searched) is None and path.read_text() == plain


def test_the_head_says_what_the_score_is_worth(searched):
    candidate = winner.choose(searched)
    assert "That was one seed, the best of several" in freezing.freeze(searched, candidate, "run")
    known = Estimate(mean=-0.5, deviation=0.125, seed_deviation=0.2, n_seeds=3)
    confirmed = replace(candidate, scores=(0.25, 0.75), known=known, scale=Scale(-1, False))
    text = freezing.freeze(searched, confirmed, "run")
    worse = 0.5 - candidate.trial.score + 2 * 0.2  # the luck, and two standard deviations
    assert f'"tolerance": {worse!r}' in text
    assert "Confirmed on 2 fresh seeds: its score is estimated as 0.5 (standard error 0.12)." in text


def test_a_script_of_a_task_that_changes_its_data_saw_the_data_before(edited_bowl, tmp_path):
    change = (
        "    point = build(config)\n    for",
        "    training.x_N1.div_(2)\n    point = build(config)\n    for",
    )
    with open_study(here(), edited_bowl(change), "changed") as study:
        search(study, Inline(study), trials=1)
        text = freezing.freeze(study, winner.choose(study), "run")
        digest = study.description.digest
        files.write(tmp_path / "edited.py", text)
        done = run_script(tmp_path / "edited.py", "--data-file", str(study.data_path))
    assert f'"digest": "{digest}"' in text
    assert done.returncode == 0 and "equal to the last bit" in done.stdout


@pytest.mark.integration
def test_an_export_after_the_task_was_edited_says_that_the_code_changed(edited_bowl, capsys):
    with open_study(here(), edited_bowl(), "edited-builtin") as study:
        search(study, Inline(study), trials=2)
        number = winner.choose(study).trial.number
    edited_bowl(("1 / epoch\n", "2 / epoch\n"))
    for verb in ("export", "handin"):
        assert main([verb, "--task", "edited"]) == 4
        said = capsys.readouterr().err
        assert f"the code of task 'edited' changed since trial {number} of study 'edited-builtin'" in said
        assert "make search TASK=edited STUDY=edited-builtin OLD=supersede" in said and said.count("\n") == 1
    assert not paths.frozen("edited").exists()
    edited_bowl(("def space(trial):", "def space(trial):  # all of it"))
    assert main(["export", "--task", "edited"]) == 0
