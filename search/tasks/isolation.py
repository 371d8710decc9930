"""The state of the process that a task's code may change, kept apart for each training.

Trainings take turns in one process. While a training runs, its own state is active. While it waits, the
process's state is. So no training depends on those that ran before it or between its epochs. Each training
has a thread of its own, so state of a thread (grad mode, autocast, default device, numpy's errstate,
contextvars) needs no entry here.
"""

import contextlib
import gc
import locale
import multiprocessing
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import torch
from numpy.random import mtrand

Access = tuple[Callable[[], Any], Callable[[Any], object]]  # how to get a value, how to set it
Values = list[object]
Environment = dict[Any, Any]  # as the system encodes it
UNKNOWN = object()  # a value that could not be got
PLAIN = bool, int, str, tuple, dict, type(None)  # compared by value, all else by identity


def _attribute(owner: object, name: str) -> Access:
    return (lambda: getattr(owner, name)), (lambda value: setattr(owner, name, value))


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _set_deterministic(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _anomaly() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _environment() -> Environment:
    encoded: Environment = vars(os.environ)["_data"]  # a hundredth of the time of os.environ.copy()
    return encoded.copy()


def _set_environment(value: Environment) -> None:
    now, decode = _environment(), os.environ.decodevalue
    for name in now.keys() - value.keys():
        del os.environ[os.environ.decodekey(name)]
    for name in [name for name in value if value[name] != now.get(name)]:
        os.environ[os.environ.decodekey(name)] = decode(value[name])


def _folder() -> str | None:
    with contextlib.suppress(OSError):  # it was deleted
        return os.getcwd()
    return None


def _set_folder(value: str | None) -> None:
    if value is not None:
        with contextlib.suppress(OSError):
            os.chdir(value)


def _set_filters(value: list[Any]) -> None:
    changed = warnings.filters != value
    warnings.filters = value
    if changed:
        getattr(warnings, "_filters_mutated", lambda: None)()


def _set_gc(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()


SETTINGS: list[Access] = [
    _attribute(sys, "stdout"),
    _attribute(sys, "stderr"),
    _attribute(sys, "stdin"),
    _attribute(sys, "path"),
    _attribute(warnings, "showwarning"),
    (lambda: warnings.filters, _set_filters),
    (_environment, _set_environment),
    (_folder, _set_folder),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (lambda: locale.setlocale(locale.LC_ALL), lambda value: locale.setlocale(locale.LC_ALL, value)),
    (gc.isenabled, _set_gc),
    (
        lambda: multiprocessing.get_start_method(allow_none=True),
        lambda value: multiprocessing.set_start_method(value, force=True),
    ),
    (torch.get_default_dtype, torch.set_default_dtype),
    (_deterministic, _set_deterministic),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (_anomaly, lambda value: torch.set_anomaly_enabled(*value)),
    _attribute(torch.backends.cudnn, "benchmark"),
    _attribute(torch.backends.cudnn, "deterministic"),
]


def _numpy_generator() -> tuple[Any, Any]:
    return mtrand.get_bit_generator(), numpy.random.get_state(legacy=False)


def _set_numpy_generator(value: tuple[Any, Any]) -> None:
    if mtrand.get_bit_generator() is not value[0]:
        mtrand.set_bit_generator(value[0])
    numpy.random.set_state(value[1])


GENERATORS: list[Access] = [
    (torch.get_rng_state, torch.set_rng_state),
    (_numpy_generator, _set_numpy_generator),
    (random.getstate, random.setstate),
]
CUDA: list[Access] = [(torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all)]


def drawn() -> tuple[object, ...]:
    """What was drawn from all generators so far, as values to compare."""
    on_gpu = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    states = [each.numpy().tobytes() for each in [torch.get_rng_state(), *on_gpu]]
    return str(numpy.random.get_state(legacy=False)), random.getstate(), *states


class State:
    """The state of one training. It is active within a `with` statement, and is kept when that ends.

    Args:
        device: where tensors are.
    """

    def __init__(self, device: str) -> None:
        self._generators = GENERATORS + CUDA if device == "cuda" else GENERATORS
        self._own: tuple[Values, Values] | None = None  # settings and generators, once it was active
        self._others: tuple[Values, Values] = [], []  # of the process, while this state is active

    def __enter__(self) -> None:
        self._others = _capture(SETTINGS), _capture(self._generators)
        if self._own is None:  # it begins as the process's, with lists of its own
            sys.path, warnings.filters = sys.path.copy(), list(warnings.filters)
        else:
            _activate(SETTINGS, self._others[0], self._own[0])
            _activate(self._generators, None, self._own[1])

    def __exit__(self, *_: object) -> None:
        self._own = _capture(SETTINGS), _capture(self._generators)
        _activate(SETTINGS, self._own[0], self._others[0])
        _activate(self._generators, None, self._others[1])

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Within it the process's settings are active. Its generators are not: they take longer."""
        own = _capture(SETTINGS)
        _activate(SETTINGS, own, self._others[0])
        try:
            yield
        finally:
            others = _capture(SETTINGS)
            _activate(SETTINGS, others, own)
            self._others = others, self._others[1]


def _capture(table: list[Access]) -> Values:
    """The active values of a table."""
    return [_value(get) for get, _ in table]


def _value(get: Callable[[], object]) -> object:
    try:
        return get()
    except Exception:  # torch refuses some where a task mixed its old and new interfaces
        return UNKNOWN


def _activate(table: list[Access], active: Values | None, wanted: Values) -> None:
    """Make values of a table the active ones. Where the active ones are known, only those that differ."""
    for place, (_, put) in enumerate(table):
        if wanted[place] is UNKNOWN or (active is not None and _same(active[place], wanted[place])):
            continue
        with contextlib.suppress(Exception):  # a recursion limit, say, may be too low to be set from here
            put(wanted[place])
    if table is SETTINGS:
        # Each thread has its own number, and MKL keeps the last one.
        torch.set_num_threads(torch.get_num_threads())


def _same(one: object, other: object) -> bool:
    return one is other or (type(one) in PLAIN and one == other)
