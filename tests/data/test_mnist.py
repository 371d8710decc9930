"""Digits: built in, fetched, and the course's where its folder is."""

import gzip
import hashlib
import os
import re
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from werkzeug import Response

import data
from data import mnist, mnist_small

COURSE = os.environ.get("DATA_DIR")  # as the tests were called; each test sees another
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def builtin():
    return data.read(mnist.prepare("builtin"))


def rows(split):
    return [row.numpy().tobytes() for row in split.x_N784]


@pytest.mark.parametrize("source, sizes", [(mnist, [1200, 240, 357]), (mnist_small, [200, 1000, 357])])
def test_no_image_is_in_two_splits(builtin, source, sizes):
    splits = [source.load(builtin, name) for name in SPLITS]
    assert [len(split.y_N) for split in splits] == sizes
    assert len({row for split in splits for row in rows(split)}) == sum(sizes)
    for split in splits:
        assert torch.bincount(split.y_N, minlength=10).min() >= 0.05 * len(split.y_N)


def test_images_are_of_the_promised_types_and_ranges(builtin):
    mnist_small.check_arrays(builtin)
    split = mnist.load(builtin, "train")
    assert (split.x_N784.dtype, split.y_N.dtype) == (torch.float32, torch.int64)
    assert (split.x_N784.min(), split.x_N784.max()) == (0, 1)
    assert split.y_N.unique().tolist() == list(range(10))


def test_builtin_digits_are_the_same_everywhere(builtin):
    assert data.digest(builtin) == "de745b7a2dad"


def test_builtin_digits_are_those_of_scikit_learn_interpolated():
    small_N88 = np.random.default_rng(0).integers(0, 17, (5, 8, 8))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(small_N88)[:, None].double(), size=28, mode="bilinear"
    )
    difference = torch.from_numpy(mnist._enlarged(small_N88)) - expected[:, 0] * 255 / 16
    assert difference.min() > -1 and difference.max() < 1e-9


def canonical(train=60_000, test=10_000, dtype=np.uint8):
    """Arrays of the sizes of MNIST; each image is its own row's number, and so is its label's last digit."""
    arrays = {}
    for part, size in (("train", train), ("test", test)):
        arrays[f"{part}_images"] = np.zeros((size, 784), dtype=dtype)
        arrays[f"{part}_images"][:, :3] = np.arange(size)[:, None] // (1, 250, 62_500) % 250
        arrays[f"{part}_labels"] = (np.arange(size) % 10).astype(np.uint8)
    return arrays


def numbers(split):
    """The rows' numbers of images of `canonical`."""
    return (split.x_N784[:, :3] * 255).round().long() @ torch.tensor([1, 250, 62_500])


def test_rows_of_mnist():
    arrays = canonical()
    assert torch.equal(numbers(mnist.load(arrays, "train")), torch.arange(50_000))
    assert torch.equal(numbers(mnist.load(arrays, "validation")), torch.arange(50_000, 60_000))
    assert torch.equal(numbers(mnist.load(arrays, "test")), torch.arange(1, 10_000, 2))
    assert torch.equal(numbers(mnist_small.load(arrays, "train")), torch.arange(200))
    assert torch.equal(numbers(mnist_small.load(arrays, "validation")), torch.arange(59_000, 60_000))
    assert torch.equal(numbers(mnist_small.load(arrays, "test")), torch.arange(1, 10_000, 2))


def test_bytes_and_the_courses_floats_are_the_same_images():
    pixels = np.arange(256, dtype=np.uint8).repeat(784).reshape(256, 784)
    labels = np.zeros(256, dtype=np.uint8)
    whole = mnist.tensors(pixels, labels).x_N784
    assert torch.equal(whole, torch.from_numpy(pixels.astype(np.float32) / np.float32(255)))
    assert torch.equal(mnist.tensors(whole.numpy(), labels).x_N784, whole)


