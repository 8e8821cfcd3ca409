"""The table of a sweep: a row for each setting, with mean and deviation over its seeds."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nar.reports.tables import format_table
from nar.statistics import SampleStatistics, sample_statistics


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
      overrides: of the setting, without the seed.
      result: as `result.json` has it; None of a trial without one. A trial of several seeds has a list
        `seeds` in it, each with scores of its own.
    """

    overrides: Mapping[str, Any]
    result: Mapping[str, Any] | None


@dataclasses.dataclass(frozen=True)
class Setting:
    """Trials that differ in their seed alone.

    Attributes:
      overrides: what they have in common.
      trials: how many there are.
      finished: how many of them have a result.
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
    """The settings, the best on validation first, and those without a result last."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(repr(sorted(outcome.overrides.items())), []).append(outcome)
    settings = [_setting(group) for group in groups.values()]
    return sorted(settings, key=lambda one: np.inf if one.validation is None else -one.validation.mean)


def _setting(group: Sequence[Outcome]) -> Setting:
    results = [outcome.result for outcome in group if outcome.result is not None]
    scores = [one["scores"] for result in results for one in result.get("seeds", [result])]
    validation = [_by_task(score["validation"]) for score in scores]
    test = [_by_task(score["test"]) for score in scores]
    tasks = {
        task: sample_statistics([by_task[task] for by_task in test]) for task in (test[0] if test else ())
    }
    means = _mean_over_tasks(validation), _mean_over_tasks(test)
    return Setting(group[0].overrides, len(group), len(results), *means, tasks)


def _by_task(scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    return {
        task: float(np.mean([values["score"] for values in sizes.values()])) for task, sizes in scores.items()
    }


def _mean_over_tasks(repetitions: Sequence[Mapping[str, float]]) -> SampleStatistics | None:
    if not repetitions:
        return None
    return sample_statistics([float(np.mean(list(by_task.values()))) for by_task in repetitions])


def sweep_rows(settings: Sequence[Setting]) -> tuple[list[str], list[list[str]]]:
    """Header and cells: what is overridden, finished trials, and scores in percent."""
    keys = list(dict.fromkeys(key for setting in settings for key in setting.overrides))
    header = [*(_short(key, keys) for key in keys), "trials", "seeds", "validation", "test"]
    rows = []
    for setting in settings:
        said = [str(setting.overrides.get(key, "–")) for key in keys]
        seeds = "–" if setting.test is None else str(setting.test.count)
        scores = ["–" if one is None else str(one) for one in (setting.validation, setting.test)]
        rows.append([*said, f"{setting.finished} of {setting.trials}", seeds, *scores])
    return header, rows


def task_rows(settings: Sequence[Setting]) -> tuple[list[str], list[list[str]]]:
    """Header and cells: a row for each algorithm, a column for each setting that has a result."""
    finished = [setting for setting in settings if setting.tasks]
    keys = list(dict.fromkeys(key for setting in settings for key in setting.overrides))
    names = [
        ", ".join(f"{_short(k, keys)} {v}" for k, v in setting.overrides.items()) or "as configured"
        for setting in finished
    ]
    tasks = list(dict.fromkeys(task for setting in finished for task in setting.tasks))
    rows = [
        [task, *(str(setting.tasks[task]) if task in setting.tasks else "–" for setting in finished)]
        for task in tasks
    ]
    return ["algorithm", *names], rows


def sweep_text(settings: Sequence[Setting]) -> str:
    """For the terminal: means over algorithms."""
    return f"{format_table(*sweep_rows(settings))}\n\n{_NOTE}"


def sweep_markdown(settings: Sequence[Setting]) -> str:
    """The same for a README; several algorithms have a table of their own."""
    parts = [markdown_table(*sweep_rows(settings))]
    header, rows = task_rows(settings)
    if len(rows) > 1:
        parts.append(f"Test score by algorithm:\n\n{markdown_table(header, rows)}")
    return "\n\n".join([*parts, _NOTE]) + "\n"


def sweep_json(settings: Sequence[Setting]) -> dict[str, Any]:
    """The same as plain values, with intervals."""
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


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells between bars; a bar within one is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


_NOTE = "Scores in percent: mean ± sample standard deviation over seeds. The best on validation comes first."


def _short(key: str, keys: Sequence[str]) -> str:
    """The last part of a key, if no other key ends so."""
    last = key.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in keys) == 1 else key
