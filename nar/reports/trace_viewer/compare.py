"""Where two runs on one instance agree, entry by entry, and how many entries are right at each step."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from nar.reports.trace_viewer.readable_values import differs, read
from nar.specs import MASKED, Kind, Probe, Spec, Stage
from nar.traces import Trace

TOLERANCE = 0.1
"""How far off a number may be, of its size or of 1 if it is smaller, and still be right."""


@dataclasses.dataclass(frozen=True)
class ProbeComparison:
    """What is right of one probe.

    Attributes:
      wrong: where an entry is not the true one; of a hint for each step, [T, ...], T being the length of the
        longer run. Of the shorter one the last step is taken from there on.
      right: how many entries are right; of a hint at each step, [T].
      total: how many there are to predict, shaped alike.
    """

    wrong: np.ndarray
    right: np.ndarray
    total: np.ndarray


def compare_traces(spec: Spec, truth: Trace, other: Trace) -> dict[str, ProbeComparison]:
    """By name, of all hints and outputs that both runs have.

    Args:
      spec: of the runs.
      truth: the algorithm's.
      other: a network's.
    """
    found = {}
    for probe in (*spec.hints, *spec.outputs):
        true, mine = ({**run.hints, **run.outputs}.get(probe.name) for run in (truth, other))
        if true is not None and mine is not None:
            found[probe.name] = _compare_probe(probe, read(probe, true), read(probe, mine))
    return found


def _compare_probe(probe: Probe, truth: np.ndarray, other: np.ndarray) -> ProbeComparison:
    is_hint = probe.stage is Stage.HINT
    if is_hint:
        steps = np.arange(max(len(truth), len(other)))
        truth, other = (values[np.minimum(steps, len(values) - 1)] for values in (truth, other))
    counted = _is_predicted(probe, truth)
    wrong = counted & ~_is_right(probe, truth, other)
    axes = tuple(range(is_hint, wrong.ndim))
    return ProbeComparison(wrong, (counted & ~wrong).sum(axis=axes), counted.sum(axis=axes))


def _is_predicted(probe: Probe, truth: np.ndarray) -> np.ndarray:
    """Where there is something to predict."""
    return np.ones(truth.shape, bool) if probe.kind is Kind.SCALAR else np.array(truth != MASKED)


def _is_right(probe: Probe, truth: np.ndarray, other: np.ndarray) -> np.ndarray:
    same = ~differs(truth, other)
    if probe.kind is not Kind.SCALAR:
        return same
    with np.errstate(invalid="ignore"):
        return same | (np.abs(truth - other) <= TOLERANCE * np.maximum(1, np.abs(truth)))


def totals(
    found: Mapping[str, ProbeComparison], probes: tuple[Probe, ...], step: int | None
) -> tuple[int, int]:
    """How many entries of some probes are right and how many there are, of hints at a step."""
    right = total = 0
    for probe in probes:
        if probe.name in found:
            one = found[probe.name]
            right += int(one.right if step is None else one.right[step])
            total += int(one.total if step is None else one.total[step])
    return right, total
