"""Correctness checkers for the tables of dynamic programs, where each entry is the answer to a subproblem.

Where several answers to a subproblem are equally good, CLRS-30's table has one of them. Here any of them is
correct, entry by entry; entries without a subproblem have a single correct value. Inputs and answers are
those of one instance, in the format of a trace, without a batch axis.
"""

from collections.abc import Callable, Mapping

import numpy as np

from nar.algorithms.dynamic_programming.lcs_length import LEFT, UP, UP_LEFT

Array = np.ndarray
Values = Mapping[str, Array]
Costs = Callable[[int, int], Array]

_TOLERANCE = 1e-6


def is_lcs_table(inputs: Values, truth: Values, predicted: Values) -> bool:
    """Checks that the arrows from each table entry spell a longest common subsequence of the two prefixes.

    A pair of letters on such a subsequence has an arrow to the upper left; other arrows lead to an entry
    whose longest common subsequence is as long.
    """
    del truth
    second = inputs["string"] == 1
    x, y = (inputs["key"][rows].argmax(axis=-1) for rows in (~second, second))
    arrows = predicted["b"][np.ix_(~second, second)].argmax(axis=-1)
    lengths = common_lengths(x, y)
    longest, equal = lengths[1:, 1:], x[:, None] == y
    allowed = {UP_LEFT: equal, UP: lengths[:-1, 1:] == longest, LEFT: lengths[1:, :-1] == longest}
    return bool(np.all(np.any([(arrows == arrow) & valid for arrow, valid in allowed.items()], axis=0)))


def common_lengths(x: Array, y: Array) -> Array:
    """Length of the longest common subsequence of x[:i] and y[:j], at [i, j]."""
    lengths = np.zeros((len(x) + 1, len(y) + 1), int)
    for i, j in np.ndindex(len(x), len(y)):
        best = max(lengths[i, j + 1], lengths[i + 1, j])
        lengths[i + 1, j + 1] = max(best, lengths[i, j] + (x[i] == y[j]))
    return lengths


def is_matrix_chain_table(inputs: Values, truth: Values, predicted: Values) -> bool:
    """Checks that each chain of matrices i ... j, 1 <= i < j, is split at a point of least cost."""
    p = inputs["p"].astype(np.float64)
    cost = np.zeros((len(p), len(p)))
    return _splits_are_optimal(
        range(1, len(p)),
        truth["s"],
        predicted["s"],
        cost,
        lambda i, j: cost[i, i:j] + cost[i + 1 : j + 1, j] + p[i - 1] * p[i:j] * p[j],
    )


def is_search_tree_table(inputs: Values, truth: Values, predicted: Values) -> bool:
    """Checks that, between any two gaps i < j, the key at the root has the least expected search cost."""
    p, q = (inputs[name].astype(np.float64) for name in ("p", "q"))
    keys, gaps = (np.concatenate([[0.0], np.cumsum(values)]) for values in (p, q))
    cost = np.diag(q)

    def costs(i: int, j: int) -> Array:
        searched = keys[j] - keys[i] + gaps[j + 1] - gaps[i]
        return cost[i, i:j] + cost[i + 1 : j + 1, j] + searched

    return _splits_are_optimal(range(len(q)), truth["root"], predicted["root"], cost, costs)


def _splits_are_optimal(indices: range, truth: Array, predicted: Array, cost: Array, costs: Costs) -> bool:
    """Checks that all i < j are split optimally; fills the table of costs in order of increasing j - i.

    Args:
      indices: the range of i and j.
      truth: [N, N], the required values of all other entries.
      predicted: [N, N], predicted splits, each from i to j - 1.
      cost: [N, N], least costs; on entry, those of the subproblems that are not split.
      costs: (i, j) -> costs of splitting at i, ..., j - 1.
    """
    unused = np.ones(truth.shape, bool)
    for length in range(1, len(indices)):
        for i in indices[:-length]:
            j = i + length
            by_split = costs(i, j)
            cost[i, j] = by_split.min()
            split = int(predicted[i, j]) - i
            if not 0 <= split < length or not _is_least(by_split[split], cost[i, j]):
                return False
            unused[i, j] = False
    return bool((predicted == truth)[unused].all())


def _is_least(value: float, least: float) -> bool:
    return bool(value <= least + _TOLERANCE * max(1.0, abs(least)))
