"""Parallel search in a sorted array: all keys are compared with the target at once."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER, predecessors
from nar.problems import SEARCH
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "key": (Location.NODE, Kind.SCALAR),
        "target": (Location.GRAPH, Kind.SCALAR),
    },
    hints={**FIXED_ORDER, "is_less": (Location.NODE, Kind.MASK)},
    outputs={"return": (Location.NODE, Kind.MASK_ONE)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    is_less: np.ndarray


def parallel_search(x, A, return_):
    """Marks the keys that are less than x, in one step; finds the first of the others, or else the last key.

    The answer is that of `binary_search`.
    """
    n = len(A)
    pred_h, is_less = predecessors(np.arange(n)), np.zeros(n, np.int64)
    yield Hints(pred_h=pred_h, is_less=is_less)
    for i in range(n):
        is_less[i] = A[i] < x
    yield Hints(pred_h=pred_h, is_less=is_less)
    return_[()] = min(is_less.sum(), n - 1)


PARALLEL_SEARCH = Algorithm(
    name="parallel_search",
    family="searching",
    spec=SPEC,
    problem=SEARCH,
    scaling=Scaling(("x", "A"), "order"),
    steps=parallel_search,
    source="as a task for networks: Engelmayer et al. 2023, arXiv 2307.04049",
    fixed_hints=("pred_h",),
    clrs30_multiplier=64,
)
