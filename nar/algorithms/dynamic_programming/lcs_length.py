"""Longest common subsequence of two strings."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER
from nar.algorithms.shared.strings import STRING_INPUTS, string_predecessors
from nar.problems import TWO_STRINGS
from nar.specs import Kind, Location, make_spec

UP_LEFT, UP, LEFT, BLANK = 0, 1, 2, -1
"""Predecessors of a cell of the table; BLANK marks pairs of nodes that are not cells."""

SPEC = make_spec(
    inputs=STRING_INPUTS,
    hints={
        **FIXED_ORDER,
        "b_h": (Location.EDGE, Kind.CATEGORICAL, 4),
        "c": (Location.EDGE, Kind.SCALAR),
    },
    outputs={"b": (Location.EDGE, Kind.CATEGORICAL, 4)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    b_h: np.ndarray
    c: np.ndarray


@register_jitable
def fill_borders(x, y, b, c):
    """Fills the first column and row of the table, which CLRS-30 does before the first step."""
    for i in range(len(x)):
        c[i, 0] = x[i] == y[0] or (i > 0 and c[i - 1, 0] == 1)
        b[i, 0] = UP_LEFT if x[i] == y[0] else UP
    for j in range(len(y)):
        from_left = j > 0 and c[0, j - 1] == 1
        c[0, j] = x[0] == y[j] or from_left
        if x[0] == y[j]:
            b[0, j] = UP_LEFT
        else:
            b[0, j] = LEFT if from_left else UP


def lcs_length(x, y, b):
    """Updates every cell of the table of lengths c once per step, until no cell changes."""
    m, n = len(x), len(y)
    pred_h = string_predecessors(m, n)
    pairs = np.zeros((m + n, m + n))
    c = pairs[:m, m:]
    b[:] = BLANK
    cells = b[:m, m:]
    cells[:] = UP_LEFT
    fill_borders(x, y, cells, c)
    while True:
        prev_pairs = pairs.copy()
        prev_c = prev_pairs[:m, m:]
        yield Hints(pred_h=pred_h, b_h=b, c=prev_pairs)
        for i in range(1, m):
            for j in range(1, n):
                if x[i] == y[j]:
                    c[i, j] = prev_c[i - 1, j - 1] + 1
                    cells[i, j] = UP_LEFT
                elif prev_c[i - 1, j] >= prev_c[i, j - 1]:
                    c[i, j] = prev_c[i - 1, j]
                    cells[i, j] = UP
                else:
                    c[i, j] = prev_c[i, j - 1]
                    cells[i, j] = LEFT
        if np.all(c == prev_c):
            break


LCS_LENGTH = Algorithm(
    name="lcs_length",
    family="dynamic_programming",
    spec=SPEC,
    problem=TWO_STRINGS,
    steps=lcs_length,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., section 15.4, p. 394",
    fixed_hints=("pred_h",),
    in_clrs30=True,
)
