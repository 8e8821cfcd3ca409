"""Problem options of a config: checked against the algorithms that have them, and given to those."""

from collections.abc import Mapping, Sequence
from typing import Any

from nar.algorithms import Algorithm
from nar.plugins import did_you_mean


def check_options(key: str, options: Mapping[str, Any], algorithms: Sequence[Algorithm]) -> None:
    """Raises ValueError if none of the algorithms has one of the problem options of a config key."""
    known = {name for algorithm in algorithms for name in algorithm.problem.options}
    for option in options:
        if option not in known:
            names = ", ".join(algorithm.name for algorithm in algorithms)
            hint = did_you_mean(option, known)
            raise ValueError(
                f"{key}.{option}: none of {names} has this option; "
                f"known: {', '.join(sorted(known)) or 'none'}{hint}"
            )


def without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    """Problem options without those of value None, which have the problem's own defaults."""
    return {name: value for name, value in options.items() if value is not None}
