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
    """Takes steps by recordings.

    Args:
        step: takes a step of M networks, given x and y (M, B, ...) and rates (M,). Returns their outputs.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._seen: Counter[Shape] = Counter()
        self._recordings: dict[Shape, Recording] = {}

    def __call__(self, x: torch.Tensor, y: torch.Tensor, rates_M: torch.Tensor) -> torch.Tensor:
        shape = x.shape, y.shape
        if shape not in self._recordings:
            self._seen[shape] += 1
            if self._seen[shape] <= WARM_UP:
                return self._step(x, y, rates_M)
            self._recordings[shape] = self._record(x.clone(), y.clone(), rates_M.clone())
        graph, inputs, scores = self._recordings[shape]
        for own, given in zip(inputs, (x, y, rates_M), strict=True):
            own.copy_(given)
        graph.replay()
        return scores.clone()

    def _record(self, *inputs: torch.Tensor) -> Recording:
        """Record a step without taking it."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            scores = self._step(*inputs)
        return graph, inputs, scores
