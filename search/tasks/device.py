"""What tensors are trained on: the processor, or a GPU where torch can use one."""

import torch

from search.errors import unknown

DEVICES = ("cpu", "cuda")


def usable(asked):
    """The device that there is where this one is asked for, and why it is another one, or "".

    Raises UsageError.
    """
    if asked not in DEVICES:
        raise unknown("DEVICE", asked, DEVICES)
    try:
        torch.ones(2, device=asked).sum().item()  # a GPU may be seen and yet not compute
    except (AssertionError, RuntimeError) as error:
        return "cpu", str(error).partition("\n")[0].partition(". ")[0].rstrip(".")
    return asked, ""


def name(device):
    """What a GPU is called."""
    return f"{torch.cuda.get_device_name(device)} ({device})"


def moved(split, device):
    """A split, one tensor or a named tuple of tensors, on a device."""
    if torch.is_tensor(split):
        return split.to(device)
    return type(split)(*(part.to(device) for part in split))
