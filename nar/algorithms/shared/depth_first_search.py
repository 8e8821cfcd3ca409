"""Depth-first search as a generator of events, from which six algorithms build their hints.

CLRS-30 represents the stack by pointers (`s_prev`): each node on the stack points to the node below it; the
bottom node and all nodes off the stack point to themselves. The top of the stack is `s_last`.
"""

from typing import NamedTuple

from numba.extending import register_jitable

from nar.specs import Kind, Location

WHITE, GRAY, BLACK = 0, 1, 2
"""Colors of nodes: undiscovered; on the stack; finished."""

START, DISCOVER, NON_TREE_EDGE, TREE_EDGE, FINISH = 0, 1, 2, 3, 4
"""Events: a search starts at the white root s; u is on top of the stack for the first time; u has an edge to
a node v that is not white; u has an edge to a white node v, which is pushed onto the stack; u is finished."""

TICK = 0.01
"""Increment of the clock at each discovery and finish."""

STACK = {
    "s_prev": (Location.NODE, Kind.POINTER),
    "s": (Location.NODE, Kind.MASK_ONE),
    "u": (Location.NODE, Kind.MASK_ONE),
    "v": (Location.NODE, Kind.MASK_ONE),
    "s_last": (Location.NODE, Kind.MASK_ONE),
}
"""Spec rows of the hints that encode the stack and the current nodes of the search."""


class Event(NamedTuple):
    """One event of a search.

    Attributes:
      event: START, DISCOVER, NON_TREE_EDGE, TREE_EDGE or FINISH.
      s: root of the current search.
      u: current node.
      v: head of the current edge; u itself at START and DISCOVER, node N - 1 at FINISH.
      s_last: top of the stack.
    """

    event: int
    s: int
    u: int
    v: int
    s_last: int


@register_jitable
def search(A, roots, color, s_prev, non_tree_edges=False):
    """Searches from each root that is still white, in order, and yields `Event`s.

    Whenever u is on top of the stack again, all its edges are scanned again, in the order of the nodes.

    Args:
      A: [N, N] adjacency matrix, 0 where there is no edge.
      roots: nodes to start from, of any number.
      color: [N], all white; updated in place.
      s_prev: [N], the empty stack (each node points to itself); updated in place.
      non_tree_edges: whether to yield NON_TREE_EDGE events.
    """
    n = len(A)
    for s in roots:
        if color[s] != WHITE:
            continue
        yield Event(START, s, s, s, s)
        color[s] = GRAY
        yield Event(DISCOVER, s, s, s, s)
        u = s_last = s
        while True:
            for v in range(n):
                if A[u, v] != 0:
                    if color[v] == WHITE:
                        color[v] = GRAY
                        s_prev[v] = u
                        s_last = v
                        yield Event(TREE_EDGE, s, u, v, s_last)
                        break
                    if non_tree_edges:
                        yield Event(NON_TREE_EDGE, s, u, v, s_last)
            if s_last != u:
                u = s_last
                yield Event(DISCOVER, s, u, u, s_last)
            else:
                color[u] = BLACK
                yield Event(FINISH, s, u, n - 1, s_last)
                if u == s:
                    break
                s_last = s_prev[u]
                s_prev[u] = u
                u = s_last
