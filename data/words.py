"""Words of five languages, spelt in the course's 47 letters, at most 10 of them.

builtin   The most frequent words of wordfreq's lists (a package: nothing is downloaded), for each
          language 3,500 to train on as in the course, 1,000 to validate and 1,000 to test. A word
          of several languages belongs to the one in which it is at least ten times as frequent as
          in each other, and is left out where there is none.
course    The course's `lang_id.npz`. Its 500 validation words are too few to choose by (standard
          error 1.3 points), so 500 training words a language are held out and join them.

Both have the course's format: for "train", "dev" and "test" an array x of letters (words, 10),
padded with -1, and an array y of languages (words,).
"""

import hashlib
from typing import NamedTuple

import numpy as np
import torch

from data import CACHE, DataError, check_integers, course_file, write

SOURCES = ("builtin", "course")
LETTERS = "abcdefghijklmnopqrstuvwxyzáäèéêëíïñóöúüąćęłńśźż"
LANGUAGES = {"en": "English", "es": "Spanish", "fi": "Finnish", "nl": "Dutch", "pl": "Polish"}
LONGEST = 10
SIZES = {"test": 1000, "dev": 1000, "train": 3500}  # builtin words a language
ENOUGH = 3000  # words to choose by: at 90% a standard error of 0.55 points


class Words(NamedTuple):
    """Labelled words, shortest first."""

    x_NL: torch.Tensor  # (words, 10) int64: each letter's index, -1 after the last
    y_N: torch.Tensor  # (words,) int64: the language's index


def load(arrays, split):
    """Words of "train", "validation" (topped up from those to train) or "test". Raises DataError."""
    try:
        (x, y), dev, test = ((arrays[f"{s}_x"], arrays[f"{s}_y"]) for s in ("train", "dev", "test"))
    except KeyError as missing:
        raise DataError(f"this is no file of words: it has no array {missing}") from None
    held_out = np.zeros(len(y), dtype=bool)
    if len(dev[1]) < ENOUGH:
        held_out[np.linspace(0, len(y), ENOUGH - len(dev[1]), endpoint=False, dtype=int)] = True
    if split == "train":
        x, y = x[~held_out], y[~held_out]
    elif split == "validation":
        x, y = np.concatenate([dev[0], x[held_out]]), np.concatenate([dev[1], y[held_out]])
    else:
        x, y = test
    order = np.argsort((x >= 0).sum(1), kind="stable")
    return Words(torch.from_numpy(x[order]).long(), torch.from_numpy(y[order]).long())


def check_arrays(arrays):
    """Raise DataError where words are not spelt in letters with padding behind, or have no language."""
    for split in SIZES:
        x_NL, y_N = arrays[f"{split}_x"], arrays[f"{split}_y"]
        if x_NL.shape != (y_N.size, LONGEST) or y_N.ndim != 1 or not y_N.size:
            shapes = f"{split}_x {x_NL.shape} and {split}_y {y_N.shape}"
            raise DataError(f"{shapes} are not (words, {LONGEST}) and (words,), one or more")
        check_integers(f"{split}_x", x_NL, -1, len(LETTERS) - 1)
        check_integers(f"{split}_y", y_N, 0, len(LANGUAGES) - 1)
        is_letter_NL = x_NL >= 0
        gaps_N = ~is_letter_NL[:, 0] | (is_letter_NL[:, 1:] & ~is_letter_NL[:, :-1]).any(1)
        if gaps_N.any():
            word = gaps_N.argmax()
            raise DataError(
                f"{split}_x has padding (-1) before a letter in word {word}: valid is only behind"
            )
    train, dev = len(arrays["train_y"]), len(arrays["dev_y"])
    if train < 2 * (ENOUGH - dev):
        few = f"train_x has {train} words and dev_x {dev}"
        raise DataError(f"{few}: too few to hold out words to validate, until those are {ENOUGH}")


def default_source():
    """The course's words where its file is there, else the built-in ones."""
    return "course" if course_file("lang_id.npz").exists() else "builtin"


def prepare(source):
    """The file of a source; the built-in one is made when it is first asked for (3 s)."""
    if source == "course":
        path = course_file("lang_id.npz")
        if not path.exists():
            raise DataError(f"DATA=course needs the course's file {path}: name its folder with DATA_DIR=")
        return path
    path = CACHE / "words-builtin.npz"
    if not path.exists():
        write(path, _builtin())
    return path


def _builtin():
    """The arrays of the built-in words."""
    import wordfreq

    frequencies = {code: wordfreq.get_frequency_dict(code, "best") for code in LANGUAGES}
    words = {split: [] for split in SIZES}
    for label, code in enumerate(LANGUAGES):
        rest = _shuffled(_own_words(code, frequencies)[: sum(SIZES.values())])
        for split, size in SIZES.items():
            words[split] += [(word, label) for word in rest[:size]]
            rest = rest[size:]
    arrays = {}
    for split, labelled in words.items():
        arrays[f"{split}_x"] = np.array([_encode(word) for word, _ in labelled], dtype=np.int64)
        arrays[f"{split}_y"] = np.array([label for _, label in labelled], dtype=np.int64)
    return arrays


def _own_words(code, frequencies):
    """A language's words, most frequent first, without those that others use about as often."""
    others = [table for other, table in frequencies.items() if other != code]
    return [
        word
        for word, frequency in frequencies[code].items()
        if len(word) <= LONGEST
        and set(word) <= set(LETTERS)
        and all(frequency >= 10 * table.get(word, 0) for table in others)
    ]


def _shuffled(words):
    """The words in an order that depends on nothing but themselves."""
    return sorted(words, key=lambda word: hashlib.sha256(word.encode()).digest())


def _encode(word):
    letters = [LETTERS.index(letter) for letter in word]
    return letters + [-1] * (LONGEST - len(letters))
