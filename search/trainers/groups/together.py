"""The steps of several trainings, taken at once where their networks can form a group."""

import copy
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace

from search.trainers.groups.descent import Batch, Descent, Taken
from search.trainers.groups.group import Group

COPIES = 4  # of a network, which tell what a group of it gains
STEPS = 3  # of each, which are timed
TIMES = 5  # the fastest of which counts: other programs disturb the others
LONG_STEP = 5e-3  # seconds: of a longer one, calls are so small a part that a group gains nothing


class Together:
    """Takes the steps of trainings that advance side by side."""

    def __init__(self) -> None:
        self._group: Group | None = None  # that of the last call

    def take(self, descents: Mapping[int, Descent]) -> dict[int, Taken]:
        """Take the steps of all these trainings. Returns nothing if each is to take its own."""
        members = list(descents.values())
        if self._group is None or not self._group.is_of(members):
            self._group = formed(members)
        if self._group is None:
            return {}
        return dict(zip(descents, self._group.descend(members), strict=True))


def formed(descents: Sequence[Descent]) -> Group | None:
    """A group of these networks; None if it would gain nothing, or if they cannot learn together.

    On a GPU even one network gains, as its steps are recorded.
    """
    if len(descents) < (1 if any(map(_is_on_gpu, descents)) else 2):
        return None
    try:
        batch = [each.first_batch() for each in descents]
        group = Group(descents)
        return group if group.agrees(batch) else None
    except Exception:  # whatever the code of a task raises: its own training meets it
        return None


def gain(descent: Descent, batch: Batch) -> float:
    """How many times as fast networks of this kind learn in a group of COPIES; 1.0 if they cannot.

    Copies take a few steps on the batch, one alone and all together.
    """
    try:
        return _gain(descent, batch)
    except Exception:  # a network cannot be copied, say, or takes no more steps after its training
        return 1.0


def _gain(descent: Descent, batch: Batch) -> float:
    # The second clock stands still while other programs run, but also while a GPU does.
    clock = time.perf_counter if _is_on_gpu(descent) else time.thread_time

    def seconds(do: Callable[[], object]) -> float:
        began = clock()
        do()
        return clock() - began

    def copies(number: int) -> list[Descent]:
        pairs = [copy.deepcopy((descent.model, descent.optimizer)) for _ in range(number)]
        batches, rates = STEPS * [batch], STEPS * [descent.rates[0]]
        return [Descent(model, optimizer, descent.criterion, batches, rates) for model, optimizer in pairs]

    (one,) = copies(1)
    if seconds(one.alone) > STEPS * LONG_STEP:
        return 1.0
    members = copies(COPIES)
    group = formed(members)
    if group is None:
        return 1.0

    def together() -> None:
        group.descend([replace(each, batches=STEPS * [batch]) for each in members])

    together()  # the first steps are slow
    pairs = [(seconds(one.alone), seconds(together)) for _ in range(TIMES)]
    alone, in_group = map(min, zip(*pairs, strict=True))
    return float(COPIES * alone / in_group)


def _is_on_gpu(descent: Descent) -> bool:
    return any(parameter.is_cuda for parameter in descent.model.parameters())


def shape_of(descent: Descent, batch: Batch) -> Hashable:
    """What the gain of a group depends on."""
    parameters = tuple(tuple(parameter.shape) for parameter in descent.model.parameters())
    return type(descent.model), type(descent.optimizer), parameters, *(tuple(part.shape) for part in batch)
