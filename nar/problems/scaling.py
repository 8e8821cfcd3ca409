"""Changes of the numbers of a problem that leave the answer of an algorithm as it is, bit for bit.

A network is good at numbers like those of its training. Many problems have the same answer in other units:
the shortest paths of a graph are the same in miles and in kilometers. `Scaling` declares which changes an
algorithm does not notice; `find_change` chooses one that leads into the range of training:

- "order": only comparisons of the numbers matter (sorting). Any increasing map will do; here a linear one,
  unless rounding makes different numbers equal.
- "factor": sums and comparisons (shortest paths). A factor that is a power of two changes the exponents of
  all floats and of their sums, and nothing else, so that no comparison changes, not even a tie.
- "motion": differences of coordinates (convex hulls). Shifts, too, if they are exact in floating point, and
  then such a factor.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from nar.problems.large_graphs import EdgeList

Array = np.ndarray
Ranges = Mapping[str, tuple[float, float]]
"""Argument -> smallest and largest number that a sampler can draw."""

INVARIANCES = ("order", "factor", "motion")

_SMALL = 16
"""Numbers are scaled up if they fill less than this fraction of their range."""

_MIN, _MAX = 1e-90, 1e90
"""Magnitudes for which no product of three numbers underflows or overflows."""


@dataclasses.dataclass(frozen=True)
class Scaling:
    """The changes of a problem's numbers that do not change an algorithm's answer.

    Attributes:
      arguments: names of the arguments that are changed, all alike.
      invariance: one of `INVARIANCES`; see the top of this file.
      degrees: power of the factor by which each scalar hint and output grows; 0 for those that stay the same,
        None for hints that have no unit, which are left out of predictions for a changed problem.
      total: whether the sum of all numbers, rather than the largest, is compared with the range.
    """

    arguments: tuple[str, ...]
    invariance: str = "factor"
    degrees: Mapping[str, int | None] = dataclasses.field(default_factory=dict)
    total: bool = False

    def __post_init__(self) -> None:
        """Checks the invariance."""
        if self.invariance not in INVARIANCES:
            raise ValueError(f"invariance must be one of {', '.join(INVARIANCES)}, got {self.invariance!r}")


@dataclasses.dataclass(frozen=True)
class Change:
    """The map x -> (x - shift) * factor + offset of the numbers of each argument; zeros of graphs stay zero.

    Attributes:
      factor: the factor of all arguments.
      shifts: by argument.
      offsets: by argument.
    """

    factor: float
    shifts: Mapping[str, float]
    offsets: Mapping[str, float]

    def apply(self, name: str, value: Any) -> Any:
        """The changed argument; of the same type."""
        if isinstance(value, EdgeList):
            return value._replace(weights=self.apply(name, value.weights))
        changed = (value - self.shifts[name]) * self.factor + self.offsets[name]
        return float(changed) if np.ndim(changed) == 0 else changed

    def __str__(self) -> str:
        parts = []
        for name, shift in self.shifts.items():
            text = name if shift == 0 else f"({name} {'-' if shift > 0 else '+'} {abs(shift):.6g})"
            text += f" * {self.factor:.6g}"
            offset = self.offsets[name]
            parts.append(text + (f" + {offset:.6g}" if offset else ""))
        return ", ".join(parts)


def find_change(scaling: Scaling, arguments: Mapping[str, Any], ranges: Ranges) -> Change | None:
    """A change that leads into the range of training; None if none is needed, or none is exact.

    Args:
      scaling: what the algorithm does not notice.
      arguments: the arguments of a problem, in canonical types.
      ranges: ranges of training.
    """
    known = {name: _numbers(arguments[name]) for name in scaling.arguments if name in ranges}
    if len(known) < len(scaling.arguments) or not all(value.size for value in known.values()):
        return None
    low = max(ranges[name][0] for name in known)
    high = min(ranges[name][1] for name in known)
    if not low < high:
        return None
    return _FINDERS[scaling.invariance](scaling, known, low, high)


def _numbers(argument: Any) -> Array:
    return argument.weights if isinstance(argument, EdgeList) else np.atleast_1d(argument)


def _find_by_order(scaling: Scaling, known: Mapping[str, Array], low: float, high: float) -> Change | None:
    del scaling
    numbers = np.concatenate([value.ravel() for value in known.values()])
    smallest, largest = float(numbers.min()), float(numbers.max())
    span, inside = largest - smallest, low <= smallest and largest <= high
    if inside and (span == 0 or span * _SMALL >= high - low):
        return None
    factor = (high - low) / span if span else 1.0
    change = _same_for_all(known, factor, smallest, low if span else (low + high) / 2)
    changed = np.concatenate([change.apply(name, value).ravel() for name, value in known.items()])
    distinct = len(np.unique(numbers)) == len(np.unique(changed))
    return change if distinct and np.isfinite(factor) and np.isfinite(changed).all() else None


def _find_by_factor(scaling: Scaling, known: Mapping[str, Array], low: float, high: float) -> Change | None:
    numbers = np.concatenate([value.ravel() for value in known.values()])
    limit = max(abs(low), abs(high))
    peak = float(np.abs(numbers).sum() if scaling.total else np.abs(numbers).max())
    tolerance = 1 + 1e-6 * scaling.total
    least = 2 if scaling.total else _SMALL
    if peak == 0 or limit / least <= peak <= limit * tolerance or not _is_safe(numbers):
        return None
    change = _same_for_all(known, _power_of_two(limit / peak), 0.0, 0.0)
    return change if _is_safe(numbers * change.factor) else None


def _find_by_motion(scaling: Scaling, known: Mapping[str, Array], low: float, high: float) -> Change | None:
    del scaling
    all_numbers = np.concatenate([value.ravel() for value in known.values()])
    span = max(float(value.max() - value.min()) for value in known.values())
    inside = low <= all_numbers.min() and all_numbers.max() <= high
    if span == 0 or (inside and span * _SMALL >= high - low):
        return None
    middle = (low + high) / 2
    centers = {name: _coarse((value.min() + value.max()) / 2, value) for name, value in known.items()}
    starts = {name: float(value.min()) for name, value in known.items()}
    zeros = dict.fromkeys(known, 0.0)
    for shifts, offset in ((zeros, 0.0), (centers, middle), (starts, low)):
        moved = {name: value - shifts[name] for name, value in known.items()}
        exact = all(_is_exact_sum(value, -shifts[name]) for name, value in known.items())
        peak = max(float(np.abs(value).max()) for value in moved.values())
        room = min(high - offset, offset - low) if low < offset else high - offset
        if not exact or peak == 0 or room <= 0 or not all(map(_is_safe, moved.values())):
            continue
        factor = _power_of_two(room / peak)
        scaled = [value * factor for value in moved.values()]
        changed = [value + offset for value in scaled]
        fits = all(low <= value.min() and value.max() <= high for value in changed)
        is_exact = all(_is_safe(value) and _is_exact_sum(value, offset) for value in scaled)
        if fits and is_exact and span * factor * _SMALL >= high - low:
            return Change(factor, shifts, dict.fromkeys(known, offset))
    return None


_FINDERS = MappingProxyType({"order": _find_by_order, "factor": _find_by_factor, "motion": _find_by_motion})


def _same_for_all(known: Mapping[str, Array], factor: float, shift: float, offset: float) -> Change:
    return Change(factor, dict.fromkeys(known, shift), dict.fromkeys(known, offset))


def _power_of_two(bound: float) -> float:
    """The largest power of two up to a bound."""
    return math.ldexp(1.0, math.frexp(bound)[1] - 1)


def _coarse(number: float, like: Array) -> float:
    """A number rounded to the spacing of the largest of an array, so that differences from it are short."""
    spacing = float(np.spacing(np.abs(like).max()))
    return float(np.round(number / spacing) * spacing)


def _is_safe(numbers: Array) -> bool:
    magnitudes = np.abs(numbers[numbers != 0])
    return bool(((magnitudes > _MIN) & (magnitudes < _MAX)).all())


def _is_exact_sum(numbers: Array, number: float) -> bool:
    """Tests that no sum was rounded (two-sum: Knuth, The Art of Computer Programming, 4.2.2)."""
    total = numbers + number
    other = total - numbers
    return bool(((numbers - (total - other)) + (number - other) == 0).all())


def unscale(scaling: Scaling, change: Change, values: Mapping[str, Array]) -> dict[str, Array]:
    """Values of a changed problem by probe name, with scalars in the units of the problem before."""
    degrees = {name: scaling.degrees.get(name, 0) for name in values}
    return {
        name: values[name] * change.factor**-degree if degree else values[name]
        for name, degree in degrees.items()
        if degree is not None
    }


def between_bounds(*names: str) -> Callable[..., Ranges]:
    """The ranges of arguments whose numbers are drawn between the options `low` and `high`."""
    return lambda size, *, low, high, **options: dict.fromkeys(names, (low, high))


def out_of_range(arguments: Mapping[str, Any], ranges: Ranges) -> list[str]:
    """A message for each argument with numbers outside of its range; zeros of a graph are not numbers."""
    messages = []
    for name, (low, high) in ranges.items():
        numbers = _numbers(arguments[name])
        numbers = numbers[numbers != 0] if numbers.ndim == 2 else numbers
        if numbers.size and not (low <= numbers.min() and numbers.max() <= high):
            found = f"{numbers.min():g} to {numbers.max():g}"
            messages.append(f"{name} has numbers from {found}, in training they are from {low:g} to {high:g}")
    return messages
