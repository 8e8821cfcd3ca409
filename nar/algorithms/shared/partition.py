"""The sub-step that quicksort and quickselect share."""

from collections.abc import Iterator

from numba.extending import register_jitable

from nar.algorithms.shared.orders import swap


@register_jitable
def partition(A, order, p, r) -> Iterator[tuple[int, int]]:
    """Moves the keys at places p ... r that are not greater than the last, the pivot, before all others.

    Yields (i, j) once j has been compared, i being the place behind the keys found not to be greater; at its
    end, once the pivot stands at place i, it yields (i, r).
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
