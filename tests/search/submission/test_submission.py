"""What is no hand-in, or is torn, is refused before anything of it is read."""

import io
import zipfile

import pytest

from search.cli.app import main
from search.errors import UsageError
from search.submission import pack
from search.submission.submission import MAX_BYTES, Submission


def zipped(members):
    """A zip of names and texts; a number stands for so many zeros."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members:
            file.writestr(name, bytes(text) if isinstance(text, int) else text)
    return content.getvalue()


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "cannot be read: BadZipFile"),
        (b"no zip at all", "cannot be read: BadZipFile"),
        ([("study.json", "{}")], "lacks DIGESTS, report.html, report.txt, script.py, trials.json"),
        ([("../x", "")], "names that no hand-in has"),
        ([("/etc/x", "")], "names that no hand-in has"),
        ([("folder/", "")], "names that no hand-in has"),
        ([(f"f{number}", "") for number in range(11)], "names that no hand-in has"),
        ([("bomb", MAX_BYTES + 1)], "its files have more than 500,000,000 bytes"),
    ],
    ids=range(8),
)
def test_what_is_no_hand_in_is_wrong_usage(content, said, tmp_path, capsys):
    path = tmp_path / "some.zip"
    path.write_bytes(content if isinstance(content, bytes) else zipped(content))
    assert main(["check-handin", "--zip", str(path)]) == 2
    out, error = capsys.readouterr()
    assert error.count("\n") == 1 and said in error and out == ""
    assert list(tmp_path.iterdir()) == [path]


def test_a_torn_zip_is_wrong_usage(members):
    content = bytearray(pack.packed(members))
    content[len(content) // 2] ^= 255
    with pytest.raises(UsageError, match="cannot be read: BadZipFile: Bad CRC|cannot be read: error"):
        Submission(bytes(content))
