"""Several networks of one shape, trained at once: each step is a step of all.

Small networks spend most of their time in calls. A group makes the calls of one network for all of them.

M networks, S steps.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from torch import nn

from search.trainers.groups.conditions import are_close, check, found, numbers, options, own_state
from search.trainers.groups.descent import Batch, Descent, Taken
from search.trainers.groups.losses import Losses
from search.trainers.groups.recorded import Recorded
from search.trainers.groups.stacked import stack

RECORDS = True  # on a GPU: see `search.trainers.groups.recorded`


class Group:
    """Networks of one shape that take their steps together.

    Each network and its optimizer share their memory with the group. So they stay what they are to their
    trainings, and any of them can leave.

    Args:
        descents: of the networks.

    Raises ValueError where these networks cannot form a group.
    """

    def __init__(self, descents: Sequence[Descent]) -> None:
        self._models = [each.model for each in descents]
        self._optimizers = [each.optimizer for each in descents]
        check(descents)
        self._criterion = descents[0].criterion
        self._stacked = stack(self._models)
        self._weights = list(self._stacked.parameters())
        self._before = [torch.empty_like(weight) for weight in self._weights]  # the step that is taken
        first = self._optimizers[0]
        kind: Any = type(first)
        self._optimizer = kind(self._weights, lr=1.0)
        self._optimizer.param_groups[0].update(options(first))
        device = self._weights[0].device
        self._times = torch.tensor(float(len(descents)), device=device)  # the sum of means, from their mean
        self._recorded: Recorded | None = None
        if device.type == "cuda" and RECORDS and "capturable" in self._optimizer.param_groups[0]:
            self._optimizer.param_groups[0]["capturable"] = True
            self._recorded = Recorded()
        self._take_states()
        self._left = found(descents)  # as the group left them: a task may change them

    def is_of(self, descents: Sequence[Descent]) -> bool:
        """Whether these are the group's networks, as it left them, with as many steps to take each."""
        return len({len(each.rates) for each in descents}) == 1 and found(descents) == self._left

    def agrees(self, batch: Sequence[Batch]) -> bool:
        """Whether the group computes what its networks do, each of its own part of a batch.

        That neither draws random numbers nor changes the networks: a group would do so in another order.
        """
        device = self._weights[0].device
        with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            before = own_state(self._stacked)
            try:
                scores, loss = self._forward(*_stacked(batch))
            except Exception:  # whatever a network's or a task's own code makes of one more axis
                return False
            after = own_state(self._stacked)
            if before[1] != after[1] or not all(map(torch.equal, before[0], after[0])):
                return False
            alone = torch.stack([model(x) for model, (x, _) in zip(self._models, batch, strict=True)])
            losses = [self._criterion(own, y) for own, (_, y) in zip(alone, batch, strict=True)]
        return are_close(scores, alone) and are_close(loss, torch.stack(losses).mean())

    def descend(self, descents: Sequence[Descent]) -> list[Taken]:
        """Take the steps of all networks, up to one that is not possible for all at once."""
        began, rates = time.perf_counter(), [list(map(float, each.rates)) for each in descents]
        are_equal = self._recorded is None and all(each == rates[0] for each in rates)
        rates_SM = torch.tensor(rates, dtype=self._weights[0].dtype).T.contiguous()
        rates_SM = rates_SM.to(self._weights[0].device)
        iterators, losses = [iter(each.batches) for each in descents], Losses(self._criterion)
        for step in range(len(rates_SM)):
            batch: list[Batch] = []
            try:
                batch.extend(map(next, iterators))
                x, y = _stacked(batch)
                scores = self._learn(x, y, rates[0][step] if are_equal else rates_SM[step])
            except Exception:  # each training meets it alone, or not at all
                for index, (each, rest) in enumerate(zip(descents, iterators, strict=True)):
                    each.batches = chain(batch[index : index + 1], rest)
                break
            losses.add(scores, y)
        self._give_states()
        for each, own in zip(descents, rates, strict=True):
            each.optimizer.param_groups[0]["lr"] = own[max(0, losses.steps - 1)]
        self._left = found(descents)
        means = losses.means(len(descents))
        seconds = (time.perf_counter() - began) / len(descents)
        return [Taken(losses.steps, mean, seconds) for mean in means]

    def _learn(self, x: torch.Tensor, y: torch.Tensor, rate: float | torch.Tensor) -> torch.Tensor:
        """Take a step. Returns the outputs of all networks (M, B, ...)."""
        if self._recorded is None or isinstance(rate, float):
            return self._take_step(x, y, rate)
        return self._recorded.take(self._take_step, x, y, rate)

    def _take_step(self, x: torch.Tensor, y: torch.Tensor, rate: float | torch.Tensor) -> torch.Tensor:
        scores, loss = self._forward(x, y)
        for weight in self._weights:
            weight.grad = None
        loss.backward(self._times)
        self._step(rate)
        return scores.detach()

    def _forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The outputs of all networks (M, B, ...), and their mean loss."""
        scores = self._stacked(x)
        return scores, self._criterion(scores.flatten(0, 1), y.flatten(0, 1))

    def _step(self, rate: float | torch.Tensor) -> None:
        """Let the optimizer take a step: at one learning rate, or at one for each network (M,)."""
        if isinstance(rate, float):
            self._optimizer.param_groups[0]["lr"] = rate
            self._optimizer.step()
            return
        self._optimizer.param_groups[0]["lr"] = 1.0
        for before, weight in zip(self._before, self._weights, strict=True):
            before.copy_(weight.detach())
        self._optimizer.step()
        with torch.no_grad():
            for before, weight in zip(self._before, self._weights, strict=True):
                torch.lerp(before, weight, rate.view(-1, *(weight.dim() - 1) * [1]), out=weight)

    def _members(self) -> Iterator[tuple[nn.Parameter, list[nn.Parameter]]]:
        """Each parameter of the group, and those of the networks."""
        for name, parameter in self._stacked.named_parameters():
            yield parameter, [model.get_parameter(name) for model in self._models]

    def _take_states(self) -> None:
        """Let the group's optimizer know what those of the networks know."""
        for parameter, own in self._members():
            states = [each.state.get(p, {}) for each, p in zip(self._optimizers, own, strict=True)]
            if len({(*state, *numbers([state])) for state in states}) > 1:
                raise ValueError("the optimizers took different numbers of steps")
            if states[0]:
                self._optimizer.state[parameter] = {
                    name: torch.stack([state[name] for state in states]) if value.dim() else value.clone()
                    for name, value in states[0].items()
                }

    def _give_states(self) -> None:
        """Let the networks and their optimizers know what the group knows: a task may read it."""
        for parameter, own in self._members():
            if parameter.grad is not None:
                for each, gradient in zip(own, parameter.grad, strict=True):
                    each.grad = gradient
            state = self._optimizer.state[parameter].items()
            for index, (optimizer, each) in enumerate(zip(self._optimizers, own, strict=True)):
                optimizer.state[each] = {
                    name: value[index] if value.dim() else value.clone() for name, value in state
                }


def _stacked(batch: Sequence[Batch]) -> Batch:
    """The parts of a batch as x and y (M, B, ...). Raises ValueError where they differ in shape."""
    if len({(x.shape, y.shape) for x, y in batch}) > 1:
        raise ValueError("the parts of the batch differ in shape")
    x, y = (torch.stack(parts) for parts in zip(*batch, strict=True))
    return x, y
