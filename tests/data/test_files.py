"""Files of arrays: read, digested, written whole."""

import numpy as np
import pytest

import data


@pytest.fixture
def arrays():
    return {"x": np.arange(100_000), "y": np.ones((2, 3), dtype=np.float32)}


def test_what_is_written_is_read(tmp_path, arrays):
    data.write(tmp_path / "new" / "file.npz", arrays)
    read = data.read(tmp_path / "new" / "file.npz")
    assert read.keys() == arrays.keys()
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file.npz"]


def test_digest_is_of_names_types_shapes_and_bytes(arrays):
    digests = {data.digest(arrays), data.digest(dict(reversed(arrays.items())))}
    assert len(digests) == 1
    for changed in (
        {**arrays, "y": arrays["y"] * 2},
        {**arrays, "y": arrays["y"].astype(np.float64)},
        {**arrays, "y": arrays["y"].T},
        {"x": arrays["x"], "z": arrays["y"]},
    ):
        digests.add(data.digest(changed))
    assert len(digests) == 5


def test_missing_file_is_one_line(tmp_path):
    with pytest.raises(data.DataError, match=r"^cannot read .*file\.npz"):
        data.read(tmp_path / "file.npz")


@pytest.mark.parametrize("where", [0, 0.3, 0.6, 0.999])
def test_truncated_file_is_one_line(tmp_path, arrays, where):
    path = tmp_path / "file.npz"
    data.write(path, arrays)
    content = path.read_bytes()
    path.write_bytes(content[: int(where * len(content))])
    with pytest.raises(data.DataError, match="cannot read"):
        data.read(path)


def test_changed_byte_is_one_line(tmp_path, arrays):
    path = tmp_path / "file.npz"
    data.write(path, arrays)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(data.DataError, match="cannot read"):
        data.read(path)


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        data.write(tmp_path / "file.npz", {1: np.ones(1)})
    assert list(tmp_path.iterdir()) == []
