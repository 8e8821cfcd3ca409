"""Checks of the options with which an instance is drawn."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nar.problems.families import GRAPH_FAMILIES

Probabilities = float | Sequence[float]

_LARGEST_SIZE = 2**16

LARGEST, SMALLEST = 1e100, 1e-100
"""Bounds of numbers and of ranges to draw from, so that no algorithm meets an overflow or an underflow."""

NO_BOUND = 2**53
"""All integers up to here are exact as floats."""

NUM_CHARACTERS = 4
"""Size of the alphabet of all strings."""


def _check_probability(name: str, value: Any) -> None:
    values = np.atleast_1d(np.asarray(value, dtype=object))
    if values.ndim != 1 or not values.size:
        raise ValueError(f"{name} must be a probability or a sequence of them, got {value!r}")
    for item in values:
        if not is_real(item) or not 0 <= item <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, got {item!r}")


def _check_one_probability(name: str, value: Any) -> None:
    if not is_real(value) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a number between 0 and 1, got {value!r}")


def _check_real(name: str, value: Any) -> None:
    number = value.item() if isinstance(value, np.generic) else value
    if not is_real(number) or not abs(number) <= LARGEST:
        raise ValueError(f"{name} must be a number of at most {LARGEST:g} in size, got {value!r}")


def _check_positive_integer(name: str, value: Any) -> None:
    if value is None:
        return
    if not is_integer(value) or not 1 <= value <= NO_BOUND:
        raise ValueError(f"{name} must be an integer from 1 to {NO_BOUND}, got {value!r}")


def _check_size(name: str, value: Any) -> None:
    if value is None:
        return
    if not is_integer(value) or not 1 <= value <= _LARGEST_SIZE:
        raise ValueError(f"{name} must be an integer from 1 to {_LARGEST_SIZE}, got {value!r}")


def _check_positive_real(name: str, value: Any) -> None:
    _check_real(name, value)
    if value < SMALLEST:
        raise ValueError(f"{name} must be at least {SMALLEST:g}, got {value!r}")


def _check_num_characters(name: str, value: Any) -> None:
    if not is_integer(value) or not 1 <= value <= NUM_CHARACTERS:
        raise ValueError(f"{name} must be an integer from 1 to {NUM_CHARACTERS}, got {value!r}")


def _check_length_needle(name: str, value: Any) -> None:
    if value is None:
        return
    if not is_integer(value) or not 1 <= abs(int(value)) <= NO_BOUND:
        raise ValueError(f"{name} must be a length, a longest length times -1, or None, got {value!r}")


def is_integer(value: Any) -> bool:
    """Whether the value is an integer of Python or numpy; a bool is not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_real(value: Any) -> bool:
    """Whether the value is a number of Python or numpy, infinite or not; a bool is not."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _check_family(name: str, value: Any) -> None:
    known = ("erdos_renyi", *GRAPH_FAMILIES)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")


def _check_switch(name: str, value: Any) -> None:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {value!r}")


OPTION_CHECKS: Mapping[str, Callable[[str, Any], None]] = {
    "p": _check_probability,
    "low": _check_real,
    "high": _check_real,
    "max_deadline": _check_positive_integer,
    "k": _check_size,
    "eps": _check_one_probability,
    "length_2": _check_size,
    "chars": _check_num_characters,
    "length_needle": _check_length_needle,
    "origin_x": _check_real,
    "origin_y": _check_real,
    "radius": _check_positive_real,
    "family": _check_family,
    "directed": _check_switch,
    "weighted": _check_switch,
}
