"""Maximum subarray by Kadane's algorithm."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER, predecessors
from nar.problems import SIGNED_SEQUENCE
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={"pos": (Location.NODE, Kind.SCALAR), "key": (Location.NODE, Kind.SCALAR)},
    hints={
        **FIXED_ORDER,
        "best_low": (Location.NODE, Kind.MASK_ONE),
        "best_high": (Location.NODE, Kind.MASK_ONE),
        "best_sum": (Location.GRAPH, Kind.SCALAR),
        "i": (Location.NODE, Kind.MASK_ONE),
        "j": (Location.NODE, Kind.MASK_ONE),
        "sum": (Location.GRAPH, Kind.SCALAR),
    },
    outputs={"start": (Location.NODE, Kind.MASK_ONE), "end": (Location.NODE, Kind.MASK_ONE)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    best_low: int
    best_high: int
    best_sum: float
    i: int
    j: int
    sum: float


def find_maximum_subarray_kadane(A, start, end):
    """Tracks the best subarray i ... j that ends at j, and the best of all (the first of equals)."""
    n = len(A)
    pred_h = predecessors(np.arange(n))
    best_low, best_high, best_sum = 0, 0, A[0]
    i, total = 0, A[0]
    yield Hints(pred_h, best_low, best_high, best_sum, i, 0, total)
    for j in range(1, n):
        if total + A[j] >= A[j]:
            total += A[j]
        else:
            i, total = j, A[j]
        if total > best_sum:
            best_low, best_high, best_sum = i, j, total
        yield Hints(pred_h, best_low, best_high, best_sum, i, j, total)
    start[()] = best_low
    end[()] = best_high


FIND_MAXIMUM_SUBARRAY_KADANE = Algorithm(
    name="find_maximum_subarray_kadane",
    family="divide_and_conquer",
    spec=SPEC,
    problem=SIGNED_SEQUENCE,
    scaling=Scaling(("A",), degrees={"best_sum": 1, "sum": 1}),
    steps=find_maximum_subarray_kadane,
    source="Bentley 1984; Cormen et al., Introduction to Algorithms, 3rd ed., exercise 4.1-5, p. 75",
    fixed_hints=("pred_h",),
    clrs30_multiplier=32,
    in_clrs30=True,
)
