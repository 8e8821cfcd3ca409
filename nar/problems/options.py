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

CLRS30 = "clrs30"
"""As a family of graphs: those of CLRS-30, which None stands for too."""

MOST_DECIMALS = 100
"""To which numbers may be cut; no more than 17 digits of a number say anything."""

NUM_CHARACTERS = 4
"""Size of the alphabet of all strings."""


def _probabilities(name: str, value: Any) -> np.ndarray:
    values = np.atleast_1d(np.asarray(value, dtype=object))
    if values.ndim != 1 or not values.size:
        raise ValueError(f"{name} must be a probability or a sequence of them, got {value!r}")
    for item in values:
        if not is_real(item) or not 0 <= item <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, got {item!r}")
    return values.astype(np.float64)


def _one_probability(name: str, value: Any) -> float:
    if not is_real(value) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a number between 0 and 1, got {value!r}")
    return float(value)


def _real(name: str, value: Any) -> float:
    number = value.item() if isinstance(value, np.generic) else value
    if not is_real(number) or not abs(number) <= LARGEST:
        raise ValueError(f"{name} must be a number of at most {LARGEST:g} in size, got {value!r}")
    return float(number)


def _positive_integer(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not is_integer(value) or not 1 <= value <= NO_BOUND:
        raise ValueError(f"{name} must be an integer from 1 to {NO_BOUND}, got {value!r}")
    return int(value)


def _size(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not is_integer(value) or not 1 <= value <= _LARGEST_SIZE:
        raise ValueError(f"{name} must be an integer from 1 to {_LARGEST_SIZE}, got {value!r}")
    return int(value)


def _positive_real(name: str, value: Any) -> float:
    number = _real(name, value)
    if number < SMALLEST:
        raise ValueError(f"{name} must be at least {SMALLEST:g}, got {value!r}")
    return number


def _num_characters(name: str, value: Any) -> int:
    if not is_integer(value) or not 1 <= value <= NUM_CHARACTERS:
        raise ValueError(f"{name} must be an integer from 1 to {NUM_CHARACTERS}, got {value!r}")
    return int(value)


def _length_needle(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not is_integer(value) or not 1 <= abs(int(value)) <= NO_BOUND:
        raise ValueError(f"{name} must be a length, a longest length times -1, or None, got {value!r}")
    return int(value)


def decimals(name: str, value: Any) -> int:
    """The value as a number of decimals; None is 0. ValueError if it is none."""
    if value is None:
        return 0
    if not is_integer(value) or not 0 <= value <= MOST_DECIMALS:
        raise ValueError(f"{name} must be an integer from 0 (all) to {MOST_DECIMALS} or None, got {value!r}")
    return int(value)


def is_integer(value: Any) -> bool:
    """Whether the value is an integer of Python or numpy; a bool is not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_real(value: Any) -> bool:
    """Whether the value is a number of Python or numpy, infinite or not; a bool is not."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _family(name: str, value: Any) -> str | None:
    if value is None or (isinstance(value, str) and value == CLRS30):
        return None
    known = ("erdos_renyi", *GRAPH_FAMILIES)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {CLRS30}, {', '.join(known)}; got {value!r}")
    return value


def any_option(name: str, value: Any) -> Any:
    """A value of an option that nar does not know, in the type that samplers take; any value is valid."""
    del name
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if is_integer(value):
        return int(value)
    if is_real(value):
        return float(value)
    if isinstance(value, list | tuple) and value and all(is_real(item) for item in value):
        return np.array(value, np.float64)
    return value


def _switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return bool(value)


OPTION_CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "p": _probabilities,
    "low": _real,
    "high": _real,
    "max_deadline": _positive_integer,
    "k": _size,
    "eps": _one_probability,
    "length_2": _size,
    "chars": _num_characters,
    "length_needle": _length_needle,
    "origin_x": _real,
    "origin_y": _real,
    "radius": _positive_real,
    "family": _family,
    "decimals": decimals,
    "directed": _switch,
    "weighted": _switch,
}
"""Name of an option -> `(name, value) -> value` in the type that samplers take; ValueError if it is bad."""
