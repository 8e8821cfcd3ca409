"""Entrywise comparison of two runs on one instance, and counts of correct entries at each step."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from nar.reports.trace_viewer.readable_values import differs, read
from nar.specs import MASKED, Probe, Spec
from nar.traces import Trace

TOLERANCE = 0.1
"""Largest error of a correct number, relative to its absolute value or to 1 if that is larger."""


@dataclasses.dataclass(frozen=True)
class ProbeComparison:
    """Correct and wrong entries of one probe.

    Attributes:
      wrong: True where an entry is wrong; for a hint or an answer at each step, [T, ...], where T is the
        length of the longer run. The shorter run is extended by repeating its last step.
      right: number of correct entries; for a hint or an answer at each step, [T].
      total: number of entries to predict, of the same shape.
    """

    wrong: np.ndarray
    right: np.ndarray
    total: np.ndarray


def compare_traces(spec: Spec, truth: Trace, other: Trace) -> dict[str, ProbeComparison]:
    """Compares all hints, answers and outputs that both runs have, by name.

    Args:
      spec: spec of both runs.
      truth: the algorithm's run.
      other: the network's run.
    """
    comparisons = {}
    for probe in (*spec.hints, *spec.answers, *spec.outputs):
        true, predicted = ({**run.hints, **run.outputs}.get(probe.name) for run in (truth, other))
        if true is not None and predicted is not None:
            comparisons[probe.name] = _compare_probe(probe, read(probe, true), read(probe, predicted))
    return comparisons


def _compare_probe(probe: Probe, truth: np.ndarray, other: np.ndarray) -> ProbeComparison:
    is_hint = probe.stage.is_per_step
    if is_hint:
        steps = np.arange(max(len(truth), len(other)))
        truth, other = (values[np.minimum(steps, len(values) - 1)] for values in (truth, other))
    counted = _is_predicted(probe, truth)
    wrong = counted & ~_is_correct(probe, truth, other)
    axes = tuple(range(is_hint, wrong.ndim))
    return ProbeComparison(wrong, (counted & ~wrong).sum(axis=axes), counted.sum(axis=axes))


def _is_predicted(probe: Probe, truth: np.ndarray) -> np.ndarray:
    """Mask of the entries to predict."""
    return np.ones(truth.shape, bool) if probe.kind.is_number else np.array(truth != MASKED)


def _is_correct(probe: Probe, truth: np.ndarray, other: np.ndarray) -> np.ndarray:
    same = ~differs(truth, other)
    if not probe.kind.is_number:
        return same
    with np.errstate(invalid="ignore"):
        return same | (np.abs(truth - other) <= TOLERANCE * np.maximum(1, np.abs(truth)))


def totals(
    comparisons: Mapping[str, ProbeComparison], probes: tuple[Probe, ...], step: int | None
) -> tuple[int, int]:
    """Counts the correct entries, and all entries, of several probes (of hints, at one step)."""
    right = total = 0
    for probe in probes:
        if probe.name in comparisons:
            one = comparisons[probe.name]
            right += int(one.right if step is None else one.right[step])
            total += int(one.total if step is None else one.total[step])
    return right, total
