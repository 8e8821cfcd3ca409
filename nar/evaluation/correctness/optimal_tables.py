"""Which tables of dynamic programs are right: each entry is the answer to a part of the problem.

Where several answers to a part are equally good, CLRS-30's table has one of them. Here any of them is right,
entry by entry; entries that stand for no part have one value alone. Inputs and answers are those of one
instance, as a trace holds them, without a batch axis.
"""

from collections.abc import Callable, Mapping

import numpy as np

from nar.algorithms.dynamic_programming.lcs_length import LEFT, UP, UP_LEFT

Array = np.ndarray
Values = Mapping[str, Array]
Costs = Callable[[int, int], Array]

_TOLERANCE = 1e-6


def longest_common_subsequences(inputs: Values, truth: Values, decided: Values) -> bool:
    """Whether the arrows from any two places spell a longest common subsequence of what ends there.

    A pair that is on such a subsequence has an arrow to the upper left; other arrows lead to where the
    longest one is as long.
    """
    del truth
    second = inputs["string"] == 1
    x, y = (inputs["key"][part].argmax(axis=-1) for part in (~second, second))
    arrows = decided["b"][np.ix_(~second, second)].argmax(axis=-1)
    lengths = common_lengths(x, y)
    here, equal = lengths[1:, 1:], x[:, None] == y
    allowed = {UP_LEFT: equal, UP: lengths[:-1, 1:] == here, LEFT: lengths[1:, :-1] == here}
    return bool(np.all(np.any([(arrows == arrow) & right for arrow, right in allowed.items()], axis=0)))


def common_lengths(x: Array, y: Array) -> Array:
    """[i, j] the length of a longest common subsequence of the first i of x and the first j of y."""
    lengths = np.zeros((len(x) + 1, len(y) + 1), int)
    for i, j in np.ndindex(len(x), len(y)):
        best = max(lengths[i, j + 1], lengths[i + 1, j])
        lengths[i + 1, j + 1] = max(best, lengths[i, j] + (x[i] == y[j]))
    return lengths


def cheapest_products(inputs: Values, truth: Values, decided: Values) -> bool:
    """Whether each chain of matrices i ... j, 1 <= i < j, is split where its product costs least."""
    p = inputs["p"].astype(np.float64)
    cost = np.zeros((len(p), len(p)))
    return _splits_are_best(
        range(1, len(p)),
        truth["s"],
        decided["s"],
        cost,
        lambda i, j: cost[i, i:j] + cost[i + 1 : j + 1, j] + p[i - 1] * p[i:j] * p[j],
    )


def cheapest_search_trees(inputs: Values, truth: Values, decided: Values) -> bool:
    """Whether, between any two gaps i < j, the key at the root makes the expected search cost least."""
    p, q = (inputs[name].astype(np.float64) for name in ("p", "q"))
    keys, gaps = (np.concatenate([[0.0], np.cumsum(values)]) for values in (p, q))
    cost = np.diag(q)

    def costs(i: int, j: int) -> Array:
        searched = keys[j] - keys[i] + gaps[j + 1] - gaps[i]
        return cost[i, i:j] + cost[i + 1 : j + 1, j] + searched

    return _splits_are_best(range(len(q)), truth["root"], decided["root"], cost, costs)


def _splits_are_best(places: range, truth: Array, decided: Array, cost: Array, costs: Costs) -> bool:
    """Whether all i < j are split as well as can be; fills the table of costs by growing j - i.

    Args:
      places: that i and j may be.
      truth: [N, N], what entries must be that are no such pairs.
      decided: [N, N], from i up to j - 1.
      cost: [N, N], of what is not split.
      costs: (i, j) -> what it costs to split at i, ..., j - 1.
    """
    free = np.ones(truth.shape, bool)
    for length in range(1, len(places)):
        for i in places[:-length]:
            j = i + length
            by_split = costs(i, j)
            cost[i, j] = by_split.min()
            split = int(decided[i, j]) - i
            if not 0 <= split < length or not _is_least(by_split[split], cost[i, j]):
                return False
            free[i, j] = False
    return bool((decided == truth)[free].all())


def _is_least(value: float, least: float) -> bool:
    return bool(value <= least + _TOLERANCE * max(1.0, abs(least)))
