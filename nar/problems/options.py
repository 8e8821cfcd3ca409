"""Validation of the options of samplers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nar.plugins import did_you_mean
from nar.problems.exact_numbers import MAX_EXACT_INTEGER
from nar.problems.families import GRAPH_FAMILIES

Probabilities = float | Sequence[float]

_MAX_SIZE = 2**16

MAX_MAGNITUDE, MIN_MAGNITUDE = 1e100, 1e-100
"""Bounds on the magnitude of numbers and ranges, so that no algorithm overflows or underflows."""

CLRS30 = "clrs30"
"""Value of the option `family` for the graphs of CLRS-30; None means the same."""

MAX_DECIMALS = 100
"""Upper bound of the option `decimals` (only 17 digits of a float are significant)."""

NUM_CHARACTERS = 4
"""Alphabet size of all strings."""


def _probabilities(name: str, value: Any) -> np.ndarray:
    values = np.atleast_1d(np.asarray(value, dtype=object))
    if values.ndim != 1 or not values.size:
        raise ValueError(f"{name} must be a probability or a sequence of them, got {value!r}")
    for item in values:
        if not is_real(item) or not 0 <= item <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, got {item!r}")
    return values.astype(np.float64)


def _probability(name: str, value: Any) -> float:
    if not is_real(value) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a number between 0 and 1, got {value!r}")
    return float(value)


def _optional_probability(name: str, value: Any) -> float | None:
    return None if value is None else _probability(name, value)


def _real(name: str, value: Any) -> float:
    number = value.item() if isinstance(value, np.generic) else value
    if not is_real(number) or not abs(number) <= MAX_MAGNITUDE:
        raise ValueError(f"{name} must be a number of magnitude at most {MAX_MAGNITUDE:g}, got {value!r}")
    return float(number)


def _positive_integer(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not is_integer(value) or not 1 <= value <= MAX_EXACT_INTEGER:
        raise ValueError(f"{name} must be an integer from 1 to {MAX_EXACT_INTEGER}, got {value!r}")
    return int(value)


def _size(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not is_integer(value) or not 1 <= value <= _MAX_SIZE:
        raise ValueError(f"{name} must be an integer from 1 to {_MAX_SIZE}, got {value!r}")
    return int(value)


def _positive_real(name: str, value: Any) -> float:
    number = _real(name, value)
    if number < MIN_MAGNITUDE:
        raise ValueError(f"{name} must be at least {MIN_MAGNITUDE:g}, got {value!r}")
    return number


def _num_characters(name: str, value: Any) -> int:
    if not is_integer(value) or not 1 <= value <= NUM_CHARACTERS:
        raise ValueError(f"{name} must be an integer from 1 to {NUM_CHARACTERS}, got {value!r}")
    return int(value)


def _length_needle(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not is_integer(value) or not 1 <= abs(int(value)) <= MAX_EXACT_INTEGER:
        raise ValueError(f"{name} must be a length, the negative of a maximum length, or None, got {value!r}")
    return int(value)


def decimals(name: str, value: Any) -> int:
    """Converts a value to a number of decimals, None to 0; raises ValueError if it is invalid."""
    if value is None:
        return 0
    if not is_integer(value) or not 0 <= value <= MAX_DECIMALS:
        raise ValueError(
            f"{name} must be an integer from 0 (keep all) to {MAX_DECIMALS}, or None, got {value!r}"
        )
    return int(value)


def is_integer(value: Any) -> bool:
    """Returns True for Python and numpy integers, but not for bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_real(value: Any) -> bool:
    """Returns True for real Python and numpy numbers, including infinity and NaN, but not for bool."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _family(name: str, value: Any) -> str | None:
    if value is None or (isinstance(value, str) and value == CLRS30):
        return None
    if isinstance(value, str) and ":" in value:
        GRAPH_FAMILIES.find(value)
        return value
    known = (CLRS30, "erdos_renyi", *GRAPH_FAMILIES)
    if not isinstance(value, str) or value not in known:
        hint = did_you_mean(value, known)
        raise ValueError(f"{name} must be one of {', '.join(known)}, or module:FUNCTION; got {value!r}{hint}")
    return value


def custom_option(name: str, value: Any) -> Any:
    """Converts the value of an option of a custom sampler to the type that samplers take; all are valid."""
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


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return bool(value)


OPTION_CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "p": _probabilities,
    "low": _real,
    "high": _real,
    "max_deadline": _positive_integer,
    "k": _size,
    "eps": _probability,
    "rewiring": _optional_probability,
    "length_2": _size,
    "chars": _num_characters,
    "length_needle": _length_needle,
    "origin_x": _real,
    "origin_y": _real,
    "radius": _positive_real,
    "family": _family,
    "decimals": decimals,
    "directed": _boolean,
    "weighted": _boolean,
}
"""Option -> `(name, value) -> value` in the type that samplers take, or ValueError if it is invalid."""
