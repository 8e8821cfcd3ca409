"""Quantities to compare: test scores of algorithms and classes, and averages, over the seeds of a setting."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from nar.algorithms import ALGORITHMS, CLRS30_FAMILIES
from nar.reports.result_table import scores_by_task
from nar.reports.run_report.published import Published, find_published
from nar.reports.run_report.settings import Setting
from nar.statistics import SampleStatistics, sample_statistics

TEST_SIZE = "64"
"""Size of CLRS-30's test split, for which there are published numbers."""

TASKS, CLASSES = "30 tasks", "8 classes"
"""Names of the averages over all of CLRS-30."""


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A score that runs and publications can be compared by.

    Attributes:
      level: "algorithm", "class" or "average" if comparable with publications, otherwise another word.
      name: name of the algorithm, class or average.
    """

    level: str
    name: str

    @property
    def label(self) -> str:
        """The name shown in tables."""
        if self.level == "class":
            return f"class {self.name}"
        return f"mean of {self.name}" if "average" in self.level else self.name

    def published(self) -> dict[str, Published]:
        """Published numbers, by method."""
        return find_published(self.level, self.name)


def test_scores(setting: Setting) -> dict[Quantity, SampleStatistics]:
    """Statistics of each quantity over the seeds that have it; empty if no run is finished.

    Averages are over the seeds for which all algorithms of the setting are finished.
    """
    tests = [scores["test"] for scores in setting.scores_by_seed.values()]
    names = {name for test in tests for name in test}
    rows = [_quantities(test, setting, is_complete=set(test) == names) for test in tests]
    quantities = dict.fromkeys(quantity for row in rows for quantity in row)
    return {one: sample_statistics([row[one] for row in rows if one in row]) for one in quantities}


def validation_score(setting: Setting) -> SampleStatistics | None:
    """Mean validation score of the algorithms, over the seeds that have all of them; None if none has."""
    splits = [scores["validation"] for scores in setting.scores_by_seed.values()]
    names = {name for split in splits for name in split}
    complete = [split for split in splits if set(split) == names]
    means = [float(np.mean(list(scores_by_task(split).values()))) for split in complete]
    return sample_statistics(means) if means else None


def clrs30_tasks(family: str | None = None) -> set[str]:
    """Names of the algorithms of CLRS-30, or of one of its classes."""
    return {
        name for name, one in ALGORITHMS.items() if one.in_clrs30 and (family is None or one.family == family)
    }


def family_of(task: str) -> str:
    """Class of an algorithm; "other" for one that is not registered, such as a user's."""
    return ALGORITHMS[task].family if task in ALGORITHMS else "other"


def _quantities(test: Mapping[str, Any], setting: Setting, is_complete: bool) -> dict[Quantity, float]:
    """Quantities of one seed; averages are included only if it has all algorithms."""
    scores = {_task(task, list(test[task]), setting): one for task, one in scores_by_task(test).items()}
    if len(scores) == 1 or not is_complete:
        return scores
    if any(one.level != "algorithm" for one in scores):
        return {**scores, Quantity("other average", f"these {len(scores)} tasks"): _mean(scores)}
    return scores | _averages({one.name: value for one, value in scores.items()})


def _task(task: str, sizes: list[str], setting: Setting) -> Quantity:
    if setting.is_clrs30 and sizes == [TEST_SIZE]:
        return Quantity("algorithm", task)
    span = sizes[0] if len(sizes) == 1 else f"{sizes[0]}–{sizes[-1]}"
    if setting.is_text:
        return Quantity("text", f"{task}, length {span}")
    return Quantity("other", f"{task}, n = {span}")


def _averages(scores: Mapping[str, float]) -> dict[Quantity, float]:
    """Means over tasks and over classes, named as those of CLRS-30 only if they cover all of it."""
    classes: dict[str, dict[str, float]] = {}
    for task, value in scores.items():
        classes.setdefault(family_of(task), {})[task] = value
    complete = [name for name in CLRS30_FAMILIES if set(classes.get(name, ())) == clrs30_tasks(name)]
    means = {Quantity("class", name): _mean(classes[name]) for name in complete if len(classes[name]) > 1}
    if set(scores) == clrs30_tasks():
        means = {Quantity("class", name): _mean(classes[name]) for name in complete}
        tasks, all_classes = TASKS, CLASSES
    else:
        tasks, all_classes = f"these {len(scores)} tasks", f"these {len(classes)} classes"
    means[Quantity("average", tasks)] = _mean(scores)
    if 1 < len(classes) < len(scores):
        means[Quantity("average", all_classes)] = float(np.mean([_mean(one) for one in classes.values()]))
    return means


def _mean(scores: Mapping[Any, float]) -> float:
    return float(np.mean(list(scores.values())))
