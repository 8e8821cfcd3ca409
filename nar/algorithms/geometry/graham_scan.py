"""Convex hull by Graham's scan."""

import math
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.points import direction, distance, lowest_point
from nar.problems import POINTS
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "x": (Location.NODE, Kind.SCALAR),
        "y": (Location.NODE, Kind.SCALAR),
    },
    hints={
        "best": (Location.NODE, Kind.MASK_ONE),
        "atans": (Location.NODE, Kind.SCALAR),
        "in_hull_h": (Location.NODE, Kind.MASK),
        "stack_prev": (Location.NODE, Kind.POINTER),
        "last_stack": (Location.NODE, Kind.MASK_ONE),
        "i": (Location.NODE, Kind.MASK_ONE),
        "phase": (Location.GRAPH, Kind.CATEGORICAL, 5),
    },
    outputs={"in_hull": (Location.NODE, Kind.MASK)},
)

START, LOWEST, ANGLES, POP, PUSH = 0, 1, 2, 3, 4


class Hints(NamedTuple):
    best: int
    atans: np.ndarray
    in_hull_h: np.ndarray
    stack_prev: np.ndarray
    last_stack: int
    i: int
    phase: int


@register_jitable
def polar_order(xs, ys, best, atans):
    """Indices of all points by increasing polar angle around `best`, which comes first; ties by distance."""
    distances = np.zeros(len(xs))
    for i in range(len(xs)):
        distances[i] = distance(xs, ys, best, i)
    by_distance = np.argsort(distances, kind="mergesort")
    return by_distance[np.argsort(atans[by_distance], kind="mergesort")]


def graham_scan(xs, ys, in_hull):
    """Pushes points by increasing polar angle, after popping those at which the path would not turn left.

    The stack is a linked list with pointers stack_prev; in_hull marks the points on it.
    """
    n = len(xs)
    in_hull[:] = 0
    atans = np.zeros(n)
    stack_prev = np.arange(n)
    yield Hints(0, atans, in_hull, stack_prev, 0, 0, START)

    best = lowest_point(xs, ys)
    in_hull[best] = 1
    last_stack = best
    yield Hints(best, atans, in_hull, stack_prev, last_stack, best, LOWEST)

    for i in range(n):
        if i != best:
            atans[i] = math.atan2(ys[i] - ys[best], xs[i] - xs[best])
    yield Hints(best, atans, in_hull, stack_prev, last_stack, best, ANGLES)

    for i in polar_order(xs, ys, best, atans)[1:]:
        while last_stack != best and direction(xs, ys, stack_prev[last_stack], last_stack, i) >= 0:
            popped = last_stack
            last_stack = stack_prev[popped]
            stack_prev[popped] = popped
            in_hull[popped] = 0
            yield Hints(best, atans, in_hull, stack_prev, last_stack, i, POP)
        in_hull[i] = 1
        stack_prev[i] = last_stack
        last_stack = i
        yield Hints(best, atans, in_hull, stack_prev, last_stack, i, PUSH)


GRAHAM_SCAN = Algorithm(
    name="graham_scan",
    family="geometry",
    spec=SPEC,
    problem=POINTS,
    scaling=Scaling(("xs", "ys"), "motion", degrees={"atans": 0}),
    steps=graham_scan,
    source="Graham 1972; Cormen et al., Introduction to Algorithms, 3rd ed., section 33.3, p. 1031",
    in_clrs30=True,
)
