"""What is compared: test scores of algorithms and classes, and averages, over the seeds of a setting."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from nar.algorithms import ALGORITHMS, FAMILIES
from nar.reports.run_report.published import Published, find_published
from nar.reports.run_report.settings import Setting
from nar.statistics import SampleStatistics, sample_statistics

TEST_SIZE = "64"
"""Of CLRS-30's test split, for which there are published numbers."""

TASKS, CLASSES = "30 tasks", "8 classes"
"""Averages over all of CLRS-30."""


@dataclasses.dataclass(frozen=True)
class Quantity:
    """Something that several runs, and publications, may have a number for.

    Attributes:
      level: "algorithm", "class" or "average" if it is comparable with publications, else another word.
      name: of the algorithm, class or average.
    """

    level: str
    name: str

    @property
    def label(self) -> str:
        """As it stands in tables."""
        if self.level == "class":
            return f"class {self.name}"
        return f"mean of {self.name}" if "average" in self.level else self.name

    def published(self) -> dict[str, Published]:
        """Numbers of others, by method."""
        return find_published(self.level, self.name)


def test_scores(setting: Setting) -> dict[Quantity, SampleStatistics]:
    """Each quantity's spread over the seeds that have it; nothing if no run is finished.

    An average is over the seeds of which all algorithms of the setting are finished.
    """
    tests = [scores["test"] for scores in setting.repetitions.values()]
    names = {name for test in tests for name in test}
    rows = [_quantities(test, setting.is_text, is_whole=set(test) == names) for test in tests]
    found = dict.fromkeys(quantity for row in rows for quantity in row)
    return {one: sample_statistics([row[one] for row in rows if one in row]) for one in found}


def validation_score(setting: Setting) -> SampleStatistics | None:
    """The mean score of algorithms on the validation split, over seeds; None if no seed has all of them."""
    splits = [scores["validation"] for scores in setting.repetitions.values()]
    names = {name for split in splits for name in split}
    whole = [split for split in splits if set(split) == names]
    means = [float(np.mean([_over_sizes(sizes) for sizes in split.values()])) for split in whole]
    return sample_statistics(means) if means else None


def clrs30_tasks(family: str | None = None) -> set[str]:
    """Names of the algorithms of CLRS-30, or of those of a class."""
    return {
        name for name, one in ALGORITHMS.items() if one.in_clrs30 and (family is None or one.family == family)
    }


def family_of(task: str) -> str:
    """The class of an algorithm; of one that nar does not have, as it is a user's own, "other"."""
    return ALGORITHMS[task].family if task in ALGORITHMS else "other"


def _over_sizes(sizes: Mapping[str, Mapping[str, float]]) -> float:
    return float(np.mean([values["score"] for values in sizes.values()]))


def _quantities(test: Mapping[str, Any], is_text: bool, is_whole: bool) -> dict[Quantity, float]:
    """The numbers of one seed; averages only if it has all algorithms."""
    scores = {_task(task, list(sizes), is_text): _over_sizes(sizes) for task, sizes in test.items()}
    if len(scores) == 1 or not is_whole:
        return scores
    if any(one.level != "algorithm" for one in scores):
        return {**scores, Quantity("other average", f"these {len(scores)} tasks"): _mean(scores)}
    return scores | _averages({one.name: value for one, value in scores.items()})


def _task(task: str, sizes: list[str], is_text: bool) -> Quantity:
    if not is_text and sizes == [TEST_SIZE]:
        return Quantity("algorithm", task)
    span = sizes[0] if len(sizes) == 1 else f"{sizes[0]}–{sizes[-1]}"
    return Quantity("text" if is_text else "other", f"{task}, {'length' if is_text else 'n ='} {span}")


def _averages(scores: Mapping[str, float]) -> dict[Quantity, float]:
    """Means over tasks and classes. They have the names of CLRS-30's only if they are over all of these."""
    classes: dict[str, dict[str, float]] = {}
    for task, value in scores.items():
        classes.setdefault(family_of(task), {})[task] = value
    whole = [name for name in FAMILIES if set(classes.get(name, ())) == clrs30_tasks(name)]
    found = {Quantity("class", name): _mean(classes[name]) for name in whole if len(classes[name]) > 1}
    if set(scores) == clrs30_tasks():
        found = {Quantity("class", name): _mean(classes[name]) for name in whole}
        tasks, all_classes = TASKS, CLASSES
    else:
        tasks, all_classes = f"these {len(scores)} tasks", f"these {len(classes)} classes"
    found[Quantity("average", tasks)] = _mean(scores)
    if 1 < len(classes) < len(scores):
        found[Quantity("average", all_classes)] = float(np.mean([_mean(one) for one in classes.values()]))
    return found


def _mean(scores: Mapping[Any, float]) -> float:
    return float(np.mean(list(scores.values())))
