"""Points in the plane."""

from typing import Any, NamedTuple

import numba
import numpy as np
from numba.extending import register_jitable

from nar.problems.array_checks import positions, real_array, same_length
from nar.problems.options import SMALLEST
from nar.problems.problem import Arguments, Array, Problem, Random
from nar.problems.truncation import cut


class PointsInput(NamedTuple):
    """Input probes of points."""

    pos: Array
    x: Array
    y: Array


def _points_probes(xs: Array, ys: Array) -> PointsInput:
    return PointsInput(positions(len(xs)), xs, ys)


def _sample_segments(random: Random, size: int, low: float = 0.0, high: float = 1.0) -> Arguments:
    wanted = random.binomial(1, 0.5) == 1
    while True:
        xs = random.uniform(low=low, high=high, size=(4,))
        ys = random.uniform(low=low, high=high, size=(4,))
        if _cross(xs, ys) == wanted:
            return xs, ys


@register_jitable
def _cross(xs: Array, ys: Array) -> bool:
    """Whether 01 separates 2 from 3 and 23 separates 0 from 1; collinear points count as clockwise."""
    return _counter_clockwise(xs, ys, 0, 2, 3) != _counter_clockwise(xs, ys, 1, 2, 3) and (
        _counter_clockwise(xs, ys, 0, 1, 2) != _counter_clockwise(xs, ys, 0, 1, 3)
    )


@register_jitable
def _counter_clockwise(xs: Array, ys: Array, a: int, b: int, c: int) -> bool:
    return (ys[c] - ys[a]) * (xs[b] - xs[a]) > (ys[b] - ys[a]) * (xs[c] - xs[a])


def _check_segments(xs: Any, ys: Any) -> Arguments:
    xs, ys = real_array("xs", xs, rank=1), real_array("ys", ys, rank=1)
    if len(xs) != 4 or len(ys) != 4:
        raise ValueError(
            "xs and ys must hold four coordinates each (segment 01 and segment 23), "
            f"got {len(xs)} and {len(ys)}"
        )
    return xs, ys


SEGMENTS = Problem(
    sample=_sample_segments,
    check=_check_segments,
    probes=_points_probes,
    aliases=(("x", "xs"), ("y", "ys")),
    canonical=True,
)
"""Two segments in a square; half of the instances intersect. There are four points whatever the size."""


# ---------------------------------------------------------------------------------------------------
# Points

_COLLINEAR = 1e-12
"""Three points count as collinear if their cross product is smaller."""

_ROUNDING = 1e-15
"""Bound of the rounding error of a cross product, relative to the sizes of its two terms."""

_MOST_POINTS = 2**11
"""All triples of points are looked at: that many in a second or two."""

_DRAWS = 1000
"""How often points are drawn before giving up."""


class CollinearPointsError(ValueError):
    """No points without three on a line were drawn; arguments: size, radius, centre of the disk (x, y)."""

    def __str__(self) -> str:
        size, radius, x, y = self.args
        return (
            f"{_DRAWS} times, {size} points of a disk of radius={radius!r} around ({x!r}, {y!r}) were drawn "
            "and three lay on a line: ask for fewer or a larger radius"
        )


def _sample_points(
    random: Random,
    size: int,
    origin_x: float = 0.0,
    origin_y: float = 0.0,
    radius: float = 2.0,
    decimals: int = 0,
) -> Arguments:
    for _ in range(_DRAWS):
        angles = random.uniform(low=0.0, high=2.0 * np.pi, size=(size,))
        distances = radius * np.sqrt(random.uniform(low=0.0, high=1.0, size=(size,)))
        xs = cut(distances * np.cos(angles) + origin_x, decimals)
        ys = cut(distances * np.sin(angles) + origin_y, decimals)
        if not _some_three_are_collinear(xs, ys, _COLLINEAR):
            return xs, ys
    raise CollinearPointsError(size, radius, origin_x, origin_y)


@numba.njit(cache=True, nogil=True)
def _some_three_are_collinear(xs: Array, ys: Array, tolerance: float) -> bool:
    for i in range(len(xs)):
        for j in range(i + 1, len(xs)):
            for k in range(j + 1, len(xs)):
                cross = (xs[j] - xs[i]) * (ys[k] - ys[i]) - (ys[j] - ys[i]) * (xs[k] - xs[i])
                if abs(cross) < tolerance:
                    return True
    return False


def _check_points(xs: Any, ys: Any) -> Arguments:
    xs, ys = real_array("xs", xs, rank=1), real_array("ys", ys, rank=1)
    same_length(xs=xs, ys=ys)
    if len(xs) > _MOST_POINTS:
        raise ValueError(f"there must be at most {_MOST_POINTS} points, got {len(xs)}")
    for name, numbers in (("xs", xs), ("ys", ys)):
        in_order = np.unique(numbers)
        if (in_order[1:] - in_order[:-1] < SMALLEST).any():
            raise ValueError(f"different numbers of {name} must differ by at least {SMALLEST:g}")
    points, counts = np.unique(np.stack([xs, ys], axis=1), axis=0, return_counts=True)
    if len(points) < len(xs):
        x, y = points[counts > 1][0]
        raise ValueError(f"points must be distinct, got ({x:g}, {y:g}) twice")
    i, j, k = _three_that_rounding_decides(xs, ys)
    if i != j:
        raise ValueError(
            f"points {i}, {j} and {k} are so close to a line that rounding decides on their turn"
        )
    return xs, ys


@numba.njit(cache=True, nogil=True)
def _three_that_rounding_decides(xs: Array, ys: Array) -> tuple[int, int, int]:
    """Three points whose cross product is smaller than its rounding error and not 0, or 0, 0, 0."""
    for i in range(len(xs)):
        for j in range(i + 1, len(xs)):
            for k in range(j + 1, len(xs)):
                a, b = (xs[j] - xs[i]) * (ys[k] - ys[i]), (ys[j] - ys[i]) * (xs[k] - xs[i])
                if a != b and abs(a - b) < _ROUNDING * (abs(a) + abs(b)):
                    return i, j, k
    return 0, 0, 0


POINTS = Problem(
    sample=_sample_points,
    check=_check_points,
    probes=_points_probes,
    aliases=(("x", "xs"), ("y", "ys")),
    max_size=_MOST_POINTS,
)
"""Points, uniform in a disk; they are drawn anew while any three are collinear.

If `decimals` is not 0, so many are left of each coordinate (see `nar.problems.truncation`) before that is
asked.

A user's own may be collinear, if they are exactly: whole numbers, for example.
"""
