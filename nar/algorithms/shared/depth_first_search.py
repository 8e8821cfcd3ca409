"""Depth-first search as a sequence of events; six algorithms turn them into their own steps.

The stack of CLRS-30 is a list of pointers (`s_prev`): each node in it points to the one below it, the bottom
one and every node that is not in it to itself. Its top is `s_last`.
"""

from typing import NamedTuple

from numba.extending import register_jitable

from nar.specs import Kind, Location

WHITE, GREY, BLACK = 0, 1, 2
"""Colors: not found yet; in the stack; done."""

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
    """

    event: int
    s: int
    u: int
    v: int
    s_last: int


@register_jitable
def search(A, roots, color, s_prev, looks=False):
    """Searches from each root that is white when its turn comes; yields one `Visit` after the other.

    Whenever u is on top of the stack again, all its edges are looked at anew, in the order of the nodes.

    Args:
      A: [N, N], 0 where there is no edge.
      roots: [any] nodes.
      color: [N], all white; kept up to date.
      s_prev: [N], the empty stack (each node points to itself); kept up to date.
      looks: whether LOOK is among the events.
    """
    n = len(A)
    for s in roots:
        if color[s] != WHITE:
            continue
        yield Visit(START, s, s, s, s)
        color[s] = GREY
        yield Visit(OPEN, s, s, s, s)
        u = s_last = s
        while True:
            for v in range(n):
                if A[u, v] != 0:
                    if color[v] == WHITE:
                        color[v] = GREY
                        s_prev[v] = u
                        s_last = v
                        yield Visit(FIND, s, u, v, s_last)
                        break
                    if looks:
                        yield Visit(LOOK, s, u, v, s_last)
            if s_last != u:
                u = s_last
                yield Visit(OPEN, s, u, u, s_last)
            else:
                color[u] = BLACK
                yield Visit(CLOSE, s, u, n - 1, s_last)
                if u == s:
                    break
                s_last = s_prev[u]
                s_prev[u] = u
                u = s_last
