"""Heapsort."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import heap_parents, predecessors, swap, write_predecessors
from nar.problems import SEQUENCE
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={"pos": (Location.NODE, Kind.SCALAR), "key": (Location.NODE, Kind.SCALAR)},
    hints={
        "pred_h": (Location.NODE, Kind.POINTER),
        "parent": (Location.NODE, Kind.POINTER),
        "i": (Location.NODE, Kind.MASK_ONE),
        "j": (Location.NODE, Kind.MASK_ONE),
        "largest": (Location.NODE, Kind.MASK_ONE),
        "heap_size": (Location.NODE, Kind.MASK_ONE),
        "phase": (Location.GRAPH, Kind.CATEGORICAL, 3),
    },
    outputs={"pred": (Location.NODE, Kind.SHOULD_BE_PERMUTATION)},
)

BUILD, EXTRACT, REPAIR = 0, 1, 2


class Hints(NamedTuple):
    pred_h: np.ndarray
    parent: np.ndarray
    i: int
    j: int
    largest: int
    heap_size: int
    phase: int


@register_jitable
def max_heapify(A, order, i, heap_size):
    """Sifts down the key at position i; yields (i, position of the largest key of i and its children)."""
    while True:
        left, right, largest = 2 * i + 1, 2 * i + 2, i
        if left < heap_size and A[left] > A[largest]:
            largest = left
        if right < heap_size and A[right] > A[largest]:
            largest = right
        if largest != i:
            swap(A, order, i, largest)
        yield i, largest
        if largest == i:
            break
        i = largest


@register_jitable
def make_hints(order, i, j, largest, heap_size, phase):
    """Hints for positions i and j, the node `largest` and a heap that fills the first positions."""
    return Hints(
        pred_h=predecessors(order),
        parent=heap_parents(order, heap_size),
        i=order[i],
        j=order[j],
        largest=largest,
        heap_size=order[heap_size - 1],
        phase=phase,
    )


def heapsort(A, pred):
    """Builds a max-heap, then repeatedly swaps the largest key to the end of the shrinking heap."""
    n = len(A)
    order = np.arange(n)
    yield make_hints(order, n - 1, n - 1, order[n - 1], n, BUILD)
    for start in range(n - 1, -1, -1):
        for i, largest in max_heapify(A, order, start, n):
            yield make_hints(order, start, i, order[largest], n, BUILD)
    for end in range(n - 1, 0, -1):
        swap(A, order, 0, end)
        yield make_hints(order, 0, end, 0, end, EXTRACT)
        for i, largest in max_heapify(A, order, 0, end):
            yield make_hints(order, end, i, order[largest], end, REPAIR)
    write_predecessors(order, pred)


HEAPSORT = Algorithm(
    name="heapsort",
    family="sorting",
    spec=SPEC,
    problem=SEQUENCE,
    scaling=Scaling(("A",), "order"),
    steps=heapsort,
    source="Williams 1964; Cormen et al., Introduction to Algorithms, 3rd ed., section 6.4, p. 160",
    in_clrs30=True,
)
