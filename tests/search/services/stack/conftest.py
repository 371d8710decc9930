"""PostgreSQL, if it is installed, and ports for the stack."""

import socket

import pytest

from search.errors import StoreError
from search.services.stack import database


@pytest.fixture(scope="session")
def postgresql():
    """Skips a test where PostgreSQL is not installed."""
    try:
        database.programs()
    except StoreError:
        pytest.skip("THE STACK IS NOT TRIED: PostgreSQL is not installed (Debian: postgresql)")


@pytest.fixture
def free():
    """A port that is free, as is the next."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]
