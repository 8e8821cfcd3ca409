"""The table of a sweep: a row per setting, with mean and standard deviation over its seeds."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nar.reports.result_table import scores_by_task
from nar.reports.tables import NONE, Table, short_key
from nar.statistics import SampleStatistics, sample_statistics

_NOTE = "Scores in percent: mean ± sample standard deviation over seeds. The best on validation comes first."


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Overrides and result of one trial.

    Attributes:
      overrides: config overrides of the setting, without the seed.
      result: the content of `result.json`; None for a trial without one. The result of a trial with several
        seeds has a list `seeds`, each with its own scores.
    """

    overrides: Mapping[str, Any]
    result: Mapping[str, Any] | None


@dataclasses.dataclass(frozen=True)
class Setting:
    """Trials that differ only in their seed.

    Attributes:
      overrides: the overrides that they share.
      trials: number of trials.
      finished: number of trials with a result.
      validation: mean score of the tasks on validation; None if no trial is finished.
      test: the same on the test split.
      tasks: task -> its score on the test split.
    """

    overrides: Mapping[str, Any]
    trials: int
    finished: int
    validation: SampleStatistics | None
    test: SampleStatistics | None
    tasks: Mapping[str, SampleStatistics]


def summarize(outcomes: Sequence[Outcome]) -> list[Setting]:
    """Groups outcomes into settings, best validation score first, those without a result last."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(repr(sorted(outcome.overrides.items())), []).append(outcome)
    settings = [_setting(group) for group in groups.values()]
    return sorted(settings, key=lambda one: np.inf if one.validation is None else -one.validation.mean)


def _setting(group: Sequence[Outcome]) -> Setting:
    results = [outcome.result for outcome in group if outcome.result is not None]
    scores = [one["scores"] for result in results for one in result.get("seeds", [result])]
    validation = [scores_by_task(score["validation"]) for score in scores]
    test = [scores_by_task(score["test"]) for score in scores]
    tasks = {
        task: sample_statistics([by_task[task] for by_task in test])
        for task in (test[0] if test else ())
        if all(task in by_task for by_task in test)
    }
    means = _mean_over_tasks(validation), _mean_over_tasks(test)
    return Setting(group[0].overrides, len(group), len(results), *means, tasks)


def _mean_over_tasks(repetitions: Sequence[Mapping[str, float]]) -> SampleStatistics | None:
    if not repetitions:
        return None
    return sample_statistics([float(np.mean(list(by_task.values()))) for by_task in repetitions])


def sweep_table(settings: Sequence[Setting]) -> Table:
    """Makes the table of a sweep: overrides, finished trials, and mean scores over algorithms in percent."""
    keys = list(dict.fromkeys(key for setting in settings for key in setting.overrides))
    header = [*(short_key(key, keys) for key in keys), "trials", "seeds", "validation", "test"]
    rows = []
    for setting in settings:
        values = [str(setting.overrides.get(key, NONE)) for key in keys]
        seeds = NONE if setting.test is None else str(setting.test.count)
        scores = [NONE if one is None else str(one) for one in (setting.validation, setting.test)]
        rows.append([*values, f"{setting.finished} of {setting.trials}", seeds, *scores])
    return Table(header, rows, notes=[_NOTE])


def task_table(settings: Sequence[Setting]) -> Table:
    """Makes the table of test scores: a row per algorithm, a column per setting that has a result."""
    finished = [setting for setting in settings if setting.tasks]
    keys = list(dict.fromkeys(key for setting in settings for key in setting.overrides))
    names = [
        ", ".join(f"{short_key(k, keys)} {v}" for k, v in setting.overrides.items()) or "as configured"
        for setting in finished
    ]
    tasks = list(dict.fromkeys(task for setting in finished for task in setting.tasks))
    rows = [
        [task, *(str(setting.tasks[task]) if task in setting.tasks else NONE for setting in finished)]
        for task in tasks
    ]
    return Table(["algorithm", *names], rows, "Test score by algorithm:")


def sweep_markdown(settings: Sequence[Setting]) -> str:
    """Formats the sweep as Markdown; with several algorithms, a second table has the score of each."""
    tables = [sweep_table(settings), task_table(settings)]
    return "\n".join(table.as_markdown() for table in tables if table is tables[0] or len(table.rows) > 1)


def sweep_json(settings: Sequence[Setting]) -> dict[str, Any]:
    """Converts the settings to plain values for JSON, including confidence intervals."""
    return {
        "settings": [
            {
                "overrides": dict(setting.overrides),
                "trials": setting.trials,
                "finished": setting.finished,
                "validation": setting.validation and setting.validation.as_json(),
                "test": setting.test and setting.test.as_json(),
                "tasks": {task: one.as_json() for task, one in setting.tasks.items()},
            }
            for setting in settings
        ]
    }
