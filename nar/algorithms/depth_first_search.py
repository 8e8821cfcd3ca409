"""Depth-first search as a sequence of events; six algorithms turn them into their own steps.

The stack of CLRS-30 is a list of pointers (`s_prev`): each node in it points to the one below it, the bottom
one and every node that is not in it to itself. Its top is `s_last`.
"""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.specs import Kind, Location

WHITE, GREY, BLACK = 0, 1, 2
"""Colours: not found yet; in the stack; done."""

START, OPEN, LOOK, FIND, CLOSE = 0, 1, 2, 3, 4
"""Events: a search starts at the white node s; u is on top of the stack for the first time; u has an edge to
v, which is not white; u has an edge to v, which was white and goes onto the stack; u is done and black."""

TICK = 0.01
"""What each event that has a time adds to the clock."""

STACK = {
    "s_prev": (Location.NODE, Kind.POINTER),
    "s": (Location.NODE, Kind.MASK_ONE),
    "u": (Location.NODE, Kind.MASK_ONE),
    "v": (Location.NODE, Kind.MASK_ONE),
    "s_last": (Location.NODE, Kind.MASK_ONE),
}
"""The hint rows of the stack and of the places of the search."""


class Visit(NamedTuple):
    """One event of a search.

    Attributes:
      event: what happens.
      s: the node at which this search started.
      u: the node that is looked at.
      v: the node that is found or looked at from u; u itself when it is new, the last node when u is done.
      s_last: the top of the stack.
      color: [N], colours of the nodes.
      s_prev: [N], the stack.
    """

    event: int
    s: int
    u: int
    v: int
    s_last: int
    color: np.ndarray
    s_prev: np.ndarray


@register_jitable
def search(A, roots):
    """Searches from each root that is white when its turn comes; yields each `Visit`, of live arrays.

    Whenever u is on top of the stack again, all its edges are looked at anew, in the order of the nodes.
    """
    n = len(A)
    color = np.zeros(n, np.int64)
    s_prev = np.arange(n)
    for s in roots:
        if color[s] != WHITE:
            continue
        yield Visit(START, s, s, s, s, color, s_prev)
        color[s] = GREY
        yield Visit(OPEN, s, s, s, s, color, s_prev)
        u = s_last = s
        while True:
            for v in range(n):
                if A[u, v] != 0:
                    if color[v] == WHITE:
                        color[v] = GREY
                        s_prev[v] = u
                        s_last = v
                        yield Visit(FIND, s, u, v, s_last, color, s_prev)
                        break
                    yield Visit(LOOK, s, u, v, s_last, color, s_prev)
            if s_last != u:
                u = s_last
                yield Visit(OPEN, s, u, u, s_last, color, s_prev)
            else:
                color[u] = BLACK
                yield Visit(CLOSE, s, u, n - 1, s_last, color, s_prev)
                if u == s:
                    break
                s_last = s_prev[u]
                s_prev[u] = u
                u = s_last
