"""Minimum of an array."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER, predecessors
from nar.problems import SEQUENCE
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={"pos": (Location.NODE, Kind.SCALAR), "key": (Location.NODE, Kind.SCALAR)},
    hints={
        **FIXED_ORDER,
        "min_h": (Location.NODE, Kind.MASK_ONE),
        "i": (Location.NODE, Kind.MASK_ONE),
    },
    outputs={"min": (Location.NODE, Kind.MASK_ONE)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    min_h: int
    i: int


def minimum(A, min):
    """Compares each key with the smallest so far; finds the first of equal keys."""
    pred_h = predecessors(np.arange(len(A)))
    smallest = 0
    yield Hints(pred_h=pred_h, min_h=smallest, i=0)
    for i in range(1, len(A)):
        if A[smallest] > A[i]:
            smallest = i
        yield Hints(pred_h=pred_h, min_h=smallest, i=i)
    min[()] = smallest


MINIMUM = Algorithm(
    name="minimum",
    family="searching",
    spec=SPEC,
    problem=SEQUENCE,
    scaling=Scaling(("A",), "order"),
    steps=minimum,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., section 9.1, p. 214",
    fixed_hints=("pred_h",),
    clrs30_multiplier=64,
    in_clrs30=True,
)
