"""Where tensors are: on the processor, or on a GPU where torch can use one."""

import torch

from search.errors import unknown
from search.tasks.task import Split

DEVICES = ("cpu", "cuda")


def usable(requested: str) -> tuple[str, str]:
    """The device to use where this one is requested, and the reason where it is another one, or "".

    Raises UsageError.
    """
    if requested not in DEVICES:
        raise unknown("DEVICE", requested, DEVICES)
    try:
        torch.ones(2, device=requested).sum().item()  # a GPU may be visible and yet not compute
    except (AssertionError, RuntimeError) as error:
        return "cpu", str(error).partition("\n")[0].partition(". ")[0].rstrip(".")
    return requested, ""


def name(device: str) -> str:
    """The name of a GPU's model, and of the device."""
    return f"{torch.cuda.get_device_name(device)} ({device})"


def moved(split: Split, device: str) -> Split:
    """A split, one tensor or a named tuple of tensors, on a device."""
    if isinstance(split, torch.Tensor):
        return split.to(device)
    return type(split)(*(part.to(device) for part in split))
