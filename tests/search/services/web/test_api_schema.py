"""The API does what its own description says, whatever is sent to it."""

from random import Random

import pytest

pytestmark = pytest.mark.thorough


def test_requests_of_all_kinds_are_answered_as_described(tmp_path, home):
    from tests.torture import api  # which imports for seconds

    wrong = [outcome for outcome in api.run(Random(1), api.QUICK, tmp_path) if outcome]
    assert wrong == []
