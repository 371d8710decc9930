"""The losses of the networks of a group: computed now and then, as no step needs them.

M networks, B batch.
"""

import torch

from search.trainers.groups.descent import Criterion

LOSS_STEPS = 32  # steps whose outputs are kept until their losses are computed


class Losses:
    """The losses of several networks, computed now and then for many steps at once."""

    def __init__(self, criterion: Criterion) -> None:
        self._criterion = criterion
        self._scores: list[torch.Tensor] = []
        self._targets: list[torch.Tensor] = []
        self._sums_M: torch.Tensor | None = None
        self._examples = 0
        self.steps = 0

    def add(self, scores: torch.Tensor, targets: torch.Tensor) -> None:
        """Take in the outputs (M, B, ...) of a step, and what they should be."""
        self.steps += 1
        self._scores.append(scores)
        self._targets.append(targets)
        if len(self._scores) == LOSS_STEPS:
            self._sum_up()

    def means(self, n_networks: int) -> list[float]:
        """The mean loss of an example, for each network; 0 before the first step."""
        if self._scores:
            self._sum_up()
        if self._sums_M is None:
            return n_networks * [0.0]
        return [float(loss_sum) / self._examples for loss_sum in self._sums_M.tolist()]

    def _sum_up(self) -> None:
        """Compute the losses of the steps since the last time."""
        scores, targets = torch.cat(self._scores, 1), torch.cat(self._targets, 1)
        means_M = torch.stack([self._criterion(*own) for own in zip(scores, targets, strict=True)])
        sums_M = means_M * targets.shape[1]
        self._sums_M = sums_M if self._sums_M is None else self._sums_M + sums_M
        self._examples += targets.shape[1]
        self._scores, self._targets = [], []
