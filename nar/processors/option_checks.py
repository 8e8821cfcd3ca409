"""Checks of options, before any work starts."""

from typing import Any


def check_counts(at_least: int = 1, **counts: Any) -> None:
    """Raises ValueError, with its name and value, for a count that is no integer of at least `at_least`."""
    for name, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
            raise ValueError(f"{name} must be an integer of at least {at_least}, got {value!r}")
