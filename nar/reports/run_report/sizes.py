"""Scores by size: what `experiments.evaluate` found and, where it was not asked, the splits of a result."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nar.reports.run_report.records import Record
from nar.reports.run_report.settings import Setting
from nar.statistics import SampleStatistics, sample_statistics

CLRS30 = "clrs30"
"""The family of problems as CLRS-30 draws them."""

LENGTHS = {"own": "own number of steps", "true": "the algorithm's number of steps"}


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a network was measured.

    Attributes:
      panel: which algorithm, on which graphs, for how many steps: what a curve over size is about.
      size: of the problems, or length of the texts.
    """

    panel: str
    size: int


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was measured at a place.

    Attributes:
      spreads: by quantity: score, perhaps exact and valid.
      over: what the deviation is over; empty of a single measurement.
    """

    spreads: Mapping[str, SampleStatistics]
    over: str


def measured(setting: Setting) -> dict[Place, Measured]:
    """All that is known of a setting by size, in the order of sizes."""
    found = _from_results(setting) | _from_evaluations(setting)
    panels = list(dict.fromkeys(place.panel for place in found))
    return {place: found[place] for place in sorted(found, key=lambda p: (panels.index(p.panel), p.size))}


def _from_results(setting: Setting) -> dict[Place, Measured]:
    """Scores of the validation and test splits, over seeds."""
    values: dict[Place, list[float]] = {}
    for scores in setting.repetitions.values():
        for split in ("validation", "test"):
            for task, sizes in scores[split].items():
                for size, outputs in sizes.items():
                    if size.isdigit() and not (setting.is_text and split == "validation"):
                        panel = _panel(setting.records[0], task, CLRS30, None)
                        values.setdefault(Place(panel, int(size)), []).append(outputs["score"])
    return {
        place: Measured(
            {"score": sample_statistics(of_seeds)}, f"{len(of_seeds)} seeds" if len(of_seeds) > 1 else ""
        )
        for place, of_seeds in values.items()
    }


def _from_evaluations(setting: Setting) -> dict[Place, Measured]:
    """Over runs, if several were evaluated; or else over the seeds of problems."""
    cases: dict[Place, list[Mapping[str, SampleStatistics]]] = {}
    for record in setting.records:
        for case in _cases(record.evaluation or {}):
            panel = _panel(record, case["task"], case["family"], case["lengths"])
            spreads = {
                name: SampleStatistics(**case[name]) for name in ("score", "exact", "valid") if name in case
            }
            cases.setdefault(Place(panel, case["size"]), []).append(spreads)
    return {place: _joined(of_runs) for place, of_runs in cases.items()}


def _joined(of_runs: list[Mapping[str, SampleStatistics]]) -> Measured:
    if len(of_runs) > 1:
        names = [name for name in of_runs[0] if all(name in one for one in of_runs)]
        means = {name: sample_statistics([one[name].mean for one in of_runs]) for name in names}
        return Measured(means, f"{len(of_runs)} runs")
    count = of_runs[0]["score"].count
    return Measured(of_runs[0], f"{count} seeds of problems" if count > 1 else "")


def _cases(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The cases of an evaluation; before nar had a suite, these were scores by size alone."""
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
    """Its title. Whose number of steps is only said of networks that decide on theirs."""
    decides = record.config.get("model", {}).get("termination", "trace") != "trace"
    usual = "own" if decides else "true"
    parts = [f"{task} (text)" if record.is_text else task]
    parts += [family] if family != CLRS30 else []
    parts += [LENGTHS[lengths or usual]] if decides else []
    return ", ".join(parts)
