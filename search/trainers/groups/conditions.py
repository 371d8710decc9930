"""Under which conditions networks may take their steps together.

A group is checked when it forms. Before each descent it is compared with what it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from search.trainers.groups.descent import Descent

PROPORTIONAL = torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD  # their steps, to the learning rate
AGREEMENT = 1e-4  # relative: so much may the outputs of a group differ from those of its networks


def own_state(network: nn.Module) -> tuple[list[torch.Tensor], list[object]]:
    """What a forward pass may change: buffers and random generators; plain attributes of modules."""
    tensors = [torch.get_rng_state(), *(buffer.clone() for buffer in network.buffers())]
    if any(parameter.is_cuda for parameter in network.parameters()):
        tensors.append(torch.cuda.get_rng_state())
    attributes = (value for module in network.modules() for value in vars(module).values())
    return tensors, [value for value in attributes if isinstance(value, int | float | str)]


def are_close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two results are equal but for rounding."""
    allowed = AGREEMENT * float(other.abs().mean())
    return one.shape == other.shape and torch.allclose(
        one, other, rtol=AGREEMENT, atol=allowed, equal_nan=True
    )


def check(descents: Sequence[Descent]) -> None:
    """Raise ValueError where networks cannot learn together, whatever their shape."""
    kinds = {(type(each.optimizer), each.criterion, len(each.rates)) for each in descents}
    if len(kinds) > 1:
        raise ValueError("the trainings differ in optimizer, criterion or steps")
    if type(descents[0].optimizer) not in PROPORTIONAL:
        raise ValueError(
            f"the steps of {type(descents[0].optimizer).__name__} are not known to be proportional"
        )
    if any(options(each.optimizer) != options(descents[0].optimizer) for each in descents):
        raise ValueError("the optimizers differ in more than the learning rate")
    for each in descents:
        if _has_hooks(each):
            raise ValueError("hooks are called for one network at a time")
        (first, *more), own = each.optimizer.param_groups, list(each.model.parameters())
        if more or [id(p) for p in first["params"]] != [id(p) for p in own]:
            raise ValueError("the optimizer trains other parameters than those of the network")
        if not all(p.requires_grad for p in own):
            raise ValueError("some parameters are not trained")
        if len({p.dtype for p in own}) > 1:
            raise ValueError("the parameters differ in type")


def found(descents: Sequence[Descent]) -> list[Any]:
    """All of these trainings that their steps depend on, as values to compare; batches and rates excepted."""
    everything: list[Any] = []
    for each in descents:
        state = each.optimizer.state
        weights = [(id(p), p.data_ptr(), p.requires_grad) for p in each.model.parameters()]
        places = [[v.data_ptr() for v in state[p].values() if torch.is_tensor(v) and v.dim()] for p in state]
        modes = [module.training for module in each.model.modules()]
        trained = [[id(p) for p in group["params"]] for group in each.optimizer.param_groups]
        everything.append((id(each.model), id(each.optimizer), each.criterion, options(each.optimizer)))
        everything.append((weights, places, modes, trained, _has_hooks(each)))
    return [*everything, numbers(state for each in descents for state in each.optimizer.state.values())]


def numbers(states: Iterable[Mapping[str, Any]]) -> list[float]:
    """The numbers that optimizers know of parameters, such as that of their steps."""
    every = (value for state in states for value in state.values())
    known = [value for value in every if torch.is_tensor(value) and not value.dim()]
    return torch.stack(known).tolist() if known else []  # one wait for a GPU, rather than many


def _has_hooks(descent: Descent) -> bool:
    """Whether a network, its parameters or its optimizer call back: a group has parameters of its own."""
    owners = [descent.optimizer, *descent.model.modules()]
    return any(p._backward_hooks or p._post_accumulate_grad_hooks for p in descent.model.parameters()) or any(
        value for owner in owners for name, value in vars(owner).items() if name.endswith("_hooks")
    )


def options(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The options of an optimizer, but for its learning rate."""
    return {name: v for name, v in optimizer.param_groups[0].items() if name not in ("params", "lr")}
