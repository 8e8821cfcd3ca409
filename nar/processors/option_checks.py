"""Validation of processor options."""

import math
import numbers
from typing import Any


def check_counts(minimum: int = 1, **counts: Any) -> None:
    """Checks that all keyword arguments are integers of at least `minimum`.

    Raises:
      ValueError: if one isn't; the message has its name and value.
    """
    for name, value in counts.items():
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < minimum:
            raise ValueError(f"{name} must be an integer of at least {minimum}, got {value!r}")


def check_flags(**flags: Any) -> None:
    """Checks that all keyword arguments are True or False.

    Raises:
      ValueError: if one isn't; the message has its name and value.
    """
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False, got {value!r}")


def check_numbers(**values: Any) -> None:
    """Checks that all keyword arguments are finite real numbers.

    Raises:
      ValueError: if one isn't; the message has its name and value.
    """
    for name, value in values.items():
        if not isinstance(value, numbers.Real) or isinstance(value, bool) or not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, got {value!r}")


def check_positive(**values: Any) -> None:
    """Checks that all keyword arguments are finite positive numbers.

    Raises:
      ValueError: if one isn't; the message has its name and value.
    """
    check_numbers(**values)
    for name, value in values.items():
        if value <= 0:
            raise ValueError(f"{name} must be positive, got {value!r}")


def check_heads(num_heads: Any, **sizes: Any) -> None:
    """Checks that the number of attention heads divides all sizes, which must be positive integers.

    Raises:
      ValueError: if it doesn't; the message has the name and value of the size.
    """
    check_counts(**sizes)
    for name, size in sizes.items():
        is_integer = isinstance(num_heads, numbers.Integral) and not isinstance(num_heads, bool)
        if not is_integer or num_heads < 1 or size % num_heads:
            raise ValueError(f"num_heads must divide {name} = {size}, got {num_heads!r}")
