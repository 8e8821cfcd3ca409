"""Optimal parenthesization of a chain of matrix products."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER, predecessors
from nar.problems import MATRIX_DIMENSIONS
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={"pos": (Location.NODE, Kind.SCALAR), "p": (Location.NODE, Kind.SCALAR)},
    hints={
        **FIXED_ORDER,
        "m": (Location.EDGE, Kind.SCALAR),
        "s_h": (Location.EDGE, Kind.POINTER),
        "msk": (Location.EDGE, Kind.MASK),
    },
    outputs={"s": (Location.EDGE, Kind.POINTER)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    m: np.ndarray
    s_h: np.ndarray
    msk: np.ndarray


def matrix_chain_order(p, s):
    """Fills the table of costs bottom-up; each step updates all chains with a split into known chains.

    Matrix i has shape p[i-1] × p[i]; m[i, j] is the minimum cost of multiplying the matrices i to j, s[i, j]
    is the position of the outermost split, and msk[i, j] is 1 if m[i, j] is known.
    """
    n = len(p)
    pred_h = predecessors(np.arange(n))
    m = np.zeros((n, n))
    s[:] = 0
    msk = np.zeros((n, n), np.int8)
    for i in range(1, n):
        msk[i, i] = 1
    while True:
        prev_m = m.copy()
        prev_msk = msk.copy()
        yield Hints(pred_h=pred_h, m=prev_m, s_h=s, msk=prev_msk)
        for i in range(1, n):
            for j in range(i + 1, n):
                known = prev_msk[i, j]
                for k in range(i, j):
                    if prev_msk[i, k] and prev_msk[k + 1, j]:
                        msk[i, j] = 1
                        q = prev_m[i, k] + prev_m[k + 1, j] + p[i - 1] * p[k] * p[j]
                        if not known or q < m[i, j]:
                            m[i, j] = q
                            s[i, j] = k
                            known = 1
        if np.all(m == prev_m):
            break


MATRIX_CHAIN_ORDER = Algorithm(
    name="matrix_chain_order",
    family="dynamic_programming",
    spec=SPEC,
    problem=MATRIX_DIMENSIONS,
    scaling=Scaling(("p",), degrees={"m": 3}),
    steps=matrix_chain_order,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., section 15.2, p. 375",
    fixed_hints=("pred_h",),
    in_clrs30=True,
)
