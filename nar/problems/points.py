"""Points in the plane."""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.caching import compile_on_disk
from nar.problems.array_checks import check_same_length, positions, real_array
from nar.problems.options import MIN_MAGNITUDE
from nar.problems.problem import Arguments, Array, Problem, Random
from nar.problems.scaling import Ranges, between_bounds
from nar.problems.truncation import truncate


class PointsInput(NamedTuple):
    """Input probes of points."""

    pos: Array
    x: Array
    y: Array


def _points_probes(xs: Array, ys: Array) -> PointsInput:
    return PointsInput(positions(len(xs)), xs, ys)


def _sample_segments(random: Random, size: int, low: float = 0.0, high: float = 1.0) -> Arguments:
    should_cross = random.binomial(1, 0.5) == 1
    while True:
        xs = random.uniform(low=low, high=high, size=(4,))
        ys = random.uniform(low=low, high=high, size=(4,))
        if _segments_cross(xs, ys) == should_cross:
            return xs, ys


@register_jitable
def _segments_cross(xs: Array, ys: Array) -> bool:
    """Tests if segments 01 and 23 cross each other; collinear triples count as clockwise."""
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
            "xs and ys must contain four coordinates each (segment 01 and segment 23), "
            f"got {len(xs)} and {len(ys)}"
        )
    return xs, ys


SEGMENTS = Problem(
    sample=_sample_segments,
    check=_check_segments,
    probes=_points_probes,
    aliases=(("x", "xs"), ("y", "ys")),
    canonical=True,
    ranges=between_bounds("xs", "ys"),
)
"""Two segments in a square; half of the instances intersect. There are four points regardless of the size."""


# ---------------------------------------------------------------------------------------------------
# Points

_COLLINEAR = 1e-12
"""Sampled points count as collinear if the magnitude of their cross product is smaller."""

_ROUNDING = 1e-15
"""Bound on the rounding error of a cross product, relative to the magnitudes of its two terms."""

_MAX_POINTS = 2**11
"""Maximum number of points, for which checking all triples takes a second or two."""

_MAX_DRAWS = 1000
"""Maximum number of attempts to draw points of which no three are collinear."""


class CollinearPointsError(ValueError):
    """Every draw of points had three collinear ones; arguments: size, radius, center of the disk (x, y)."""

    def __str__(self) -> str:
        size, radius, x, y = self.args
        return (
            f"{size} points in a disk of radius={radius!r} around ({x!r}, {y!r}) were drawn "
            f"{_MAX_DRAWS} times, always with three collinear: use fewer points or a larger radius"
        )


def _sample_points(
    random: Random,
    size: int,
    origin_x: float = 0.0,
    origin_y: float = 0.0,
    radius: float = 2.0,
    decimals: int = 0,
) -> Arguments:
    for _ in range(_MAX_DRAWS):
        angles = random.uniform(low=0.0, high=2.0 * np.pi, size=(size,))
        distances = radius * np.sqrt(random.uniform(low=0.0, high=1.0, size=(size,)))
        xs = truncate(distances * np.cos(angles) + origin_x, decimals)
        ys = truncate(distances * np.sin(angles) + origin_y, decimals)
        if not _has_collinear_triple(xs, ys, _COLLINEAR):
            return xs, ys
    raise CollinearPointsError(size, radius, origin_x, origin_y)


@compile_on_disk
def _has_collinear_triple(xs: Array, ys: Array, tolerance: float) -> bool:
    for i in range(len(xs)):
        for j in range(i + 1, len(xs)):
            for k in range(j + 1, len(xs)):
                cross = (xs[j] - xs[i]) * (ys[k] - ys[i]) - (ys[j] - ys[i]) * (xs[k] - xs[i])
                if abs(cross) < tolerance:
                    return True
    return False


def _check_points(xs: Any, ys: Any) -> Arguments:
    xs, ys = real_array("xs", xs, rank=1), real_array("ys", ys, rank=1)
    check_same_length(xs=xs, ys=ys)
    if len(xs) > _MAX_POINTS:
        raise ValueError(f"there must be at most {_MAX_POINTS} points, got {len(xs)}")
    for name, numbers in (("xs", xs), ("ys", ys)):
        in_order = np.unique(numbers)
        if (in_order[1:] - in_order[:-1] < MIN_MAGNITUDE).any():
            raise ValueError(f"different numbers of {name} must differ by at least {MIN_MAGNITUDE:g}")
    points, counts = np.unique(np.stack([xs, ys], axis=1), axis=0, return_counts=True)
    if len(points) < len(xs):
        x, y = points[counts > 1][0]
        raise ValueError(f"points must be distinct, got ({x:g}, {y:g}) twice")
    i, j, k = _ill_conditioned_triple(xs, ys)
    if i != j:
        raise ValueError(
            f"points {i}, {j} and {k} are so close to collinear that rounding decides their orientation"
        )
    return xs, ys


@compile_on_disk
def _ill_conditioned_triple(xs: Array, ys: Array) -> tuple[int, int, int]:
    """Returns three points whose cross product is nonzero but below its rounding error, or (0, 0, 0)."""
    for i in range(len(xs)):
        for j in range(i + 1, len(xs)):
            for k in range(j + 1, len(xs)):
                a, b = (xs[j] - xs[i]) * (ys[k] - ys[i]), (ys[j] - ys[i]) * (xs[k] - xs[i])
                if a != b and abs(a - b) < _ROUNDING * (abs(a) + abs(b)):
                    return i, j, k
    return 0, 0, 0


def _point_ranges(size: int, origin_x: float, origin_y: float, radius: float, decimals: int) -> Ranges:
    del size, decimals
    return {"xs": (origin_x - radius, origin_x + radius), "ys": (origin_y - radius, origin_y + radius)}


POINTS = Problem(
    sample=_sample_points,
    check=_check_points,
    probes=_points_probes,
    aliases=(("x", "xs"), ("y", "ys")),
    max_size=_MAX_POINTS,
    ranges=_point_ranges,
)
"""Points, uniform in a disk; redrawn until no three are collinear.

If `decimals` is not 0, coordinates are truncated (see `nar.problems.truncation`) before that test.

User-provided points may be collinear if they are exactly so in floating point, as with integer coordinates.
"""
