"""One source of data a file. What they share: the file format.

A source prepares one `.npz` file (or a `.txt`, where it is a text), once, with whatever library
it needs; training and frozen scripts only read that file.

Every module in this folder has

    SOURCES                   the names that `DATA=` takes; "builtin", which needs no network,
                              is among them
    default_source()          the one that is used where none is named
    prepare(source) -> Path   the file, built where it is not there yet
    load(arrays, split)       tensors of "train", "validation" or "test"

and may have

    check_arrays(arrays)      raises DataError where `load` would give nonsense: it names the array, its
                              content and what is valid
"""

import hashlib
import os
import zipfile
from pathlib import Path

import numpy as np

CACHE = Path(__file__).parent / "cache"
_course_folder = Path(__file__).parent / "course"


class DataError(Exception):
    """Data is missing, damaged or of the wrong shape. The message is one line for a person."""


def read(path):
    """All arrays of an `.npz` file by name; of a `.txt` file its bytes, as "text". Raises DataError."""
    try:
        if str(path).endswith(".txt"):
            return {"text": np.fromfile(path, dtype=np.uint8)}
        with np.lib.npyio.NpzFile(path) as file:  # np.load takes other files for pickled ones, and says so
            return {name: file[name] for name in file.files}
    except Exception as error:  # whatever numpy, zipfile and zlib find
        raise DataError(f"cannot read {path}: {error}") from None


def read_checked(path, source_module) -> dict[str, np.ndarray]:
    """The same as `read`, with `check_arrays` of the module whose file it is. Raises DataError.

    What is wrong with a file is then one line before any trial, and frozen scripts stay short.
    """
    _check_kind(path)
    try:
        arrays = read(path)
    except DataError as error:
        if "allow_pickle" in str(error):  # numpy's hint would have code run that is in the file
            raise DataError(f"{path} has an array of Python objects: valid are numbers and text") from None
        raise
    try:
        getattr(source_module, "check_arrays", lambda _: None)(arrays)
    except KeyError as missing:
        raise DataError(
            f"{path} has no array {missing}: it has {', '.join(sorted(arrays)) or 'none'}"
        ) from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return arrays


def _check_kind(path):
    """Raise DataError where a file is empty, or is called `.npz` and is none."""
    try:
        with open(path, "rb") as file:
            begin = file.read(16)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if not begin:
        raise DataError(f"{path} is empty")
    if not str(path).endswith(".txt") and not begin.startswith(b"PK"):  # as all zip files do
        raise DataError(f"{path} is no .npz file: it begins with {repr(begin)[1:]}")
    if not str(path).endswith(".txt") and not zipfile.is_zipfile(path):
        raise DataError(f"{path} is truncated: the end of the .npz file is missing")


def check_integers(name: str, array: np.ndarray, least: int, most: int):
    """Raise DataError where an array holds anything but whole numbers from `least` to `most`."""
    valid = f"valid are whole numbers from {least} to {most}"
    if array.dtype.kind not in "iu":
        raise DataError(f"{name} is of type {array.dtype}: {valid}")
    if array.size and (array.min() < least or array.max() > most):
        raise DataError(f"{name} has numbers from {array.min()} to {array.max()}: {valid}")


def check_floats(name: str, array: np.ndarray, dtype: type):
    """Raise DataError where an array is of another type, or holds NaN or infinity."""
    if array.dtype != dtype:
        raise DataError(f"{name} is of type {array.dtype}: valid is {np.dtype(dtype)}")
    if wrong := array.size - np.count_nonzero(np.isfinite(array)):
        raise DataError(
            f"{name} has {wrong} values that are NaN or infinite, of {array.size}: all must be finite"
        )


def digest(arrays):
    """Twelve hex digits of SHA-256 over names, types, shapes and bytes, however they are compressed."""
    sha = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()[:12]


def write(path, arrays):
    """Write an `.npz` file, or a `.txt` file of "text", that is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with open(unfinished, "wb") as file:
            if path.suffix == ".txt":
                file.write(arrays["text"])
            else:
                np.savez_compressed(file, **arrays)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def use_course_folder(folder: str | Path | None):
    """Look for the course's own files in this folder from now on; with None in `data/course`."""
    global _course_folder
    _course_folder = Path(folder).expanduser() if folder else Path(__file__).parent / "course"


def course_file(name: str) -> Path:
    """Where the course's own file lies, if it is here."""
    return _course_folder / name