@pytest.mark.parametrize("source", [mnist, mnist_small])
@pytest.mark.parametrize(
    "changed, said",
    [
        ({"train_images": None}, "no array 'train_images'"),
        ({"train_labels": None}, "no array 'train_labels'"),
        ({"train_images": np.zeros((12, 28, 28))}, r"train_images \(12, 28, 28\)"),
        ({"train_images": np.zeros((11, 784))}, r"train_images \(11, 784\)"),
        ({"train_labels": np.zeros((12, 10))}, r"train_labels \(12, 10\)"),
        ({"train_images": np.zeros((0, 784)), "train_labels": np.zeros(0)}, r"\(0, 784\)"),
    ],
)
def test_other_files_are_refused(source, changed, said):
    arrays = {name: value for name, value in (canonical(12, 12) | changed).items() if value is not None}
    with pytest.raises(data.DataError, match=said):
        source.load(arrays, "train")


NAN = np.full((12, 784), np.nan, np.float32)


@pytest.mark.parametrize(
    "changed, said",
    [
        (
            {"train_images": np.full((12, 784), 200, np.float32)},
            "train_images is float32 from 200 to 200: valid",
        ),
        (
            {"train_images": np.full((12, 784), -1, np.float32)},
            "train_images is float32 from -1 to -1: valid",
        ),
        ({"train_images": np.zeros((12, 784))}, "train_images is float64: valid are uint8 and float32"),
        ({"train_images": np.ones((12, 784), np.uint8)}, "train_images is uint8 from 1 to 1: valid"),
        ({"train_images": np.full((12, 784), "x")}, "train_images is <U1: valid are uint8 and float32"),
        ({"train_images": NAN}, "train_images has values that are NaN or infinite"),
        ({"train_images": NAN + np.inf}, "train_images has values that are NaN or infinite"),
        (
            {"train_labels": np.arange(12) % 10 + 1},
            "train_labels has numbers from 1 to 10: valid are .* 0 to 9",
        ),
        (
            {"train_labels": np.arange(12) % 10 - 1},
            "train_labels has numbers from -1 to 8: valid are .* 0 to 9",
        ),
        ({"train_labels": np.arange(12) / 2}, "train_labels is of type float64: valid are whole numbers"),
    ],
)
def test_arrays_of_other_types_or_values_are_refused(changed, said):
    with pytest.raises(data.DataError, match=said):
        mnist.check_arrays(canonical(12, 12) | changed)
    tested = {name.replace("train", "test"): array for name, array in changed.items()}
    with pytest.raises(data.DataError, match=said.replace("train", "test")):
        mnist.check_arrays(canonical(12, 12) | tested)


def test_few_digits_to_train_on_are_never_those_to_validate():
    mnist_small.check_arrays(canonical(1200, 12))
    with pytest.raises(data.DataError, match="train_images has 1199 images: valid are 1,200 or more"):
        mnist_small.check_arrays(canonical(1199, 12))


# Fetching


def gzipped_idx(array):
    """An array as a gzipped IDX file of MNIST: images are 28 x 28."""
    sizes = (len(array), 28, 28) if array.ndim > 1 else array.shape
    head = bytes([0, 0, 8, len(sizes)]) + np.array(sizes, dtype=">i4").tobytes()
    return gzip.compress(head + array.tobytes())


class Mirror:
    """Files on a server. Of a pair of contents it promises the first, and gives the second."""

    def __init__(self, server):
        self.url, self.log = server.url_for("/mnist/"), server.log
        self.arrays = canonical(30, 12)
        self.files = {mnist.FILES[name][0]: gzipped_idx(array) for name, array in self.arrays.items()}
        server.expect_request(re.compile("/mnist/.*")).respond_with_handler(self._answer)

    def _answer(self, request):
        content = self.files.get(request.path.rpartition("/")[2])
        if content is None:
            return Response(status=404)
        promised, given = content if isinstance(content, tuple) else (content, content)
        return Response([given], headers={"Content-Length": str(len(promised))})


