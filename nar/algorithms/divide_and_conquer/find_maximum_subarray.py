"""Maximum subarray by divide and conquer."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER, predecessors
from nar.problems import SIGNED_SEQUENCE
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={"pos": (Location.NODE, Kind.SCALAR), "key": (Location.NODE, Kind.SCALAR)},
    hints={
        **FIXED_ORDER,
        "low": (Location.NODE, Kind.MASK_ONE),
        "high": (Location.NODE, Kind.MASK_ONE),
        "mid": (Location.NODE, Kind.MASK_ONE),
        "left_low": (Location.NODE, Kind.MASK_ONE),
        "left_high": (Location.NODE, Kind.MASK_ONE),
        "left_sum": (Location.GRAPH, Kind.SCALAR),
        "right_low": (Location.NODE, Kind.MASK_ONE),
        "right_high": (Location.NODE, Kind.MASK_ONE),
        "right_sum": (Location.GRAPH, Kind.SCALAR),
        "cross_low": (Location.NODE, Kind.MASK_ONE),
        "cross_high": (Location.NODE, Kind.MASK_ONE),
        "cross_sum": (Location.GRAPH, Kind.SCALAR),
        "ret_low": (Location.NODE, Kind.MASK_ONE),
        "ret_high": (Location.NODE, Kind.MASK_ONE),
        "ret_sum": (Location.GRAPH, Kind.SCALAR),
        "i": (Location.NODE, Kind.MASK_ONE),
        "j": (Location.NODE, Kind.MASK_ONE),
        "sum": (Location.GRAPH, Kind.SCALAR),
        "left_x_sum": (Location.GRAPH, Kind.SCALAR),
        "right_x_sum": (Location.GRAPH, Kind.SCALAR),
        "phase": (Location.GRAPH, Kind.CATEGORICAL, 3),
    },
    outputs={"start": (Location.NODE, Kind.MASK_ONE), "end": (Location.NODE, Kind.MASK_ONE)},
)

RECURSE, LEFT, RIGHT = 0, 1, 2
"""Phases: recursion, or extension of the left or right half of a subarray that crosses the midpoint."""

CALLED, LEFT_KNOWN, RIGHT_KNOWN = 0, 1, 2
"""Progress of a recursive call."""

SUMS_WITH_MARGIN = ("left_sum", "right_sum", "cross_sum", "ret_sum", "left_x_sum", "right_x_sum")
"""Hints that have no unit, since the margin is the same for all keys."""

MARGIN = 0.1
"""Offset by which a best sum is initialized below the first key, so that the first key improves on it."""


class Hints(NamedTuple):
    pred_h: np.ndarray
    low: int
    high: int
    mid: int
    left_low: int
    left_high: int
    left_sum: float
    right_low: int
    right_high: int
    right_sum: float
    cross_low: int
    cross_high: int
    cross_sum: float
    ret_low: int
    ret_high: int
    ret_sum: float
    i: int
    j: int
    sum: float
    left_x_sum: float
    right_x_sum: float
    phase: int


class Subarray(NamedTuple):
    """Subarray at positions low ... high and its sum (0 while unknown)."""

    low: int
    high: int
    sum: float


class Call(NamedTuple):
    """Stack frame of the recursion on positions low ... high, with the best subarrays of both halves."""

    low: int
    high: int
    progress: int
    left: Subarray
    right: Subarray


class Crossing(NamedTuple):
    """State of the search for a subarray that crosses the midpoint: the best so far, its halves, indices."""

    best: Subarray
    i: int
    j: int
    sum: float
    left_x_sum: float
    right_x_sum: float
    phase: int


@register_jitable
def new_call(low, high):
    """Stack frame of a call that has not started."""
    mid = (low + high) // 2
    return Call(low, high, CALLED, Subarray(low, mid, 0.0), Subarray(min(mid + 1, high), high, 0.0))


@register_jitable
def initial_crossing(A, low, high, phase):
    """Crossing subarray before the search: the two keys around the midpoint, each less the margin."""
    mid = (low + high) // 2
    both = Subarray(mid, mid + 1, A[mid] + A[mid + 1] - 2 * MARGIN)
    return Crossing(both, mid, mid + 1, 0.0, A[mid] - MARGIN, A[mid + 1] - MARGIN, phase)


@register_jitable
def find_max_crossing_subarray(A, low, high):
    """Extends the left half key by key from the midpoint to `low`, then the right half to `high`."""
    mid = (low + high) // 2
    left_sum, right_sum = A[mid] - MARGIN, A[mid + 1] - MARGIN
    max_left, max_right = mid, mid + 1
    yield initial_crossing(A, low, high, LEFT)
    total = 0.0
    for i in range(mid, low - 1, -1):
        total += A[i]
        if total > left_sum:
            left_sum, max_left = total, i
        best = Subarray(max_left, mid + 1, left_sum + A[mid + 1] - MARGIN)
        yield Crossing(best, i, mid + 1, total, left_sum, right_sum, LEFT)
    total = 0.0
    best = Subarray(max_left, mid + 1, left_sum + right_sum)
    yield Crossing(best, low, mid + 1, total, left_sum, right_sum, RIGHT)
    for j in range(mid + 1, high + 1):
        total += A[j]
        if total > right_sum:
            right_sum, max_right = total, j
        best = Subarray(max_left, max_right, left_sum + right_sum)
        yield Crossing(best, low, j, total, left_sum, right_sum, RIGHT)


@register_jitable
def best_of(left, right, cross):
    """Subarray with the greatest sum; ties are broken in favor of the left, then the right one."""
    if left.sum >= right.sum and left.sum >= cross.sum:
        return left
    if right.sum >= left.sum and right.sum >= cross.sum:
        return right
    return cross


@register_jitable
def make_hints(pred_h, low, high, left, right, cross, ret):
    """Hints of one call.

    While the right half of the crossing subarray is extended, CLRS-30 records the sums of its halves as
    left_sum and right_sum, in place of the sums of the best subarrays on the left and on the right.
    """
    left_sum, right_sum = left.sum, right.sum
    if cross.phase == RIGHT:
        left_sum, right_sum = cross.left_x_sum, cross.right_x_sum
    return Hints(
        pred_h=pred_h,
        low=low,
        high=high,
        mid=(low + high) // 2,
        left_low=left.low,
        left_high=left.high,
        left_sum=left_sum,
        right_low=right.low,
        right_high=right.high,
        right_sum=right_sum,
        cross_low=cross.best.low,
        cross_high=cross.best.high,
        cross_sum=cross.best.sum,
        ret_low=ret.low,
        ret_high=ret.high,
        ret_sum=ret.sum,
        i=cross.i,
        j=cross.j,
        sum=cross.sum,
        left_x_sum=cross.left_x_sum,
        right_x_sum=cross.right_x_sum,
        phase=cross.phase,
    )


def find_maximum_subarray(A, start, end):
    """Returns the best of the maximum subarrays on the left, on the right and across the midpoint.

    `calls` is the stack of calls that have not returned yet; `returned` is the result of the latest return.
    """
    n = len(A)
    pred_h = predecessors(np.arange(n))
    returned = Subarray(0, n - 1, 0.0)
    calls = [new_call(0, n - 1)]
    while calls:
        low, high, progress, left, right = calls.pop()
        unknown = Subarray(low, high, 0.0)
        mid = (low + high) // 2
        if low == high:
            returned = Subarray(low, high, A[low])
            no_search = Crossing(unknown, low, high, 0.0, A[low] - MARGIN, A[high] - MARGIN, RECURSE)
            yield make_hints(pred_h, low, high, unknown, unknown, no_search, returned)
        elif progress == CALLED:
            yield make_hints(pred_h, low, high, left, right, initial_crossing(A, low, high, RECURSE), unknown)
            calls.append(Call(low, high, LEFT_KNOWN, left, right))
            calls.append(new_call(low, mid))
        elif progress == LEFT_KNOWN:
            left = returned
            yield make_hints(pred_h, low, high, left, right, initial_crossing(A, low, high, RECURSE), unknown)
            calls.append(Call(low, high, RIGHT_KNOWN, left, right))
            calls.append(new_call(mid + 1, high))
        else:
            right = returned
            cross = initial_crossing(A, low, high, RECURSE)
            yield make_hints(pred_h, low, high, left, right, cross, unknown)
            for crossing in find_max_crossing_subarray(A, low, high):
                yield make_hints(pred_h, low, high, left, right, crossing, unknown)
                cross = crossing
            returned = best_of(left, right, cross.best)
            if calls:
                finished = Crossing(
                    cross.best, low, high, cross.sum, cross.left_x_sum, cross.right_x_sum, RECURSE
                )
                yield make_hints(pred_h, low, high, left, right, finished, returned)
    start[()] = returned.low
    end[()] = returned.high


FIND_MAXIMUM_SUBARRAY = Algorithm(
    name="find_maximum_subarray",
    family="divide_and_conquer",
    spec=SPEC,
    problem=SIGNED_SEQUENCE,
    scaling=Scaling(
        ("A",),
        degrees={**dict.fromkeys(SUMS_WITH_MARGIN), "sum": 1},
    ),
    steps=find_maximum_subarray,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., section 4.1, p. 72",
    fixed_hints=("pred_h",),
)
