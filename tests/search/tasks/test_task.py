"""The types of a task name the functions that the contract checks, with the same parameters."""

import inspect

import pytest

from search.tasks import contract
from search.tasks.task import DataSource, Task


@pytest.mark.parametrize(
    "protocol, functions",
    [(Task, contract.FUNCTIONS), (DataSource, contract.DATA_FUNCTIONS)],
    ids=["Task", "DataSource"],
)
def test_protocol_has_the_functions_of_the_contract_and_no_others(protocol, functions):
    methods = {
        name: tuple(inspect.signature(value).parameters)[1:]  # without `self`
        for name, value in vars(protocol).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    assert methods == functions