@pytest.fixture
def mirror(httpserver, tmp_path, monkeypatch):
    """A mirror on this machine that has small files, whose checksums are the known ones; an empty cache."""
    mirror = Mirror(httpserver)
    known = {
        name: (file, hashlib.md5(mirror.files[file]).hexdigest()) for name, (file, _) in mnist.FILES.items()
    }
    monkeypatch.setattr(mnist, "FILES", known)
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url,))
    monkeypatch.setattr(mnist, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(mnist.tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("NO_PROXY", httpserver.host)
    (tmp_path / "temporary").mkdir()
    return mirror


def left(tmp_path):
    """Everything in the cache and among the temporary files."""
    return sorted(path.name for part in ("cache", "temporary") for path in (tmp_path / part).rglob("*"))


@pytest.fixture
def nowhere():
    """A mirror that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"


def test_what_is_fetched_is_kept_in_the_courses_format(mirror, tmp_path):
    assert mnist.default_source() == "mnist"
    arrays = data.read(mnist.prepare("mnist"))
    assert data.digest(arrays) == data.digest(mirror.arrays)
    assert left(tmp_path) == ["mnist-mnist.npz"]
    assert len(mirror.log) == 4  # once each


@pytest.mark.parametrize("file", [file for file, _ in mnist.FILES.values()])
@pytest.mark.parametrize(
    "harm, said",
    [
        (lambda content: content[: len(content) // 2], "a damaged file"),
        (lambda content: (content, content[: len(content) // 2]), "not reachable, "),
        (lambda content: gzip.compress(b"something else"), "a damaged file"),
        (lambda content: b"", "a damaged file"),
        (lambda content: None, "HTTP status 404"),
    ],
    ids=["shortened", "cut off", "another", "empty", "missing"],
)
def test_a_file_that_is_not_whole_is_refused(mirror, tmp_path, file, harm, said, capfd):
    good = mirror.files[file]
    mirror.files[file] = harm(good)
    with pytest.raises(data.DataError, match=rf"^cannot fetch MNIST \(.*{said}.*DATA=builtin$") as refused:
        mnist.prepare("mnist")
    assert "\n" not in str(refused.value)
    assert left(tmp_path) == [] and capfd.readouterr() == ("", "")
    mirror.files[file] = good
    assert data.digest(data.read(mnist.prepare("mnist"))) == data.digest(mirror.arrays)


def test_without_a_network_the_builtin_digits_are_the_default(mirror, nowhere, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(mnist, "MIRRORS", (nowhere, nowhere))
    with pytest.raises(data.DataError, match=f"{nowhere}: not reachable, ConnectionError"):
        mnist.prepare("mnist")
    assert mnist.default_source() == "builtin"
    assert left(tmp_path) == [] and capfd.readouterr() == ("", "")


def test_the_second_mirror_gives_what_the_first_has_not(mirror, nowhere, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "MIRRORS", (nowhere, mirror.url))
    assert data.digest(data.read(mnist.prepare("mnist"))) == data.digest(mirror.arrays)


def test_builtin_digits_are_built_once_and_reproducibly(builtin, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "CACHE", tmp_path)
    first = mnist.prepare("builtin")
    built = first.stat().st_mtime_ns
    assert mnist.prepare("builtin").stat().st_mtime_ns == built
    assert data.digest(data.read(first)) == data.digest(builtin)


def test_without_the_course_file_the_course_is_refused():
    with pytest.raises(data.DataError, match=r"mnist\.npz.*DATA_DIR"):
        mnist.prepare("course")


@pytest.mark.skipif(not COURSE, reason="DATA_DIR does not name the course's data")
def test_course_digits(monkeypatch):
    data.use_course_folder(COURSE)
    assert mnist.default_source() == "course"
    assert mnist.prepare("course").parent == Path(COURSE)
    arrays = data.read(mnist.prepare("course"))
    mnist_small.check_arrays(arrays)
    splits = [mnist.load(arrays, name) for name in SPLITS]
    assert [len(split.y_N) for split in splits] == [50_000, 10_000, 5_000]
    assert splits[0].y_N[:5].tolist() == [5, 0, 4, 1, 9]
    assert all(split.x_N784.min() == 0 and split.x_N784.max() == 1 for split in splits)
