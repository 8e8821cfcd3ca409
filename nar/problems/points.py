"""Points in the plane."""

from typing import Any

from nar.problems.arrays import positions, real_array
from nar.problems.definition import Arguments, Array, Problem, Random


def _sample_segments(random: Random, size: int, low: float = 0.0, high: float = 1.0) -> Arguments:
    del size
    wanted = random.binomial(1, 0.5)
    while True:
        xs, ys = (random.uniform(low=low, high=high, size=(4,)) for _ in range(2))
        if _cross(xs, ys) == wanted:
            return xs, ys


def _cross(xs: Array, ys: Array) -> bool:
    """Whether 01 separates 2 from 3 and 23 separates 0 from 1; collinear points count as clockwise."""

    def counter_clockwise(a: int, b: int, c: int) -> bool:
        return (ys[c] - ys[a]) * (xs[b] - xs[a]) > (ys[b] - ys[a]) * (xs[c] - xs[a])

    return counter_clockwise(0, 2, 3) != counter_clockwise(1, 2, 3) and (
        counter_clockwise(0, 1, 2) != counter_clockwise(0, 1, 3)
    )


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
    probes=lambda xs, ys: {"pos": positions(xs), "x": xs, "y": ys},
    aliases=(("x", "xs"), ("y", "ys")),
)
"""Two segments in a square; half of the instances intersect. There are four points whatever the size."""
