"""Scores by size: from `experiments.evaluate` or, without an evaluation, from the splits of a result."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from nar.algorithms import ALGORITHMS
from nar.problems import GRAPH_FAMILIES
from nar.problems.options import CLRS30
from nar.reports.evaluation_table import is_metric
from nar.reports.run_report.records import Record
from nar.reports.run_report.settings import Setting
from nar.statistics import SampleStatistics, sample_statistics

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
      score: statistics of the score.
      metrics: statistics of further metrics, such as exact and valid.
      over: what the statistics are over; empty for a single measurement.
    """

    score: SampleStatistics
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
                for label, outputs in sizes.items():
                    size, _, family = label.partition(", ")
                    if size.isdigit() and not (setting.is_text and split == "validation"):
                        record = setting.records[0]
                        problem = _problem_of_split(record, task, split)
                        panel = _panel(record, task, family or CLRS30, problem=problem)
                        values.setdefault(CurvePoint(panel, int(size)), []).append(outputs["score"])
    return {
        point: SizeScores(sample_statistics(by_seed), {}, f"{len(by_seed)} seeds" if len(by_seed) > 1 else "")
        for point, by_seed in values.items()
    }


def _from_evaluations(setting: Setting) -> dict[CurvePoint, SizeScores]:
    """Scores of evaluations, over runs if several were evaluated, otherwise over the problems' seeds."""
    cases: dict[CurvePoint, list[Mapping[str, SampleStatistics]]] = {}
    for record in setting.records:
        for case in (record.evaluation or {"summary": ()})["summary"]:
            protocol = (record.evaluation or {}).get("protocol", {})
            problem = protocol.get("tasks", {}).get(case["task"], {}).get("problem", {})
            panel = _panel(record, case["task"], case["family"], case["lengths"], problem)
            metrics = {name: SampleStatistics(**one) for name, one in case["metrics"].items()}
            cases.setdefault(CurvePoint(panel, case["size"]), []).append(metrics)
    return {point: _aggregate(runs) for point, runs in cases.items()}


def _aggregate(runs: list[Mapping[str, SampleStatistics]]) -> SizeScores:
    statistics, over = runs[0], ""
    if len(runs) > 1:
        names = [name for name in runs[0] if all(name in one for one in runs)]
        statistics = {name: sample_statistics([one[name].mean for one in runs]) for name in names}
        over = f"{len(runs)} runs"
    elif statistics["score"].count > 1:
        over = f"{statistics['score'].count} seeds of problems"
    metrics = {name: one for name, one in statistics.items() if is_metric(name)}
    return SizeScores(statistics["score"], metrics, over)


def _problem_of_split(record: Record, task: str, split: str) -> Mapping[str, Any]:
    """Problem options of the run's own protocol."""
    if record.is_text:
        return {}
    config = record.graph_config
    common: Mapping[str, Any] = getattr(config.evaluation, split).problem
    return config.tasks.get(task, {}).get(split, {}).get("problem", common)


def _panel(
    record: Record,
    task: str,
    family: str,
    lengths: str | None = None,
    problem: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Title of the panel, with the number of steps if the network has its own termination rule."""
    has_own_lengths = not record.is_text and record.config["model"]["termination"] != "trace"
    default = "own" if has_own_lengths else "true"
    parts = [f"{task} (text)" if record.is_text else task]
    parts += [family] if family != CLRS30 else []
    parts += [f"{name} = {value}" for name, value in _own_options(task, family, problem).items()]
    parts += [LENGTHS[lengths or default]] if has_own_lengths else []
    return ", ".join(parts)


def _own_options(task: str, family: str, problem: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options that problems of a task and family have; all of them, if either is not one of nar's."""
    known = task in ALGORITHMS and (family == CLRS30 or family in GRAPH_FAMILIES)
    return ALGORITHMS[task].problem.options_of_family(family, problem) if known else problem
