"""A script is proved on the data that its trial was trained on."""

import pytest

from data import read, write
from search.errors import TrialbookError
from search.frozen_script import files
from search.strategy import winner
from search.winners import freezing


@pytest.mark.integration
def test_a_proof_on_other_data_is_none(searched, tmp_path):
    other = tmp_path / "sine-builtin.npz"
    arrays = read(searched.data_path)
    write(other, arrays | {"test_x": arrays["test_x"] + 1})
    text = freezing.freeze(searched, winner.choose(searched), "run")
    with pytest.raises(TrialbookError, match="sine-builtin.npz is not what the trial was trained on"):
        files.prove(text, other)
