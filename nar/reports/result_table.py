"""Table of the scores and metrics of a finished run, as text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nar.algorithms import ALGORITHMS
from nar.reports.tables import NONE, Table
from nar.runs.protocol_keys import CUSTOM_PROTOCOL, describe_selection
from nar.specs import SCALAR_TOLERANCE, Kind

TaskScores = Mapping[str, Mapping[str, Mapping[str, float]]]
"""task -> size -> output, "score" or another metric -> value, as stored in `result.json`."""

BUILT_IN_METRICS = ("exact", "valid", "hint_score")
"""Names of `nar.evaluation.METRICS`: fractions, shown in percent."""


def scores_by_task(scores: TaskScores) -> dict[str, float]:
    """Mean `score` of each task over its sizes."""
    return {
        task: float(np.mean([values["score"] for values in sizes.values()])) for task, sizes in scores.items()
    }


def result_summary(result: Mapping[str, Any]) -> str:
    """Formats the scores of a finished run, their averages over algorithms, and a line on its cost."""
    deviations, metrics = result.get("deviations", {}), result.get("metrics", ())
    header = ("algorithm", "split", "n", "score", *metrics, "outputs")
    rows = _rows(result["scores"], deviations.get("scores"), metrics)
    for split, averages in result.get("averages", {}).items():
        tasks, classes = len(result["scores"][split]), len(averages) - 2
        spread = deviations.get("averages", {}).get(split, {})
        names = {"algorithms": f"mean of {tasks} algorithms", "classes": f"mean of {classes} classes"}
        for key, name in names.items() if tasks > 1 else ():
            rows.append(
                [name, split, "", _percent(averages[key], spread.get(key)), *("" for _ in metrics), ""]
            )
    tasks = dict.fromkeys(task for split in result["scores"].values() for task in split)
    notes = [line for line in (scalar_note(tasks), protocol_note(result), _cost(result)) if line]
    return "\n\n".join([Table(header, rows).as_text(), *notes])


def protocol_note(result: Mapping[str, Any]) -> str:
    """The line on the evaluation protocol; empty for a language model, which has only one."""
    protocol = result.get("protocol")
    if not protocol:
        return ""
    if protocol["name"] != CUSTOM_PROTOCOL:
        return f"Protocol: {protocol['name']}."
    return f"Protocol: custom (see `protocol` in result.json); {describe_selection(protocol)}."


def scalar_note(tasks: Iterable[str]) -> str:
    """The line on the tolerance of scalar outputs; empty if no (registered) algorithm of `tasks` has any."""
    specs = {task: ALGORITHMS[task].spec for task in tasks if task in ALGORITHMS}
    scalars = [
        f"{task}/{probe.name}"
        for task, spec in specs.items()
        for probe in (*spec.answers, *spec.outputs)
        if probe.kind in (Kind.SCALAR, Kind.VECTOR)
    ]
    if not scalars:
        return ""
    share = f"share of the numbers that are within {SCALAR_TOLERANCE:g} of the true one"
    return f"{', '.join(scalars)}: {share} (relative to it if it exceeds 1)"


def _rows(
    scores: Mapping[str, TaskScores],
    deviations: Mapping[str, TaskScores] | None,
    metrics: Sequence[str],
) -> list[list[str]]:
    """Rows of each split, task and size."""
    rows = []
    for split, tasks in scores.items():
        for task, sizes in tasks.items():
            for size, values in sizes.items():
                spread = {} if deviations is None else deviations[split][task][size]
                rows.append([task, split, size, *_cells(values, spread, metrics)])
    return rows


def _cells(values: Mapping[str, float], spread: Mapping[str, float], metrics: Sequence[str]) -> list[str]:
    """Cells of the score, of each metric, and of all outputs."""
    own = [_metric(name, values[name], spread.get(name)) if name in values else NONE for name in metrics]
    outputs = ", ".join(
        f"{name} {_percent(value, spread.get(name))}"
        for name, value in values.items()
        if name not in ("score", "steps", *metrics)
    )
    if "steps" in values:
        outputs += f", in {values['steps']:.1f} steps"
    return [_percent(values["score"], spread.get("score")), *own, outputs]


def _metric(name: str, value: float, deviation: float | None = None) -> str:
    """Formats the value of a metric: a built-in one in percent, a custom one as a number."""
    if name in BUILT_IN_METRICS:
        return _percent(value, deviation)
    return f"{value:.4g}" if deviation is None else f"{value:.4g} ± {deviation:.2g}"


def _percent(value: float, deviation: float | None) -> str:
    return f"{value:.2%}" if deviation is None else f"{value:.2%} ± {deviation:.2%}"


def _cost(result: Mapping[str, Any]) -> str:
    """A line with steps, time and parameters, and which steps were scored."""
    units = {"steps": "steps", "examples": "examples", "seconds": "s", "parameters": "parameters"}
    summary = ", ".join(f"{result[key]:.0f} {unit}" for key, unit in units.items() if key in result)
    has_own = bool(result.get("protocol", {}).get("selection_sizes"))
    where = "selection" if has_own else "validation"
    if seeds := result.get("seeds"):
        steps = ", ".join(f"{one.get('best_step', NONE)} (seed {one['seed']})" for one in seeds)
        return (
            f"{summary}; mean ± standard deviation of {len(seeds)} seeds; "
            f"scored, best on {where}: step {steps}"
        )
    return f"{summary}; scored: step {result.get('best_step', NONE)}, best on {where}"
