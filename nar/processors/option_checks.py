"""Validation of processor options."""

from typing import Any


def check_counts(minimum: int = 1, **counts: Any) -> None:
    """Checks that all keyword arguments are integers of at least `minimum`.

    Raises:
      ValueError: if one isn't; the message has its name and value.
    """
    for name, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise ValueError(f"{name} must be an integer of at least {minimum}, got {value!r}")
