"""Texts: built in, downloaded from a mirror of the test's own, and the course's where its folder is."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from werkzeug import Response

import data
from data import text

COURSE = os.environ.get("DATA_DIR")  # as the tests were called; each test sees another
PLAY = b"First Citizen:\nBefore we proceed any further, hear me speak.\n\n" * 2500


@pytest.fixture(scope="module")
def builtin():
    return data.read(text.prepare("builtin"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setattr(text, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def mirrors(cache, httpserver, monkeypatch):
    """Calling it makes one mirror for each answer: status, length that it announces, what it sends."""

    def serve(*answers):
        httpserver.clear()
        paths = [f"/{number}/input.txt" for number in range(len(answers))]
        for path, (status, length, content) in zip(paths, answers):
            response = Response([content], status, {"Content-Length": str(length)})
            httpserver.expect_request(path).respond_with_response(response)
        urls = list(map(httpserver.url_for, paths))
        monkeypatch.setattr(text, "MIRRORS", urls)
        return urls

    monkeypatch.setattr(text, "SHA256", hashlib.sha256(PLAY).hexdigest())
    monkeypatch.setenv("NO_PROXY", httpserver.host)
    return serve


GOOD = 200, len(PLAY), PLAY
TRUNCATED = 200, len(PLAY), PLAY[:1000]
SHORT = 200, 1000, PLAY[:1000]
WRONG = 200, 14, b"<html>Log in!\n"
NONE = 404, 0, b""


def test_codes_are_of_newline_and_printable_ascii():
    symbols = "\n" + "".join(map(chr, range(32, 127)))
    assert text.encode(symbols.encode()).tolist() == list(range(96))
    assert text.decode(torch.arange(96)) == symbols


def test_other_characters_are_left_out():
    codes = text.encode("Säy\r\n\t“so” \x7f\0!".encode())
    assert codes.dtype == torch.int64
    assert text.decode(codes) == "Sy\nso !"


def test_splits_are_the_text_in_order(builtin):
    train, validation, test = (text.load(builtin, split) for split in ("train", "validation", "test"))
    text.check_arrays(builtin)
    whole = text.encode(builtin["text"])
    assert torch.equal(torch.cat([train, validation, test]), whole)
    assert abs(len(train) - 8 * len(validation)) <= 8 and abs(len(test) - len(validation)) <= 1


def test_builtin_is_english_and_repeats_no_long_paragraph(builtin):
    paragraphs = text.decode(text.encode(builtin["text"])).split("\n\n")
    assert sum(map(len, paragraphs)) > 200_000
    assert paragraphs[1].startswith("Assert statements are a convenient way to insert debugging assertions")
    assert len(paragraphs) == len(set(paragraphs))


def test_builtin_is_written_once_and_reproducibly(builtin, cache):
    first = text.prepare("builtin")
    written = first.stat().st_mtime_ns
    assert text.prepare("builtin").stat().st_mtime_ns == written
    assert data.digest(data.read(first)) == data.digest(builtin)
    assert [path.name for path in cache.iterdir()] == ["text-builtin.txt"]


@pytest.mark.parametrize("arrays", [{}, {"text": np.zeros(0, np.uint8)}, {"images": np.ones(3)}], ids=len)
def test_what_is_no_text_is_refused(arrays):
    with pytest.raises(data.DataError, match="no text to train on: it has 0 characters"):
        text.load(arrays, "train")


@pytest.mark.parametrize(
    "content, said",
    [
        (PLAY[:1000], "no text to train on: it has 1000 characters, not 150,000"),
        (b"\n<!DOCTYPE html><p>" + PLAY, r"a web page, not a text: it begins with '<!DOCTYPE html><p>Fi'"),
        (
            PLAY.decode().encode("utf-16"),
            "no English text: of its 310002 bytes 155000 are newlines and ASCII",
        ),
        ("Слова, ".encode() * 50_000, "no English text: of its 600000 bytes 100000 are"),
    ],
    ids=["short", "a web page", "UTF-16", "Russian"],
)
def test_file_that_is_no_english_text_is_refused(content, said):
    with pytest.raises(data.DataError, match=said):
        text.check_arrays({"text": np.frombuffer(content, np.uint8)})


def test_the_first_good_mirror_is_taken(mirrors, cache):
    mirrors(NONE, TRUNCATED, SHORT, WRONG, GOOD)
    path = text.prepare("shakespeare")
    assert path.read_bytes() == PLAY
    assert list(cache.iterdir()) == [path]
    assert len(text.load(data.read(path), "validation")) == len(PLAY) // 10


def test_what_was_downloaded_is_kept(mirrors):
    mirrors(GOOD)
    assert text.default_source() == "shakespeare"
    mirrors(NONE)
    assert text.prepare("shakespeare").read_bytes() == PLAY


@pytest.mark.parametrize(
    "answer, said",
    [
        (TRUNCATED, "gave"),
        (SHORT, "gave another text, or a part"),
        (WRONG, "gave another text, or a part"),
        (NONE, r"gave none \(HTTPError\)"),
    ],
    ids=["truncated", "short", "wrong", "none"],
)
def test_without_a_good_mirror_it_is_one_line_and_nothing_is_left(mirrors, cache, answer, said):
    (url,) = mirrors(answer)
    with pytest.raises(data.DataError, match=f"{url} {said}.*DATA=builtin needs no network") as caught:
        text.prepare("shakespeare")
    assert "\n" not in str(caught.value)
    assert list(cache.glob("*")) == []
    assert text.default_source() == "builtin"


def test_no_mirror_at_all(mirrors, cache, monkeypatch):
    monkeypatch.setattr(text, "MIRRORS", ["http://127.0.0.1:9/input.txt"])  # nobody listens there
    with pytest.raises(data.DataError, match=r"gave none \(ConnectionError\)"):
        text.prepare("shakespeare")
    assert list(cache.glob("*")) == []


def test_without_the_course_file_it_cannot_be_asked_for():
    with pytest.raises(data.DataError, match=r"input\.txt.*DATA_DIR"):
        text.prepare("course")


def test_the_course_file_is_read_where_it_lies(tmp_path, monkeypatch, cache):
    (tmp_path / "input.txt").write_bytes(PLAY)
    data.use_course_folder(tmp_path)
    assert text.default_source() == "course"
    assert text.prepare("course") == tmp_path / "input.txt"
    assert not cache.exists()


@pytest.mark.skipif(not COURSE, reason="DATA_DIR does not name the course's data")
def test_course_text(monkeypatch):
    data.use_course_folder(COURSE)
    path = text.prepare("course")
    assert path.parent == Path(COURSE)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == text.SHA256
    text.check_arrays(data.read(path))
    sizes = [len(text.load(data.read(path), split)) for split in ("train", "validation", "test")]
    assert sizes == [892_316, 111_539, 111_539]
