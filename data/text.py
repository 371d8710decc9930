"""Characters of a text: newline and the 95 printable ones of ASCII. Others are left out.

shakespeare   A million characters of Shakespeare's plays, "tiny Shakespeare": downloaded once.
course        The course's `input.txt`, read where it lies. It is the same text.
builtin       The documentation of its language that Python itself carries: nothing is downloaded. Some
              400,000 characters, which differ between versions of Python.

The first 80% of a text are to train on, the next 10% to validate, the last 10% to test.
N characters.
"""

import numpy as np
import torch

from data import CACHE, DataError, course_file, write

SOURCES = ("shakespeare", "course", "builtin")
MIRRORS = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "https://cdn.jsdelivr.net/gh/karpathy/char-rnn@master/data/tinyshakespeare/input.txt",
    "https://storage.googleapis.com/download.tensorflow.org/data/shakespeare.txt",
)
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
TIMEOUT = (3, 10)  # seconds to connect, and between two pieces of an answer


def load(arrays, split):
    """The codes (N,) int64 of "train", "validation" or "test". Raises DataError."""
    codes_N = encode(arrays.get("text", b""))
    if len(codes_N) < 150_000:  # of fewer, the tenth to validate is too small
        raise DataError(f"this is no text to train on: it has {len(codes_N)} characters, not 150,000")
    tenths = {"train": slice(8), "validation": slice(8, 9), "test": slice(9, 10)}[split]
    return torch.cat(codes_N.tensor_split(10)[tenths])


def check_arrays(arrays):
    """Raise DataError where a text is too short, or no English text in ASCII or nearly so."""
    text = arrays["text"]
    if text.dtype != np.uint8 or text.ndim != 1:
        raise DataError(f"this is no text: it is {text.dtype} {text.shape}, not bytes")
    begin = text[:200].tobytes().lstrip(b"\xef\xbb\xbf \r\n\t")[:20]
    if begin.lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DataError(f"this is a web page, not a text: it begins with {repr(begin)[1:]}")
    if (kept := len(encode(text))) < 0.8 * len(text):  # of other letters, UTF-16 or no text at all
        raise DataError(f"this is no English text: of its {len(text)} bytes {kept} are newlines and ASCII")
    load(arrays, "validation")


def encode(text):
    """Codes (N,) int64 of a text in bytes: 0 is newline, 1 to 95 are printable. Others are left out."""
    bytes_N = np.frombuffer(text, dtype=np.uint8)
    kept_N = bytes_N[(bytes_N == 10) | (bytes_N >= 32) & (bytes_N < 127)]
    return torch.from_numpy(kept_N.clip(31).astype(np.int64) - 31)


def decode(codes_N):
    """The text of codes, as a string."""
    return "".join(chr(31 + code) if code else "\n" for code in codes_N.tolist())


def default_source():
    """The course's text where its file is there, else Shakespeare's where it can be had, else Python's."""
    if course_file("input.txt").exists():
        return "course"
    try:
        prepare("shakespeare")
    except DataError:
        return "builtin"
    return "shakespeare"


def prepare(source):
    """The file of a source, downloaded or written when it is first asked for. Raises DataError."""
    if source == "course":
        path = course_file("input.txt")
        if not path.exists():
            raise DataError(f"DATA=course needs the course's file {path}: name its folder with DATA_DIR=")
        return path
    path = CACHE / f"text-{source}.txt"
    if not path.exists():
        if source == "shakespeare":
            _download(path)
        else:
            write(path, {"text": _builtin()})
    return path


def _download(path):
    """Fetch tiny Shakespeare from the first mirror that has it, whole and unchanged. Raises DataError."""
    import pooch

    pooch.get_logger().setLevel("ERROR")
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT)
    reasons = []
    for url in MIRRORS:
        try:
            pooch.retrieve(url, f"sha256:{SHA256}", path.name, path.parent, downloader=downloader)
            return
        except ValueError:  # pooch's, for another checksum
            reasons.append(f"{url} gave another text, or a part")
        except OSError as error:  # of the network or the disk
            reasons.append(f"{url} gave none ({type(error).__name__})")
    raise DataError(f"no text of Shakespeare: {'; '.join(reasons)}. DATA=builtin needs no network")


def _builtin():
    """The bytes of Python's documentation of its language; paragraphs of several topics come once."""
    from pydoc_data.topics import topics

    paragraphs = "\n\n".join(topics[name] for name in sorted(topics)).split("\n\n")
    return np.frombuffer("\n\n".join(dict.fromkeys(paragraphs)).encode(), dtype=np.uint8)
