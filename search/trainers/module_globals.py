"""The globals of a task's modules, kept apart for each training.

A counter, a cache or a generator at the top of a task's file would otherwise carry over to the next training.
That training would depend on those before it, and no frozen script would repeat it. Attributes of a class are
not kept apart.
"""

import copy
import functools
import sys
from types import ModuleType
from typing import Any

from search.paths import PACKAGES

Values = dict[ModuleType, dict[str, object]]
Memo = dict[int, Any]  # of copy.deepcopy


class Globals:
    """The globals of all modules of tasks, models and data, as they are now."""

    def __init__(self) -> None:
        modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in PACKAGES]
        self._values: Values = {module: dict(vars(module)) for module in modules}
        self._pristine: dict[tuple[ModuleType, str], object] = {}  # what can change: most modules have none
        memo: Memo = {}
        for module, values in self._values.items():
            for name, value in values.items():
                if not name.startswith("__") and (own := _copied(value, memo)) is not value:
                    self._pristine[module, name] = own

    def fresh(self) -> Values:
        """All globals for one training, with copies of its own of what can change."""
        fresh: Values = {module: values.copy() for module, values in self._values.items()}
        memo: Memo = {}
        for (module, name), value in self._pristine.items():
            fresh[module][name] = _copied(value, memo)
        return fresh


class OwnGlobals:
    """The globals of one training: within a `with` statement they are those of the modules.

    Args:
        all_globals: what they begin as.
        stand_in: an object, and what takes its place under whatever name a module has it.
    """

    def __init__(self, all_globals: Globals, stand_in: tuple[object, object] = (None, None)) -> None:
        self._all, self._stand_in = all_globals, stand_in
        self._own: Values | None = None
        self._others: Values = {}

    def __enter__(self) -> None:
        if self._own is None:
            self._own = self._all.fresh()
            original, stand_in = self._stand_in
            for values in self._own.values():
                values.update({name: stand_in for name, value in values.items() if value is original})
        self._others = _replaced(self._own)

    def __exit__(self, *_: object) -> None:
        self._own = _replaced(self._others)

    def forget(self) -> None:
        """Let go of everything, once the training has ended: the stand-in is a part of it."""
        self._own, self._stand_in = None, (None, None)


def _replaced(values: Values) -> Values:
    """Give each module these globals. Returns those that it had."""
    before = {module: dict(vars(module)) for module in values}
    for module, wanted in values.items():
        present = vars(module)
        for name in present.keys() - wanted.keys():
            del present[name]
        present.update(wanted)
    return before


def _copied(value: Any, memo: Memo) -> object:
    """A deep copy; the value itself where it cannot change, or cannot be copied."""
    if hasattr(value, "cache_parameters"):  # of functools.lru_cache: with a cache of its own
        return functools.lru_cache(**value.cache_parameters())(value.__wrapped__)
    if isinstance(value, ModuleType | type) or callable(value) and hasattr(value, "__code__"):
        return value
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # a lock, say, or what a user's class raises
        return value
