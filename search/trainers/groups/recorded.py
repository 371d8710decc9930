"""The steps of a group on a GPU, each recorded once for a shape of batches, and then repeated.

A step is about a hundred calls, and a GPU waits for most of them. A recorded one is a single call.
Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from collections import Counter
from collections.abc import Callable

import torch

WARM_UP = 2  # steps of a shape before one is recorded: they set up what a recording may not

Step = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
Recording = tuple[torch.cuda.CUDAGraph, tuple[torch.Tensor, ...], torch.Tensor]  # its inputs, its output
Shape = tuple[torch.Size, torch.Size]


class Recorded:
    """The recorded steps of a group."""

    def __init__(self) -> None:
        self._seen: Counter[Shape] = Counter()
        self._recordings: dict[Shape, Recording] = {}

    def take(self, step: Step, x: torch.Tensor, y: torch.Tensor, rates_M: torch.Tensor) -> torch.Tensor:
        """Take a step of M networks, by a recording where there is one. Returns their outputs (M, B, ...).

        Args:
            step: does it, given x and y (M, B, ...) and the learning rates.
        """
        shape = x.shape, y.shape
        if shape not in self._recordings:
            self._seen[shape] += 1
            if self._seen[shape] <= WARM_UP:
                return step(x, y, rates_M)
            self._recordings[shape] = _recording(step, x.clone(), y.clone(), rates_M.clone())
        graph, inputs, scores = self._recordings[shape]
        for own, given in zip(inputs, (x, y, rates_M), strict=True):
            own.copy_(given)
        graph.replay()
        return scores.clone()


def _recording(step: Step, *inputs: torch.Tensor) -> Recording:
    """Record a step without taking it."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        scores = step(*inputs)
    return graph, inputs, scores
