"""Optimal binary search tree: the one with the least expected search cost."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER, predecessors
from nar.problems import KEY_PROBABILITIES
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "p": (Location.NODE, Kind.SCALAR),
        "q": (Location.NODE, Kind.SCALAR),
    },
    hints={
        **FIXED_ORDER,
        "root_h": (Location.EDGE, Kind.POINTER),
        "e": (Location.EDGE, Kind.SCALAR),
        "w": (Location.EDGE, Kind.SCALAR),
        "msk": (Location.EDGE, Kind.MASK),
    },
    outputs={"root": (Location.EDGE, Kind.POINTER)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    root_h: np.ndarray
    e: np.ndarray
    w: np.ndarray
    msk: np.ndarray


def optimal_bst(p, q, root):
    """Fills the tables in the order of subtree size, one size per step.

    Key k lies between gaps k and k + 1. For the subtree of keys i ... j-1 (gaps i ... j), e[i, j] is the
    least expected search cost, w[i, j] the probability, root[i, j] the key at the root (the first of equally
    good ones), and msk[i, j] is 1 if they are known.
    """
    n = len(p)
    pred_h = predecessors(np.arange(n + 1))
    e = np.zeros((n + 1, n + 1))
    w = np.zeros((n + 1, n + 1))
    root[:] = 0
    msk = np.zeros((n + 1, n + 1), np.int8)
    for i in range(n + 1):
        e[i, i] = q[i]
        w[i, i] = q[i]
        msk[i, i] = 1
    yield Hints(pred_h=pred_h, root_h=root, e=e, w=w, msk=msk)
    for length in range(1, n + 1):
        for i in range(n - length + 1):
            j = i + length
            e[i, j] = np.inf
            w[i, j] = w[i, j - 1] + p[j - 1] + q[j]
            for r in range(i, j):
                t = e[i, r] + e[r + 1, j] + w[i, j]
                if t < e[i, j]:
                    e[i, j] = t
                    root[i, j] = r
            msk[i, j] = 1
        yield Hints(pred_h=pred_h, root_h=root, e=e, w=w, msk=msk)


OPTIMAL_BST = Algorithm(
    name="optimal_bst",
    family="dynamic_programming",
    spec=SPEC,
    problem=KEY_PROBABILITIES,
    scaling=Scaling(("p", "q"), degrees={"e": 1, "w": 1}, total=True),
    steps=optimal_bst,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., section 15.5, p. 402",
    fixed_hints=("pred_h",),
    in_clrs30=True,
)
