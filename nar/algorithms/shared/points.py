"""Predicates on points in the plane, shared by the geometric algorithms."""

from numba.extending import register_jitable


@register_jitable
def direction(xs, ys, i, j, k):
    """Cross product (k - i) × (j - i): negative if k lies left of the line from i to j, 0 if it is on it."""
    return (xs[k] - xs[i]) * (ys[j] - ys[i]) - (xs[j] - xs[i]) * (ys[k] - ys[i])


@register_jitable
def distance(xs, ys, i, j):
    """Manhattan distance from i to j, which suffices to order the points on a ray from i."""
    return abs(xs[j] - xs[i]) + abs(ys[j] - ys[i])


@register_jitable
def lowest_point(xs, ys):
    """Index of the point with the smallest y, with ties broken by the smallest x."""
    best = 0
    for i in range(len(xs)):
        if ys[i] < ys[best] or (ys[i] == ys[best] and xs[i] < xs[best]):
            best = i
    return best
