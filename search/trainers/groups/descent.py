"""What a training hands over: the steps that it is to take."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import torch
from torch import nn

from objectives.descent import descend

Batch = tuple[torch.Tensor, torch.Tensor]
Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # the mean loss of a batch


@dataclass
class Descent:
    """The steps that a training is to take: the arguments of `objectives.descent.descend`."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    criterion: Criterion
    batches: Iterable[Batch]
    rates: Sequence[float]

    def alone(self) -> float:
        """Take the steps. Returns the mean loss of an example."""
        return float(descend(self.model, self.optimizer, self.criterion, self.batches, self.rates))

    def first_batch(self) -> Batch:
        """The batch of the first step, which stays in its place. Raises ValueError if there is none."""
        rest = iter(self.batches)
        first = next(rest, None)
        if first is None:
            raise ValueError("descend: there is no batch")
        self.batches = chain([first], rest)
        return first


class Taken(NamedTuple):
    """The first steps of a descent, as a group took them. The others are left in its `batches`."""

    steps: int
    loss: float  # mean of an example
    seconds: float  # the share of this training
