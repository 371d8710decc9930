"""The bundle for the course's grader, tried by a double of it."""

import ast
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import data
from data import words
from search import paths
from search.cli.app import main
from search.course.bundle import write
from search.errors import NoWinner

IMPORTS = {
    "models.py": "Parameter Linear Module tensor tensordot ones matmul zeros tril stack relu softmax movedim",
    "losses.py": "mse_loss cross_entropy",
    "train.py": "no_grad DataLoader optim tensor movedim",
}
SETTINGS = {"hidden_size": 64, "layers": 1, "learning_rate": 0.005, "batch_size": 20, "epochs": 10}
FROZEN = {
    "regression": SETTINGS | {"layers": 2, "epochs": 200},
    "digits": SETTINGS,
    "langid": SETTINGS | {"hidden_size": 111},
    "convolution": SETTINGS,
    "chargpt": SETTINGS | {"n_embd": 16, "n_layer": 1, "block_size": 8, "learning_rate": 0.01},
}


@pytest.fixture
def bundle(home, tmp_path):
    """A bundle of winners that are small enough to be trained in a test."""
    for task, values in FROZEN.items():
        paths.frozen(task).parent.mkdir(parents=True, exist_ok=True)
        fields = "\n".join(f"    {name}: float = {value!r}  # searched" for name, value in values.items())
        paths.frozen(task).write_text(
            f"class Config:\n{fields}\n\n\nraise SystemExit('this is read, not run')\n"
        )
    write(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_every_file_of_the_course_is_there_and_compiles(bundle):
    names = {"models.py", "losses.py", "train.py", "gpt_model.py", "train_gpt.py"}
    assert {path.name for path in bundle.iterdir()} == names
    for path in bundle.iterdir():
        compile(path.read_text(), path.name, "exec")


def test_the_winners_are_in_place(bundle):
    assert 'LANGID = {"hidden_size": 111, "layers": 1}' in (bundle / "models.py").read_text()
    assert (
        'LANGID = {"learning_rate": 0.005, "batch_size": 20, "epochs": 10}'
        in (bundle / "train.py").read_text()
    )
    assert '"n_embd": 16' in (bundle / "train_gpt.py").read_text()


@pytest.mark.parametrize("name", IMPORTS)
def test_only_what_the_course_hands_out_is_imported(bundle, name):
    for node in ast.walk(ast.parse((bundle / name).read_text())):
        assert not isinstance(node, ast.Import)
        if isinstance(node, ast.ImportFrom) and node.module != "losses":
            assert node.module.partition(".")[0] == "torch"
            assert {alias.name for alias in node.names} <= set(IMPORTS[name].split())


def test_without_a_winner_nothing_is_written(tmp_path, capsys):
    with pytest.raises(NoWinner, match="no frozen winner of chargpt|no frozen winner of"):
        write(tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
    assert main(["bundle", "--out", str(tmp_path / "bundle")]) == 5
    assert main(["bundle"]) == 2


@pytest.mark.thorough
def test_a_double_of_the_grader_gives_full_marks(bundle, tmp_path):
    arrays = data.read(words.prepare("builtin"))
    arrays = {name: array[::4] for name, array in arrays.items()}
    np.savez(tmp_path / "words.npz", **arrays)
    images, labels = easy_images()
    train, test = slice(0, 400), slice(400, 500)
    np.savez(
        tmp_path / "images.npz",
        train_images=images[train],
        train_labels=labels[train],
        test_images=images[test],
        test_labels=labels[test],
    )
    shutil.copyfile(paths.ROOT / "tests" / "toys" / "course_grader.py", bundle / "course_grader.py")
    command = [sys.executable, "course_grader.py", str(tmp_path / "words.npz"), str(tmp_path / "images.npz")]
    done = subprocess.run(command, cwd=bundle, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    graded = {name: value for name, (value, seconds) in json.loads(done.stdout).items()}
    assert graded["perceptron"] == 1
    assert graded["regression"] < 1e-3
    assert graded["digits"] > 0.97
    assert graded["language"] > 0.7  # of a quarter of the words, by a small network
    assert graded["convolution"] > 0.95
    assert graded["exact"] < 1e-6


def easy_images():
    """500 images of ten kinds, a bright square in one of ten places, and noise."""
    random = np.random.RandomState(0)
    labels = np.arange(500) % 10
    images = random.rand(500, 28, 28).astype(np.float32) / 2
    for image, label in zip(images, labels):
        row, column = divmod(label, 5)
        image[row * 14 + 4 : row * 14 + 9, column * 5 + 1 : column * 5 + 5] += 0.5
    return images.reshape(500, 784), labels.astype(np.uint8)


@pytest.mark.thorough
def test_the_gpt_trains_and_writes(bundle, tmp_path):
    (bundle / "train_gpt.py").write_text(
        (bundle / "train_gpt.py").read_text().replace("STEPS = 5000", "STEPS = 200")
    )
    (tmp_path / "input.txt").write_text("to be or not to be, that is the question; " * 50)
    done = subprocess.run(
        [sys.executable, "train_gpt.py", str(tmp_path / "input.txt"), "to be"],
        cwd=bundle,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    *losses, written = [line for line in done.stdout.splitlines() if line]
    assert float(losses[-1].split()[2]) < 1.5 and written.startswith("to be")


def test_a_frozen_script_that_cannot_be_read_is_no_winner(tmp_path):
    path = paths.frozen("regression")
    path.parent.mkdir(parents=True)
    path.write_text("(")
    with pytest.raises(NoWinner, match="regression.py is no frozen script: SyntaxError"):
        write(tmp_path / "bundle")
