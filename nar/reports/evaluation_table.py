"""Text table of the evaluation suite."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nar.reports.result_table import BUILT_IN_METRICS
from nar.reports.tables import NONE, Table
from nar.statistics import SampleStatistics

if TYPE_CHECKING:
    from nar.evaluation import Case


def evaluation_table(summary: "Mapping[Case, Mapping[str, SampleStatistics]]") -> str:
    """Formats a row per case: means, with deviations and confidence intervals over several seeds.

    Scores and built-in metrics are in percent, custom metrics are plain numbers.

    Args:
      summary: case -> metric -> statistics over seeds, as `nar.evaluation.summarize_cases` returns them.
    """
    has_seeds = any(one["score"].count > 1 for one in summary.values())
    has_own_lengths = any(case.lengths == "own" for case in summary)
    hidden = [*(() if has_seeds else ("95 %",)), *(() if has_own_lengths else ("lengths", "steps"))]
    metrics = list(dict.fromkeys(name for one in summary.values() for name in one if is_metric(name)))
    rows = [_row(case, quantities, metrics) for case, quantities in summary.items()]
    shown = [index for index, name in enumerate(_COLUMNS) if name not in hidden]
    shown += range(len(_COLUMNS), len(_COLUMNS) + len(metrics) + 1)
    header = [*_COLUMNS, *metrics, "outputs"]
    lines = [[line[index] for index in shown] for line in (header, *rows)]
    return Table(lines[0], lines[1:]).as_text()


_COLUMNS = ("algorithm", "n", "graphs", "lengths", "steps", "score", "95 %")
"""Columns before those of the metrics."""


def is_metric(name: str) -> bool:
    """Tells metrics beyond the scores from the other quantities of a measurement."""
    return name not in ("score", "steps") and not name.startswith("output/")


def _row(case: "Case", quantities: Mapping[str, SampleStatistics], metrics: list[str]) -> list[str]:
    score = quantities["score"]
    outputs = [name for name in quantities if name.startswith("output/")]
    return [
        case.task,
        str(case.size),
        case.family,
        case.lengths,
        f"{quantities['steps'].mean:.1f}",
        str(score),
        NONE if score.interval is None else f"± {100 * score.interval:.2f}",
        *(metric_cell(name, quantities.get(name)) for name in metrics),
        ", ".join(f"{name.removeprefix('output/')} {quantities[name]}" for name in outputs),
    ]


def metric_cell(name: str, statistics: SampleStatistics | None) -> str:
    """Formats the mean ± deviation of a metric: a built-in one in percent, a custom one as a number."""
    if statistics is None:
        return NONE
    return str(statistics) if name in BUILT_IN_METRICS else statistics.as_number()
