"""Intersection test of two line segments."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.points import direction
from nar.problems import SEGMENTS
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "x": (Location.NODE, Kind.SCALAR),
        "y": (Location.NODE, Kind.SCALAR),
    },
    hints={
        "i": (Location.NODE, Kind.MASK_ONE),
        "j": (Location.NODE, Kind.MASK_ONE),
        "k": (Location.NODE, Kind.MASK_ONE),
        "dir": (Location.NODE, Kind.SCALAR),
        "on_seg": (Location.NODE, Kind.MASK),
    },
    outputs={"intersect": (Location.GRAPH, Kind.MASK)},
)


class Hints(NamedTuple):
    i: int
    j: int
    k: int
    dir: np.ndarray
    on_seg: np.ndarray


@register_jitable
def in_box(xs, ys, i, j, k):
    """Tests if k lies in the bounding box of i and j, hence on their segment if the three are collinear."""
    return min(xs[i], xs[j]) <= xs[k] <= max(xs[i], xs[j]) and min(ys[i], ys[j]) <= ys[k] <= max(ys[i], ys[j])


@register_jitable
def opposite(a, b):
    """Tests if a and b have opposite signs (without multiplying: the product could underflow to 0)."""
    return (a > 0 and b < 0) or (a < 0 and b > 0)


def segments_intersect(xs, ys, intersect):
    """Locates points 0 and 1 relative to segment 23, then points 2 and 3 relative to segment 01."""
    dirs = np.zeros(4)
    on_seg = np.zeros(4, np.int8)
    yield Hints(i=0, j=0, k=0, dir=dirs, on_seg=on_seg)
    for k in range(4):
        i = 2 if k < 2 else 0
        dirs[k] = direction(xs, ys, i, i + 1, k)
        on_seg[k] = in_box(xs, ys, i, i + 1, k)
        yield Hints(i=i, j=i + 1, k=k, dir=dirs, on_seg=on_seg)
    straddles = opposite(dirs[0], dirs[1]) and opposite(dirs[2], dirs[3])
    touches = False
    for k in range(4):
        touches = touches or (dirs[k] == 0 and on_seg[k] == 1)
    intersect[()] = straddles or touches


SEGMENTS_INTERSECT = Algorithm(
    name="segments_intersect",
    family="geometry",
    spec=SPEC,
    problem=SEGMENTS,
    scaling=Scaling(("xs", "ys"), "motion", degrees={"dir": 2}),
    steps=segments_intersect,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., section 33.1, p. 1018",
    clrs30_multiplier=64,
    in_clrs30=True,
)
