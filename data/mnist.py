"""Handwritten digits, 28 x 28 pixels each.

mnist     MNIST itself: its four files are fetched once (11 MB) from the first of two public mirrors
          that gives them whole.
course    The course's `mnist.npz`: the same images in the same order.
builtin   scikit-learn's 1,797 digits of 8 x 8 pixels, enlarged (a package: nothing is downloaded):
          1,440 to train and validate, 357 to test.

All have the course's format: train_images (images, 784), uint8 from 0 to 255 or float32 from 0 to 1,
train_labels (images,), test_images and test_labels. The last sixth of the training images validates:
10,000 of MNIST, 240 of the built-in ones. The course validates on the even rows of the test images and
tests on the odd ones; here no test image is chosen by, and the odd ones still test, so that both
measure on the same 5,000.

N images.
"""

import gzip
import hashlib
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from data import CACHE, DataError, check_integers, course_file, write

SOURCES = ("mnist", "course", "builtin")
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
FILES = {  # array: its file and that file's MD5, as torchvision has them
    "train_images": ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    "train_labels": ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
    "test_images": ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
    "test_labels": ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
}
TIMEOUT = (3, 10)  # seconds to connect, and between two pieces of an answer
BUILTIN_TEST = 357  # of 1,797: the others are 1,200 and, a sixth of all those, 240


class Images(NamedTuple):
    """Labelled images of digits."""

    x_N784: torch.Tensor  # (images, 784) float32: rows of pixels, 0 (paper) to 1 (ink)
    y_N: torch.Tensor  # (images,) int64: the digit, 0..9


def load(arrays, split):
    """Images of "train", "validation" (the last sixth of those to train) or "test". Raises DataError."""
    pixels_N784, labels_N = checked(arrays, split)
    held_out = len(labels_N) // 6
    rows = {"train": slice(-held_out), "validation": slice(-held_out, None), "test": slice(None)}[split]
    return tensors(pixels_N784[rows], labels_N[rows])


def checked(arrays, split):
    """Pixels (N, 784) and labels (N,) that a split is taken from. Raises DataError."""
    part = "test" if split == "test" else "train"
    try:
        pixels_N784, labels_N = arrays[f"{part}_images"], arrays[f"{part}_labels"]
    except KeyError as missing:
        raise DataError(f"this is no file of digits: it has no array {missing}") from None
    shapes = f"{part}_images {pixels_N784.shape} and {part}_labels {labels_N.shape}"
    if pixels_N784.shape != (labels_N.size, 784) or labels_N.ndim != 1 or labels_N.size < 6:
        raise DataError(f"this is no file of digits: its {shapes} are not (N, 784) and (N,)")
    # On the even rows of MNIST's 10,000 the course validates.
    rows = slice(1, None, 2) if part == "test" and len(labels_N) == 10_000 else slice(None)
    return pixels_N784[rows], labels_N[rows]


def check_arrays(arrays):
    """Raise DataError where images or labels have other shapes, types or values."""
    for part in ("train", "test"):
        pixels_N784, labels_N = checked(arrays, part)
        if pixels_N784.dtype not in (np.uint8, np.float32):
            raise DataError(f"{part}_images is {pixels_N784.dtype}: valid are uint8 and float32")
        least, most = pixels_N784.min(), pixels_N784.max()
        if not (np.isfinite(least) and np.isfinite(most)):
            raise DataError(f"{part}_images has values that are NaN or infinite: all must be finite")
        is_float = pixels_N784.dtype == np.float32
        if is_float and not 0 <= least <= most <= 1 or not is_float and most <= 1:
            seen = f"{part}_images is {pixels_N784.dtype} from {least:.4g} to {most:.4g}"
            raise DataError(f"{seen}: valid are uint8 from 0 to 255, or float32 from 0 to 1")
        check_integers(f"{part}_labels", labels_N, 0, 9)


def tensors(pixels_N784, labels_N):
    """The same as Images."""
    x_N784 = torch.from_numpy(pixels_N784)
    return Images(x_N784 / 255 if x_N784.dtype == torch.uint8 else x_N784, torch.from_numpy(labels_N).long())


def default_source():
    """The course's file where it is; else MNIST if it is here or can be fetched now; else the built-in."""
    if course_file("mnist.npz").exists():
        return "course"
    try:
        prepare("mnist")
    except DataError:
        return "builtin"
    return "mnist"


def prepare(source):
    """The file of a source; MNIST is fetched when it is first asked for. Raises DataError."""
    if source == "course":
        path = course_file("mnist.npz")
        if not path.exists():
            raise DataError(f"DATA=course needs the course's file {path}: name its folder with DATA_DIR=")
        return path
    path = CACHE / f"mnist-{source}.npz"
    if not path.exists():
        write(path, _mnist() if source == "mnist" else _builtin())
    return path


def _mnist():
    """The arrays of MNIST. Raises DataError where no mirror gives all four files whole."""
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        for mirror in MIRRORS:
            try:
                return {array: _fetch(mirror, *file, folder) for array, file in FILES.items()}
            except (OSError, ValueError) as error:
                failures.append(f"{mirror}: {_why(error)}")
    raise DataError(f"cannot fetch MNIST ({'; '.join(failures)}): try later, or DATA=builtin")


def _fetch(mirror, file, md5, folder):
    """The array in one file of a mirror, through a folder that keeps it. Raises OSError, ValueError."""
    import pooch

    pooch.get_logger().setLevel("ERROR")  # what happens is said in our words
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT)
    return _idx(Path(pooch.retrieve(mirror + file, f"md5:{md5}", file, folder, downloader=downloader)))


def _idx(path):
    """The uint8 array, (N,) or (N, 784), in a gzipped IDX file.

    The file begins with the bytes 0, 0, 8 and the number of sizes, then has the sizes as big-endian
    int32, then the values.
    """
    content = gzip.decompress(path.read_bytes())
    sizes = np.frombuffer(content, ">i4", count=content[3], offset=4)
    values = np.frombuffer(content, np.uint8, offset=4 + sizes.nbytes)
    return values.reshape(sizes[0], -1) if len(sizes) > 1 else values


def _why(error):
    """A failed download in a few words; the libraries' own take several lines."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    return f"not reachable, {type(error).__name__}" if isinstance(error, OSError) else "a damaged file"


def _builtin():
    """The arrays of the built-in digits, in an order that depends on nothing but themselves."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images_N784 = _enlarged(digits.images.astype(int)).reshape(-1, 784).astype(np.uint8)
    order = sorted(range(len(images_N784)), key=lambda row: hashlib.sha256(images_N784[row]).digest())
    images_N784, labels_N = images_N784[order], digits.target[order].astype(np.uint8)
    return {
        "train_images": images_N784[:-BUILTIN_TEST],
        "train_labels": labels_N[:-BUILTIN_TEST],
        "test_images": images_N784[-BUILTIN_TEST:],
        "test_labels": labels_N[-BUILTIN_TEST:],
    }


def _enlarged(small_N88):
    """Images (N, 28, 28) from 0 to 255 of small ones (N, 8, 8) from 0 to 16, interpolated bilinearly.

    All numbers are whole, so that every machine gives the same.
    """
    places_28 = np.clip(4 * np.arange(28) - 5, 0, 7 * 14)  # pixels' centres, in 14ths of a small pixel
    weights_28x8 = np.maximum(0, 14 - abs(places_28[:, None] - 14 * np.arange(8)))
    return weights_28x8 @ small_N88 @ weights_28x8.T * 255 // (16 * 14 * 14)
