"""Scores by size: from `experiments.evaluate` or, without an evaluation, from the splits of a result."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nar.reports.run_report.records import Record
from nar.reports.run_report.settings import Setting
from nar.statistics import SampleStatistics, sample_statistics

CLRS30 = "clrs30"
"""Name of the problem distribution of CLRS-30, as opposed to a graph family."""

LENGTHS = {"own": "own number of steps", "true": "the algorithm's number of steps"}


@dataclasses.dataclass(frozen=True)
class CurvePoint:
    """A position on a curve of score against size.

    Attributes:
      panel: title of the curve: algorithm, graph family and number of steps.
      size: problem size, or length of the texts.
    """

    panel: str
    size: int


@dataclasses.dataclass(frozen=True)
class SizeScores:
    """Scores of a setting at one point.

    Attributes:
      metrics: statistics by metric: score, and possibly exact and valid.
      over: what the statistics are over; empty for a single measurement.
    """

    metrics: Mapping[str, SampleStatistics]
    over: str


def scores_by_size(setting: Setting) -> dict[CurvePoint, SizeScores]:
    """All scores of a setting by size, sorted by size within each panel."""
    scores = _from_results(setting) | _from_evaluations(setting)
    panels = list(dict.fromkeys(point.panel for point in scores))
    return {point: scores[point] for point in sorted(scores, key=lambda p: (panels.index(p.panel), p.size))}


def _from_results(setting: Setting) -> dict[CurvePoint, SizeScores]:
    """Scores of the validation and test splits, over seeds."""
    values: dict[CurvePoint, list[float]] = {}
    for scores in setting.scores_by_seed.values():
        for split in ("validation", "test"):
            for task, sizes in scores[split].items():
                for size, outputs in sizes.items():
                    if size.isdigit() and not (setting.is_text and split == "validation"):
                        panel = _panel(setting.records[0], task, CLRS30, None)
                        values.setdefault(CurvePoint(panel, int(size)), []).append(outputs["score"])
    return {
        point: SizeScores(
            {"score": sample_statistics(by_seed)}, f"{len(by_seed)} seeds" if len(by_seed) > 1 else ""
        )
        for point, by_seed in values.items()
    }


def _from_evaluations(setting: Setting) -> dict[CurvePoint, SizeScores]:
    """Scores of evaluations, over runs if several were evaluated, otherwise over the problems' seeds."""
    cases: dict[CurvePoint, list[Mapping[str, SampleStatistics]]] = {}
    for record in setting.records:
        for case in _cases(record.evaluation or {}):
            panel = _panel(record, case["task"], case["family"], case["lengths"])
            metrics = {
                name: SampleStatistics(**case[name]) for name in ("score", "exact", "valid") if name in case
            }
            cases.setdefault(CurvePoint(panel, case["size"]), []).append(metrics)
    return {point: _aggregate(runs) for point, runs in cases.items()}


def _aggregate(runs: list[Mapping[str, SampleStatistics]]) -> SizeScores:
    if len(runs) > 1:
        names = [name for name in runs[0] if all(name in one for one in runs)]
        means = {name: sample_statistics([one[name].mean for one in runs]) for name in names}
        return SizeScores(means, f"{len(runs)} runs")
    count = runs[0]["score"].count
    return SizeScores(runs[0], f"{count} seeds of problems" if count > 1 else "")


def _cases(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Cases of an evaluation, including the older format, which has only scores by size."""
    if "summary" in evaluation:
        return evaluation["summary"]
    return [
        {
            "task": task,
            "size": int(size),
            "family": CLRS30,
            "lengths": None,
            "score": sample_statistics([values["score"]]).as_json(),
        }
        for task, sizes in evaluation.get("scores", {}).items()
        for size, values in sizes.items()
    ]


def _panel(record: Record, task: str, family: str, lengths: str | None) -> str:
    """Title of the panel, with the number of steps if the network has its own termination rule."""
    has_own_lengths = record.config.get("model", {}).get("termination", "trace") != "trace"
    default = "own" if has_own_lengths else "true"
    parts = [f"{task} (text)" if record.is_text else task]
    parts += [family] if family != CLRS30 else []
    parts += [LENGTHS[lengths or default]] if has_own_lengths else []
    return ", ".join(parts)
