"""Files of arrays: read, digested, written whole."""

import numpy as np
import pytest

import data
from data import sine
from search import paths
from search.cli.app import main


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


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html></html>", "is no .npz file: it begins with '<!DOCTYPE html><'"),
        (b"version https://git-lfs.github.com", "is no .npz file: it begins with 'version https://'"),
        (b"PK\3\4 and no more", "is truncated: the end of the .npz file is missing"),
    ],
)
def test_file_of_another_kind_is_one_line_that_says_of_which(tmp_path, content, said):
    (tmp_path / "file.npz").write_bytes(content)
    with pytest.raises(data.DataError) as error:
        data.read_checked(tmp_path / "file.npz", sine)
    assert str(error.value) == f"{tmp_path / 'file.npz'} {said}"
    with pytest.raises(
        data.DataError, match=r"^cannot read .*: File is not a zip file$"
    ):  # no hint to pickle
        data.read(tmp_path / "file.npz")


def test_file_of_python_objects_is_refused_without_a_hint_to_run_them(tmp_path):
    np.savez(tmp_path / "file.npz", x=np.array([{}], dtype=object))
    with pytest.raises(data.DataError, match="has an array of Python objects: valid are numbers") as error:
        data.read_checked(tmp_path / "file.npz", sine)
    assert "pickle" not in str(error.value)


def test_file_without_an_array_says_which_it_has(tmp_path):
    data.write(tmp_path / "file.npz", {"x": np.ones(3)})
    with pytest.raises(data.DataError, match="file.npz has no array 'train_x': it has x"):
        data.read_checked(tmp_path / "file.npz", sine)


def test_missing_or_changed_file_is_one_line_when_it_is_checked(tmp_path):
    with pytest.raises(data.DataError, match=r"^cannot read .*file\.npz: No such file or directory$"):
        data.read_checked(tmp_path / "file.npz", sine)


def test_course_file_in_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    data.use_course_folder("~/course")
    assert data.course_file("mnist.npz") == tmp_path / "course" / "mnist.npz"


def test_search_on_data_of_another_form_ends_before_anything_is_written(tmp_path, monkeypatch, capsys):
    arrays = {f"{part}_images": np.full((12, 784), 255, np.float32) for part in ("train", "test")}
    arrays |= {f"{part}_labels": np.arange(12) % 10 for part in ("train", "test")}
    np.savez(tmp_path / "mnist.npz", **arrays)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert main(["search", "--task", "digits", "--trials", "1"]) == 2
    said = (
        f"error: {tmp_path}/mnist.npz: train_images is float32 from 255 to 255: valid are uint8 from 0 to 255"
    )
    assert capsys.readouterr().err.startswith(said) and not paths.studies().exists()


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
