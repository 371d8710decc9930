"""Grading: what is asked, how winners that are broken fail, and what is shown."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from rich.console import Console

import data
import objectives
from data import DataError, words
from search import paths
from search.cli.app import main
from search.course import grade
from search.course.grade import QUESTIONS

COURSE = os.environ.get("DATA_DIR", "")  # as the tests were called; each test sees another
QUICK = {  # trained in a second or two
    "perceptron": {"epochs": 5},
    "regression": {"hidden_size": 100, "layers": 2, "learning_rate": 0.003, "batch_size": 20, "epochs": 80},
    "digits": {"hidden_size": 100, "layers": 1, "learning_rate": 0.005, "batch_size": 20, "epochs": 4},
    "langid": {"hidden_size": 100, "layers": 1, "learning_rate": 0.005, "batch_size": 100, "epochs": 1},
    "convolution": {"hidden_size": 100, "layers": 1, "learning_rate": 0.003, "batch_size": 20, "epochs": 8},
    "attention": {"n_embd": 16, "block_size": 16, "batch_size": 64, "epochs": 1},
    "chargpt": {"n_embd": 16, "n_layer": 1, "block_size": 16, "batch_size": 64, "epochs": 1},
}


@pytest.fixture
def frozen(home):
    """Puts a winner into the test's home: a committed one, with quick settings and texts replaced."""

    def put(task, *replaced, **settings):
        text = (paths.ROOT / "models" / "frozen" / f"{task}.py").read_text()
        for name, value in (QUICK[task] | settings).items():
            text, found = re.subn(rf"^(    {name}: \w+ =) .*", rf"\1 {value}", text, flags=re.MULTILINE)
            assert found == 1, name
        for old, new in replaced:
            assert old in text, old
            text = text.replace(old, new)
        path = paths.frozen(task)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return put


def graded(name, window=None):
    """What a question's winner is worth, trained once on the built-in data."""
    (loaded,) = grade.prepare([name], "builtin")
    config = loaded.script.Config()
    progress = grade.Progress(loaded, config, Console(quiet=True).status(""), window)
    return grade.train(loaded, config, progress)


def failed(result):
    return [sentence for sentence, holds in result.checks.items() if not holds]


def test_the_questions_are_the_courses():
    assert [question.points for question in QUESTIONS.values()] == [6, 6, 6, 7, 4, 2, 0]
    assert {question.task for question in QUESTIONS.values()} <= set(objectives.names())


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.integration
def test_a_sound_winner_holds_every_check(name, frozen):
    frozen(QUESTIONS[name].task)
    result = graded(name)
    # It is not trained enough for the thresholds.
    asked = [sentence for sentence in failed(result) if not re.search("accuracy|mse", sentence)]
    assert asked == []
    assert result.scores.keys() == QUESTIONS[name].thresholds.keys() and result.seconds > 0


BROKEN = [
    ("q1", ("LIMIT = 1000", "LIMIT = 1"), "100% of the training points"),
    ("q1", (".item() >= 0", ".item() > 0"), "+1 where the dot product"),
    ("q1", ("return self.weight\n", "return self.weight.T\n"), "the weight is a Parameter"),
    ("q2", ("return self.layers(x_B1)", "return self.layers(x_B1).repeat(1, 2)"), "the output has shape"),
    (
        "q3",
        ("nn.Linear(hidden_size, 10))", "nn.Linear(hidden_size, 10), nn.ReLU())"),
        "no ReLU after the last",
    ),
    ("q4", ("states_BH[-1], self.hidden", "states_BH[0], self.hidden"), "z_0 = x_0 W_x"),
    (
        "q4",
        ("add_product(z_BH, states_BH[-1],", "add_product(z_BH, 0 * states_BH[-1],"),
        "the first of ten letters matters",
    ),
    ("q5", ("tensordot(weight, ", "tensordot(weight.flip(0, 1), "), "Convolve is torch's conv2d"),
    ("q5", ("long - short + 1", "long - short"), "runs without an error"),
    ("q6", ("scores_BTT.masked_fill(later_TT, -math.inf)", "scores_BTT"), "later places change no earlier"),
    ("q6", (" / math.sqrt(k_BTC.shape[-1])", ""), "it is torch's scaled dot-product attention"),
    ("q6", ('"mask", torch.ones(1, 1,', '"mask", torch.ones(1, 2,'), "the mask is a buffer of shape"),
]


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name, replaced, sentence", BROKEN, ids=[f"{b[0]}-{b[2]}" for b in BROKEN])
def test_a_broken_winner_fails(name, replaced, sentence, frozen):
    frozen(QUESTIONS[name].task, replaced)
    assert [each for each in failed(graded(name)) if each.startswith(sentence)]


@pytest.mark.parametrize("name, settings", [("q2", {"batch_size": 30}), ("q3", {"batch_size": 70})])
def test_the_batch_size_must_divide(name, settings, frozen):
    frozen(QUESTIONS[name].task, **settings)
    assert [each for each in failed(graded(name)) if each.startswith("the batch size")]


