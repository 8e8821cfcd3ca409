"""Partitioning step of quicksort and quickselect."""

from collections.abc import Iterator

from numba.extending import register_jitable

from nar.algorithms.shared.orders import swap


@register_jitable
def partition(A, order, p, r) -> Iterator[tuple[int, int]]:
    """Partitions positions p ... r around the last key, the pivot (Lomuto's scheme).

    Yields (i, j) after each comparison at position j, where i is the position after the keys that are not
    greater than the pivot; finally moves the pivot to position i and yields (i, r).
    """
    pivot = A[r]
    i = p
    for j in range(p, r):
        if A[j] <= pivot:
            swap(A, order, i, j)
            i += 1
        yield i, j
    swap(A, order, i, r)
    yield i, r
