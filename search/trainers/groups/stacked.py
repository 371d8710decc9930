"""Networks of one shape as one network, whose parameters have a leading axis of networks.

M networks, B batch, I inputs, O outputs, V vocabulary, C units.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class Linears(nn.Module):
    """Linear layers side by side: (M, ..., I) -> (M, ..., O)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = _stacked([layer.weight for layer in layers])
        self.bias = _stacked([layer.bias for layer in layers]) if layers[0].bias is not None else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What each layer makes of its own part of x."""
        x_MBI = x if x.dim() == 3 else x.flatten(1, -2)
        if self.bias is None:
            y_MBO = torch.bmm(x_MBI, self.weight.mT)
        else:
            y_MBO = torch.baddbmm(self.bias[:, None], x_MBI, self.weight.mT)
        return y_MBO if x.dim() == 3 else y_MBO.unflatten(1, x.shape[1:-1])


class Embeddings(nn.Module):
    """Look-up tables side by side: indices (M, ...) -> (M, ..., C)."""

    def __init__(self, tables: Sequence[nn.Embedding]) -> None:
        super().__init__()
        self.weight = _stacked([table.weight for table in tables])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The rows of each table that its own part of x names."""
        n_networks, n_rows = self.weight.shape[:2]
        first_M = torch.arange(0, n_networks * n_rows, n_rows, device=x.device)
        return F.embedding(x + first_M.view(-1, *(x.dim() - 1) * [1]), self.weight.flatten(0, 1))


class LayerNorms(nn.Module):
    """Layer normalisations side by side: (M, ..., C) -> (M, ..., C)."""

    def __init__(self, layers: Sequence[nn.LayerNorm]) -> None:
        super().__init__()
        self.shape, self.eps = layers[0].normalized_shape, layers[0].eps
        self.weight = _stacked([layer.weight for layer in layers])
        self.bias = _stacked([layer.bias for layer in layers])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Each part of x, normalised and scaled as its own layer does."""
        shape = len(self.weight), *(x.dim() - self.weight.dim()) * [1], *self.shape
        normalised = F.layer_norm(x, self.shape, eps=self.eps)
        return torch.addcmul(self.bias.view(shape), normalised, self.weight.view(shape))


def _is_plain(module: nn.Module) -> bool:
    """Whether a module does no more than its counterpart here."""
    if isinstance(module, nn.Embedding):
        return module.padding_idx is None and module.max_norm is None and not module.scale_grad_by_freq
    return not isinstance(module, nn.LayerNorm) or module.bias is not None


COUNTERPARTS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.Linear: Linears,
    nn.Embedding: Embeddings,
    nn.LayerNorm: LayerNorms,
}


def stack(networks: Sequence[nn.Module]) -> nn.Module:
    """One network that does what several of one shape do, each with its own part of the input.

    It shares its memory with them: who trains it trains them. Its parameters have the names that they have in
    each network. Raises ValueError where their shapes differ, where another kind of module than those of
    COUNTERPARTS has parameters, or where modules share parameters.
    """
    first = networks[0]
    if len(list(first.named_parameters(remove_duplicate=False))) > len(list(first.parameters())):
        raise ValueError("modules share parameters")  # each would get its own in the stacked network
    if len({_shape(network) for network in networks}) > 1:
        raise ValueError("the networks differ in shape")
    stacked = copy.deepcopy(first)
    for name, module in first.named_modules():
        if next(module.parameters(recurse=False), None) is None:
            continue
        if type(module) not in COUNTERPARTS or not _is_plain(module):
            raise ValueError(f"no counterpart for {type(module).__name__}")
        layers = COUNTERPARTS[type(module)]([network.get_submodule(name) for network in networks])
        parent, _, attribute = name.rpartition(".")
        if name:
            setattr(stacked.get_submodule(parent), attribute, layers)
        else:
            stacked = layers
    for name, parameter in stacked.named_parameters():
        for network, own in zip(networks, parameter.data, strict=True):
            network.get_parameter(name).data = own
    return stacked


def _shape(network: nn.Module) -> tuple[Any, ...]:
    parameters = ((name, p.shape, p.dtype, p.device) for name, p in network.named_parameters())
    return type(network), *parameters


def _stacked(parameters: Sequence[torch.Tensor]) -> nn.Parameter:
    return nn.Parameter(torch.stack([parameter.detach() for parameter in parameters]))
