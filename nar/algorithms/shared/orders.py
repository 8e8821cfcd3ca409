"""How an order of the nodes is written down as pointers; shared by sorting, searching and others.

`order[k]` is the node that stands at place k.
"""

import numpy as np
from numba.extending import register_jitable

from nar.specs import Kind, Location

FIXED_ORDER = {"pred_h": (Location.NODE, Kind.POINTER)}
"""The hint row of algorithms that never reorder their nodes."""


@register_jitable
def predecessors(order):
    """Each node points to the one before it, the first to itself; [N] from [N]."""
    pointers = np.empty(len(order), np.int64)
    write_predecessors(order, pointers)
    return pointers


@register_jitable
def write_predecessors(order, pointers):
    """Writes them into an array."""
    pointers[order[0]] = order[0]
    for k in range(1, len(order)):
        pointers[order[k]] = order[k - 1]


@register_jitable
def heap_parents(order, heap_size):
    """Each node of the heap points to its parent, the root and all others to themselves; [N] from [N]."""
    pointers = np.arange(len(order))
    for k in range(1, heap_size):
        pointers[order[k]] = order[(k - 1) // 2]
    return pointers


@register_jitable
def swap(A, order, i, j):
    """Exchanges the keys at places i and j, and with them their nodes."""
    A[i], A[j] = A[j], A[i]
    order[i], order[j] = order[j], order[i]