def test_grade_a_score_below_its_threshold_fails_a_check(frozen):
    frozen("regression", epochs=1)
    assert {"train mse 0.02 or less", "test mse 0.02 or less"} == set(failed(graded("q2")))
    frozen("convolution", epochs=1, learning_rate=1e-6)
    assert failed(graded("q5")) == ["train accuracy 0.8 or more"]


def test_all_points_are_0_and_fewer_are_1(frozen, capsys):
    frozen("perceptron")
    command = ["grade", "-q", "q1", "--no-graphics", "--data", "builtin"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "q1 perceptron: training on data builtin" in out and "6 of 6 points" in out
    assert "yes trained in 30 s or less" in out and "not to choose by it" in out
    frozen("perceptron", ("LIMIT = 1000", "LIMIT = 1"))
    assert main(command) == 1
    out = capsys.readouterr().out
    assert "no  100% of the training points" in out and "0 of 6 points" in out


def test_seeds_show_what_chance_does(frozen, capsys):
    frozen("perceptron")
    assert main(["grade", "-q", "q1", "--no-graphics", "--seeds", "3"]) == 0
    out = capsys.readouterr().out
    assert all(f"seed {seed}\n" in out for seed in (1, 2, 3)) and "seed 4" not in out
    assert "deviation of 3 seeds" in out and "3/3" in out and "6/6" in out


def test_one_seed_that_fails_costs_the_points(frozen, capsys):
    unlucky = "assert config.seed != 2, 'out of luck'\n    model, learnt"
    frozen("perceptron", ("model, learnt", unlucky))
    assert main(["grade", "-q", "q1", "--no-graphics", "--seeds", "3"]) == 1
    out = capsys.readouterr().out
    assert "no  runs without an error (AssertionError: out of luck)" in out
    assert "no  trained in 30 s or less (2 of 3 seeds)" in out
    assert "2/3" in out and "0 of 6 points" in out


def test_data_are_taken_where_they_are_and_others_are_marked(frozen, capsys):
    frozen("perceptron", ('"digest": "', '"digest": "not '))
    frozen("attention")
    assert main(["grade", "-q", "q1", "--no-graphics", "--data", "builtin"]) == 0
    out = capsys.readouterr().out
    assert "builtin*" in out and "* not the data that the winner was found on" in out
    with pytest.raises(DataError, match="needs the course's file"):
        grade.prepare(["q1", "q6"], "course")
    frozen("regression")
    assert [loaded.source for loaded in grade.prepare(["q1", "q2"])] == ["builtin", "builtin"]


def test_a_source_that_only_some_tasks_have_is_used_where_it_is(frozen, monkeypatch, tmp_path):
    data.use_course_folder(tmp_path)
    shutil.copyfile(words.prepare("builtin"), tmp_path / "lang_id.npz")
    frozen("perceptron")
    frozen("langid")
    assert [loaded.source for loaded in grade.prepare(["q1", "q4"], "course")] == ["builtin", "course"]


def test_a_script_is_loaded_for_itself(frozen):
    path, before = frozen("perceptron"), set(sys.modules)
    script = grade.load(path)
    assert set(sys.modules) == before
    assert script.Config().epochs == 5 and script is not grade.load(path)


def test_without_a_winner_it_says_how_to_make_one(frozen, capsys):
    assert main(["grade", "-q", "q1"]) == 5
    assert "make search export TASK=perceptron" in capsys.readouterr().err
    frozen("perceptron").write_text("1 / 0")
    assert main(["grade", "-q", "q1"]) == 5
    assert "perceptron.py is no frozen script: ZeroDivisionError" in capsys.readouterr().err


def test_the_text_that_a_network_writes_is_shown(frozen, capsys):
    frozen("chargpt")
    assert main(["grade", "-q", "q7", "--no-graphics", "--data", "builtin"]) == 0
    out = capsys.readouterr().out
    assert "what it writes: Pacman" in out and "0 of 0 points" in out


@pytest.mark.integration
def test_without_graphics_matplotlib_stays_away(frozen):
    frozen("perceptron")
    code = (
        "import sys; from search.cli.app import main;"
        "code = main(['grade', '-qq1', '--NO_GRAPHICS=1']);"
        "sys.exit(code or 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", QUESTIONS)
def test_a_committed_winner_gets_its_points(name, home, monkeypatch, capsys):
    home.mkdir()
    (home / "models").symlink_to(paths.ROOT / "models")
    monkeypatch.setenv("DATA_DIR", COURSE)
    data.use_course_folder(COURSE)
    (loaded,) = grade.prepare([name])
    if loaded.digest != loaded.script.RECORD["digest"]:
        (loaded,) = grade.prepare([name], "builtin")
    if loaded.digest != loaded.script.RECORD["digest"]:
        pytest.skip(f"the data that {loaded.title} was found on are not here")
    assert main(["grade", "-q", name, "--data", loaded.source]) == 0
    out = capsys.readouterr().out
    assert f"{loaded.question.points} of {loaded.question.points} points" in out
    assert (paths.pictures() / f"{name}.png").exists() == (name in ("q1", "q2", "q3", "q4", "q5"))
