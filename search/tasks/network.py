"""Counts the weights of a task's network."""

import torch

from search.tasks.task import Task, TaskConfig


def count_weights(task: Task, config: TaskConfig) -> int | None:
    """The number of weights that a configuration's network learns. It allocates none of them.

    None where `build` needs real numbers, as for `.item()` or for lazy layers.
    """
    try:
        with torch.device("meta"):
            return sum(weight.numel() for weight in task.build(config).parameters())
    except KeyboardInterrupt:
        raise
    except BaseException:  # a user's code may raise anything; `contract.check` reports whether it builds
        return None
