"""Maximal independent sets by random numbers, on neighbor lists and on matrices."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable


class Step(NamedTuple):
    randomness: np.ndarray
    alive_h: np.ndarray
    inmis_h: np.ndarray
    phase_h: int


@register_jitable
def fast_mis(neighbors, A, numbers, inmis):
    """Repeats two steps on the nodes that are alive, until there are none.

    In the first step (phase 0), a node joins the set if its number is smaller than those of all neighbors
    that are alive; of equal numbers, that of the first node is smaller. In the second one (phase 1), the
    nodes of the set and their neighbors die. Each round has its own row of `numbers`; after the last row, the
    first one is used again.
    """
    n, width = A.shape
    inmis[:] = 0
    alive, dying = np.ones(n, np.int8), np.zeros(n, np.int8)
    row = 0
    while alive.any():
        number = numbers[row]
        yield Step(number, alive, inmis, 0)
        for v in range(n):
            joins = alive[v] == 1
            for k in range(width):
                u = neighbors[v, k]
                if A[v, k] != 0 and u != v and alive[u]:
                    joins = joins and (number[v] < number[u] or (number[v] == number[u] and v < u))
            if joins:
                inmis[v] = 1
        yield Step(number, alive, inmis, 1)
        for v in range(n):
            dying[v] = inmis[v]
            for k in range(width):
                if A[v, k] != 0 and inmis[neighbors[v, k]]:
                    dying[v] = 1
        for v in range(n):
            if dying[v]:
                alive[v] = 0
        row = (row + 1) % len(numbers)
    yield Step(numbers[row], alive, inmis, 0)
