"""One source of data a file. What they share: the file format.

A source prepares one `.npz` file (or a `.txt`, where it is a text), once, with whatever library
it needs; training and frozen scripts only read that file.

Every module in this folder has

    SOURCES                   the names that `DATA=` takes; "builtin", which needs no network,
                              is among them
    default_source()          the one that is used where none is named
    prepare(source) -> Path   the file, built where it is not there yet
    load(arrays, split)       tensors of "train", "validation" or "test"
"""

import hashlib
import os
from pathlib import Path

import numpy as np

CACHE = Path(__file__).parent / "cache"


class DataError(Exception):
    """Data is missing, damaged or of the wrong shape. The message is one line for a person."""


def read(path):
    """All arrays of an `.npz` file by name; of a `.txt` file its bytes, as "text". Raises DataError."""
    try:
        if str(path).endswith(".txt"):
            return {"text": np.fromfile(path, dtype=np.uint8)}
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # whatever numpy, zipfile and zlib find
        raise DataError(f"cannot read {path}: {error}") from None


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


def course_file(name):
    """Where the course's own file lies: in the folder `DATA_DIR`, else in `data/course`."""
    return Path(os.environ.get("DATA_DIR") or Path(__file__).parent / "course") / name
