"""The data of a trainer, of which each training gets views of its own.

A training may change its data in place, and no other training sees that. Large data lie once in a memory
file. Each training maps that file privately: the system copies a page when a training writes to it, and only
then. Small data, and data on a GPU, are copied.
"""

import copy
import mmap
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

SMALL = 2**20  # bytes of a tensor, up to which it is copied rather than mapped

Split = Any  # one tensor, or a named tuple of tensors: see docs/tasks.md
Storage = torch.UntypedStorage


class Splits:
    """Splits as they were loaded, for any number of trainings."""

    def __init__(self, *splits: Split) -> None:
        self._copies: dict[int, Callable[[], Storage]] = {}  # by address: makes a private copy of a storage
        self._splits = [_rebuilt(split, self._keep) for split in splits]

    def private(self) -> list[Split]:
        """All splits as a training gets them: what it changes in them, no other training sees."""
        storages = {address: make() for address, make in self._copies.items()}
        return [_rebuilt(split, partial(_restored, storages)) for split in self._splits]

    def _keep(self, part: object) -> object:
        if type(part) is not torch.Tensor or part.layout is not torch.strided or part.is_quantized:
            return copy.deepcopy(part)
        storage = part.untyped_storage()
        if storage.data_ptr() not in self._copies:  # else it is shared with another part, and stays so
            large = storage.nbytes() > SMALL and part.device.type == "cpu"
            self._copies[storage.data_ptr()] = _mapper(storage) if large else storage.clone
        view = part.storage_offset(), part.size(), part.stride()
        return _View(storage.data_ptr(), part.device, part.dtype, view)


@dataclass(frozen=True)
class _View:
    """A tensor without its bytes. It keeps its strides, so that sums run in the same order."""

    address: int
    device: torch.device
    dtype: torch.dtype
    view: tuple[Any, ...]  # offset, size and strides


def _restored(storages: dict[int, Storage], part: object) -> object:
    """A part of a split as a training gets it."""
    if not isinstance(part, _View):
        return copy.deepcopy(part)
    return torch.empty(0, dtype=part.dtype, device=part.device).set_(storages[part.address], *part.view)


def _mapper(storage: Storage) -> Callable[[], Storage]:
    """A function that maps the bytes of a storage privately. The file has no name and goes with it."""
    in_memory = hasattr(os, "memfd_create")
    file = open(os.memfd_create("splits"), "w+b") if in_memory else tempfile.TemporaryFile()  # noqa: SIM115
    file.write(torch.empty(0, dtype=torch.uint8).set_(storage).numpy().data)
    file.flush()

    def mapped() -> Storage:
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        return torch.frombuffer(pages, dtype=torch.uint8).untyped_storage()

    return mapped


def _rebuilt(split: Split, change: Callable[[object], object]) -> Split:
    """A split of changed parts."""
    if not isinstance(split, tuple):
        return change(split)
    make: Callable[..., Split] = type(split)
    parts = map(change, split)
    return make(*parts) if hasattr(split, "_fields") else make(parts)
