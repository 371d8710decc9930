"""The size of a task's network."""

from types import ModuleType
from typing import Any

import torch


def count_weights(task: ModuleType, config: Any) -> int | None:
    """The number of weights that a configuration's network learns, without allocating one of them.

    None where `build` needs real numbers, as for `.item()` or for lazy layers.
    """
    try:
        with torch.device("meta"):
            return sum(weight.numel() for weight in task.build(config).parameters())
    except KeyboardInterrupt:
        raise
    except BaseException:  # of a user's code; `contract.check` says whether it builds at all
        return None
