"""Words: built in, and the course's where its folder is."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

import data
from data import words

COURSE = os.environ.get("DATA_DIR")  # as the tests were called; each test sees another


@pytest.fixture(scope="module")
def builtin():
    return data.read(words.prepare("builtin"))


def spelt(split):
    return ["".join(words.LETTERS[i] for i in row if i >= 0) for row in split.x_NL.tolist()]


def test_sizes_per_language(builtin):
    words.check_arrays(builtin)
    for split, size in (("train", 3500), ("validation", 1000), ("test", 1000)):
        assert torch.bincount(words.load(builtin, split).y_N).tolist() == [size] * 5


def test_no_word_is_in_two_splits_or_two_languages(builtin):
    everything = [
        word for split in ("train", "validation", "test") for word in spelt(words.load(builtin, split))
    ]
    assert len(everything) == len(set(everything)) == 27_500


def test_words_are_of_the_language(builtin):
    split = words.load(builtin, "train")
    of = {word: list(words.LANGUAGES)[label] for word, label in zip(spelt(split), split.y_N.tolist())}
    known = {"house": "en", "número": "es", "hyvää": "fi", "goed": "nl", "wszystko": "pl"}
    assert {word: of[word] for word in known if word in of}.items() <= known.items()
    assert len(known.keys() & of.keys()) >= 2


def test_words_are_the_same_everywhere(builtin):
    assert data.digest(builtin) == "ff316840884e"


@pytest.mark.integration
@pytest.mark.thorough
def test_words_are_built_once_and_reproducibly(builtin, tmp_path, monkeypatch):
    monkeypatch.setattr(words, "CACHE", tmp_path)
    first = words.prepare("builtin")
    built = first.stat().st_mtime_ns
    assert words.prepare("builtin").stat().st_mtime_ns == built
    assert data.digest(data.read(first)) == data.digest(builtin)


def test_split_is_sorted_by_length_and_padded_at_the_end(builtin):
    x_NL = words.load(builtin, "validation").x_NL
    lengths = (x_NL >= 0).sum(1)
    assert (lengths.diff() >= 0).all() and lengths.min() >= 1
    assert ((x_NL >= 0) == (torch.arange(10) < lengths[:, None])).all()


def small_file(train, dev):
    x = np.arange(train + dev + 5)[:, None] % 47 * np.ones((1, 10), dtype=np.int64)
    y = np.arange(train + dev + 5) % 5
    ends = {"train": slice(0, train), "dev": slice(train, train + dev), "test": slice(train + dev, None)}
    return {f"{s}_x": x[rows] for s, rows in ends.items()} | {f"{s}_y": y[rows] for s, rows in ends.items()}


def test_training_words_are_held_out_where_validation_words_are_few():
    arrays = small_file(train=17_500, dev=500)
    train, validation = words.load(arrays, "train"), words.load(arrays, "validation")
    assert (len(train.y_N), len(validation.y_N)) == (15_000, 3_000)
    assert torch.bincount(validation.y_N).min() >= 590


def test_nothing_is_held_out_where_there_are_enough():
    arrays = small_file(train=100, dev=3000)
    assert len(words.load(arrays, "train").y_N) == 100


def test_other_files_are_refused():
    with pytest.raises(data.DataError, match="no array 'train_x'"):
        words.load({"images": np.ones(3)}, "train")


SPLITS = ("train", "dev", "test")


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    "axis, change, said",
    [
        ("x", lambda x: x[:, :9], r"_x \(\d+, 9\) and .* are not \(words, 10\) and \(words,\)"),
        ("x", lambda x: x[1:], r"_x \(\d+, 10\) and .*, one or more"),
        ("x", lambda x: x.astype(np.float32), "_x is of type float32: valid are whole numbers from -1 to 46"),
        ("x", lambda x: x + 1, "_x has numbers from 1 to 47: valid are whole numbers from -1 to 46"),
        (
            "x",
            lambda x: np.where(np.arange(10) == 4, -1, x),
            "_x has padding .* in word 0: valid is only behind",
        ),
        ("x", lambda x: np.full_like(x, -1), "_x has padding .* in word 0"),
        ("y", lambda y: y + 1, "_y has numbers from 1 to 5: valid are whole numbers from 0 to 4"),
        ("y", lambda y: np.eye(5)[y], r"_y \(\d+, 5\) are not"),
        ("y", lambda y: y / 1, "_y is of type float64: valid are whole numbers from 0 to 4"),
    ],
)
def test_arrays_of_another_form_are_refused(split, axis, change, said):
    arrays = small_file(train=100, dev=3000)
    arrays["test_x"], arrays["test_y"] = arrays["dev_x"][:100], arrays["dev_y"][:100]
    arrays[f"{split}_{axis}"] = change(arrays[f"{split}_{axis}"])
    with pytest.raises(data.DataError, match=said) as error:
        words.check_arrays(arrays)
    assert str(error.value).startswith(f"{split}_")


def test_empty_split_is_refused():
    for split in SPLITS:
        empty = {f"{split}_x": np.zeros((0, 10), int), f"{split}_y": np.zeros(0, int)}
        with pytest.raises(data.DataError, match=rf"{split}_x \(0, 10\) .* one or more"):
            words.check_arrays(small_file(train=100, dev=3000) | empty)


def test_too_few_words_to_hold_some_out_are_refused():
    with pytest.raises(data.DataError, match="train_x has 100 words and dev_x 500: too few to hold out"):
        words.check_arrays(small_file(train=100, dev=500))


def test_without_the_course_file_the_builtin_words_are_the_default():
    assert words.default_source() == "builtin"
    with pytest.raises(data.DataError, match=r"lang_id\.npz.*DATA_DIR"):
        words.prepare("course")


@pytest.mark.skipif(not COURSE, reason="DATA_DIR does not name the course's data")
def test_course_words(monkeypatch):
    data.use_course_folder(COURSE)
    assert words.default_source() == "course"
    arrays = data.read(words.prepare("course"))
    assert words.prepare("course").parent == Path(COURSE)
    words.check_arrays(arrays)
    sizes = [len(words.load(arrays, split).y_N) for split in ("train", "validation", "test")]
    assert sizes == [15_000, 3_000, 500]
    assert "".join(arrays["chars"]) == words.LETTERS
