"""A Ray cluster, and tasks that a test writes."""

import boundary
import pytest
from executor_tests import path_of_toys


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A head, and three machines with a core each; their trainers find the toys, and a gate."""
    utils = pytest.importorskip("ray.cluster_utils", reason="ray is not installed (make .venv/ray)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path_of_toys())
        gate = tmp_path_factory.mktemp("gate") / "open"
        patch.setenv("GATE", str(gate))
        cluster = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        cluster.gate = gate
        for _ in range(3):
            cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        patch.undo()
        yield cluster
        cluster.shutdown()


@pytest.fixture
def write_task(task_files):
    """`write_task(name, code)` makes a task in which `code` replaces parts of boundary.TEXT: its module."""
    return lambda name, code="": task_files.write(name, boundary.TEXT + code)
