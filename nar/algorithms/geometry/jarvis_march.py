"""Convex hull by Jarvis's march."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER, predecessors
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
        **FIXED_ORDER,
        "in_hull_h": (Location.NODE, Kind.MASK),
        "best": (Location.NODE, Kind.MASK_ONE),
        "last_point": (Location.NODE, Kind.MASK_ONE),
        "endpoint": (Location.NODE, Kind.MASK_ONE),
        "i": (Location.NODE, Kind.MASK_ONE),
        "phase": (Location.GRAPH, Kind.CATEGORICAL, 2),
    },
    outputs={"in_hull": (Location.NODE, Kind.MASK)},
)

START, MARCH = 0, 1


class Hints(NamedTuple):
    pred_h: np.ndarray
    in_hull_h: np.ndarray
    best: int
    last_point: int
    endpoint: int
    i: int
    phase: int


@register_jitable
def right_of(xs, ys, last_point, endpoint, i):
    """Tests if i lies right of the line from last_point to endpoint, or on it and farther than endpoint."""
    if i in (last_point, endpoint):
        return False
    side = direction(xs, ys, last_point, endpoint, i)
    farther = distance(xs, ys, last_point, i) > distance(xs, ys, last_point, endpoint)
    return side > 0 or (side == 0 and farther)


def jarvis_march(xs, ys, in_hull):
    """Walks around the hull from the lowest point, each time to the point with no other on its right."""
    n = len(xs)
    pred_h = predecessors(np.arange(n))
    in_hull[:] = 0
    yield Hints(pred_h, in_hull, 0, 0, 0, 0, START)
    best = lowest_point(xs, ys)
    last_point = best
    while in_hull[last_point] == 0:
        in_hull[last_point] = 1
        endpoint = 0
        yield Hints(pred_h, in_hull, best, last_point, endpoint, 0, MARCH)
        for i in range(n):
            if endpoint == last_point or right_of(xs, ys, last_point, endpoint, i):
                endpoint = i
            yield Hints(pred_h, in_hull, best, last_point, endpoint, i, MARCH)
        last_point = endpoint


JARVIS_MARCH = Algorithm(
    name="jarvis_march",
    family="geometry",
    spec=SPEC,
    problem=POINTS,
    scaling=Scaling(("xs", "ys"), "motion"),
    steps=jarvis_march,
    source="Jarvis 1973; Cormen et al., Introduction to Algorithms, 3rd ed., section 33.3, p. 1037",
    fixed_hints=("pred_h",),
    in_clrs30=True,
)
