"""Pointer encodings of an order of the nodes.

`order[k]` is the node at position k.
"""

import numpy as np
from numba.extending import register_jitable

from nar.specs import Kind, Location

FIXED_ORDER = {"pred_h": (Location.NODE, Kind.POINTER)}
"""Spec row of the predecessor hint of algorithms that never reorder their nodes."""


@register_jitable
def predecessors(order):
    """Predecessor pointers [N] of an order [N]; the first node points to itself."""
    pointers = np.empty(len(order), np.int64)
    write_predecessors(order, pointers)
    return pointers


@register_jitable
def write_predecessors(order, pointers):
    """Writes the predecessor pointers of an order into an array [N]."""
    pointers[order[0]] = order[0]
    for k in range(1, len(order)):
        pointers[order[k]] = order[k - 1]


@register_jitable
def heap_parents(order, heap_size):
    """Parent pointers [N] of a heap that occupies the first positions of an order [N].

    The root and the nodes outside of the heap point to themselves.
    """
    pointers = np.arange(len(order))
    for k in range(1, heap_size):
        pointers[order[k]] = order[(k - 1) // 2]
    return pointers


@register_jitable
def swap(A, order, i, j):
    """Swaps the keys at positions i and j, and their nodes with them."""
    A[i], A[j] = A[j], A[i]
    order[i], order[j] = order[j], order[i]
