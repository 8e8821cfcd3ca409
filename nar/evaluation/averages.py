"""Averages of scores: over algorithms, the eight classes of CLRS-30, sets of problems, and seeds."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from nar.algorithms import FAMILIES, find_algorithm
from nar.statistics import sample_statistics

Scores = dict[str, dict[str, dict[str, float]]]
"""task -> size -> output, "score" or another metric -> value."""


def mean_score(scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> float:
    """Mean over tasks of the mean `score` over sizes."""
    return float(
        np.mean([np.mean([values["score"] for values in sizes.values()]) for sizes in scores.values()])
    )


def mean_over_sets(values: Collection[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each number of a task over sets of problems, among those that have it."""
    names = dict.fromkeys(name for one in values for name in one)
    return {name: float(np.mean([one[name] for one in values if name in one])) for name in names}


def class_mean_scores(scores: Scores) -> dict[str, float]:
    """Mean score of the tasks of each class, in the order of `FAMILIES`; others are left out."""
    by_class: dict[str, Scores] = {}
    for task, sizes in scores.items():
        by_class.setdefault(find_algorithm(task).family, {})[task] = sizes
    return {name: mean_score(by_class[name]) for name in FAMILIES if name in by_class}


def mean_and_deviation(trees: Sequence[Any]) -> tuple[Any, Any]:
    """Means and sample standard deviations over seeds of numbers, or of nested dictionaries of numbers."""
    if isinstance(trees[0], Mapping):
        pairs = {key: mean_and_deviation([tree[key] for tree in trees]) for key in trees[0]}
        means, deviations = ({key: pair[half] for key, pair in pairs.items()} for half in (0, 1))
        return means, deviations
    numbers = sample_statistics(trees)
    return numbers.mean, numbers.deviation
