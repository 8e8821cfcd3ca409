"""Columns of the leaderboard: the rows of one method, of single-task networks or of one for several tasks."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from nar.algorithms import FAMILIES
from nar.reports.leaderboard.rows import Row
from nar.reports.run_report.quantities import CLASSES, TASKS, Quantity, clrs30_tasks
from nar.statistics import SampleStatistics, sample_statistics


@dataclasses.dataclass(frozen=True)
class Column:
    """The rows that are compared as one method.

    Attributes:
      label: the method, with the name of the network if that is of several algorithms.
      rows: one recipe for each name, with all of its seeds.
    """

    label: str
    rows: Sequence[Row]

    @property
    def scores(self) -> dict[str, dict[int, float]]:
        """algorithm -> seed -> score on the test split."""
        scores: dict[str, dict[int, float]] = {}
        for row in self.rows:
            for task, value in row.test_scores.items():
                scores.setdefault(task, {})[row.seed] = value
        return scores

    def quantities(self) -> dict[Quantity, SampleStatistics]:
        """Statistics of algorithms, and of the classes and averages of which all algorithms are there."""
        scores = self.scores
        found = {
            Quantity("algorithm", task): sample_statistics(list(seeds.values()))
            for task, seeds in scores.items()
        }
        families = [name for name in FAMILIES if clrs30_tasks(name) and clrs30_tasks(name) <= set(scores)]
        for family in families:
            found[Quantity("class", family)] = _mean_over(
                {task: scores[task] for task in clrs30_tasks(family)}, lambda one: _mean(one.values())
            )
        if clrs30_tasks() <= set(scores):
            all_tasks = {task: scores[task] for task in clrs30_tasks()}
            found[Quantity("average", TASKS)] = _mean_over(all_tasks, lambda one: _mean(one.values()))
            found[Quantity("average", CLASSES)] = _mean_over(all_tasks, _mean_of_classes)
        return found


def make_columns(rows: Sequence[Row]) -> list[Column]:
    """Groups rows into columns; of several recipes for one name the best on validation is taken."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.method if row.is_single_task else f"{row.method}, {row.name}", []).append(row)
    return [Column(label, _best_recipes(group)) for label, group in groups.items()]


def _best_recipes(rows: Sequence[Row]) -> list[Row]:
    by_name: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        by_name.setdefault(row.name, {}).setdefault(row.recipe, []).append(row)
    best = [
        max(recipes.values(), key=lambda seeds: _mean(row.validation for row in seeds))
        for recipes in by_name.values()
    ]
    return [row for seeds in best for row in seeds]


def _mean_over(
    scores: Mapping[str, Mapping[int, float]], mean: Callable[[Mapping[str, float]], float]
) -> SampleStatistics:
    """Statistics of a mean over algorithms: of their means, with the deviation over seeds that have all."""
    complete = set.intersection(*(set(seeds) for seeds in scores.values()))
    by_seed = [mean({task: seeds[seed] for task, seeds in scores.items()}) for seed in sorted(complete)]
    total = mean({task: _mean(seeds.values()) for task, seeds in scores.items()})
    spread = sample_statistics(by_seed) if len(by_seed) > 1 else SampleStatistics(1, total, None, None)
    return dataclasses.replace(spread, mean=total)


def _mean_of_classes(scores: Mapping[str, float]) -> float:
    families = [clrs30_tasks(name) for name in FAMILIES if clrs30_tasks(name)]
    return _mean(_mean(scores[task] for task in tasks) for tasks in families)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
