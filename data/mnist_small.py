"""Few digits to train on: 200, as in the course's question 5.

The sources and files are those of `data/mnist.py`. The course validates and tests on images that it
trains on, the first 100; here 1,000 others of the training images validate, and test images test.

N images.
"""

from data import DataError, mnist
from data.mnist import SOURCES, checked, default_source, prepare, tensors  # noqa: F401, three for callers


def check_arrays(arrays):
    """Raise DataError where images or labels are wrong, or too few to validate on others than to train."""
    mnist.check_arrays(arrays)
    if (images := len(arrays["train_labels"])) < 1200:
        raise DataError(f"train_images has {images} images: valid are 1,200 or more, 200 of them to train on")


def load(arrays, split):
    """Images of "train" (the first training images), "validation" (the last) or "test". Raises DataError."""
    pixels_N784, labels_N = checked(arrays, split)
    rows = {"train": slice(200), "validation": slice(-1000, None), "test": slice(None)}[split]
    return tensors(pixels_N784[rows].copy(), labels_N[rows])  # a copy, so that all the others can be let go
