"""Augmentations of sorting algorithms: other keys with the same results of all comparisons made so far.

A comparison sort depends on its keys through the results of comparisons only. New keys in any order that
agrees with those that were made until hint t + 1 give the same hints until then. They are a random order
among the keys that the steps do not touch, and near the end a change of all keys that keeps their order.

Insertion sort reads its keys from left to right, so that new keys at the end are not touched until it gets
there. The other three touch the last position at once, or name it in a hint: they have no further keys.
"""

import functools
import itertools

import numpy as np

from nar.algorithms import ALGORITHMS
from nar.data.augmentation.base import AugmentedProblem
from nar.data.augmentation.orders import random_ranks
from nar.traces import Trace


class _Key:
    """A key that marks the pairs of nodes that are compared."""

    def __init__(self, value: float, node: int, compared: np.ndarray) -> None:
        self.value, self.node, self.compared = value, node, compared

    def _mark(self, other: "_Key") -> None:
        self.compared[self.node, other.node] = self.compared[other.node, self.node] = True

    def __lt__(self, other: "_Key") -> bool:
        self._mark(other)
        return self.value < other.value

    def __le__(self, other: "_Key") -> bool:
        self._mark(other)
        return self.value <= other.value

    def __gt__(self, other: "_Key") -> bool:
        self._mark(other)
        return self.value > other.value


def compared_pairs(name: str, keys: np.ndarray, num_hints: int) -> np.ndarray:
    """Mask [N, N] of the pairs of nodes that a sorting algorithm compares before its `num_hints`-th hints."""
    compared = np.zeros((len(keys), len(keys)), bool)
    recording = [_Key(float(key), node, compared) for node, key in enumerate(keys)]
    steps = ALGORITHMS[name].steps(recording, np.empty(len(keys), np.int64))
    for _ in itertools.islice(steps, num_hints):
        pass
    return compared


def same_comparisons(
    trace: Trace, step: int, new_nodes: int, random: np.random.Generator, *, name: str, appends: bool = False
) -> AugmentedProblem:
    """New keys with the same results of all comparisons until hint `step` + 1.

    Args:
      trace: see `Augmentation`, as for the next three.
      step: see there.
      new_nodes: see there; ignored unless `appends`.
      random: see there.
      name: name of the sorting algorithm.
      appends: whether new keys are appended.
    """
    keys = trace.inputs["key"]
    old = len(keys)
    before = np.zeros((old + new_nodes * appends,) * 2, bool)
    before[:old, :old] = compared_pairs(name, keys, step + 2) & (keys[:, None] < keys)
    distinct, inverse = np.unique(keys, return_inverse=True)
    if len(distinct) < old:  # Equal keys stay equal.
        before[:old, :old] = keys[:, None] < keys
    values = np.sort(random.uniform(keys.min(), keys.max(), len(before)))
    augmented = values[random_ranks(before, random)]
    if len(distinct) < old:
        augmented[:old] = np.sort(augmented[:old])[: len(distinct)][inverse]
    return AugmentedProblem((augmented,), np.arange(old), step)


insertion_sort = functools.partial(same_comparisons, name="insertion_sort", appends=True)
bubble_sort = functools.partial(same_comparisons, name="bubble_sort")
heapsort = functools.partial(same_comparisons, name="heapsort")
quicksort = functools.partial(same_comparisons, name="quicksort")
