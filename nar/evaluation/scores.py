"""Scores of predictions, one formula for each kind, pooled over all samples (arXiv 2205.15659, section 3)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import numpy as np

from nar.data import FIRST_SUFFIX
from nar.model import OUTPUT_SINKHORN_ITERATIONS, Values, decode_hard
from nar.specs import MASKED, Kind, Probe, Spec
from nar.traces import TraceBatch

Score = Callable[[np.ndarray, np.ndarray], float]
"""(truth, decided) -> score; both as a trace holds them."""


def micro_f1(truth: np.ndarray, decided: np.ndarray) -> float:
    """F1 of the entries of all samples together, without masked ones; 1 if nothing is or should be found."""
    counted = truth != MASKED
    true, found = (truth == 1) & counted, (decided > 0.5) & counted
    hits = (true & found).sum()
    if not true.any() and not found.any():
        return 1.0
    return float(2 * hits / (true.sum() + found.sum()))


def class_accuracy(truth: np.ndarray, decided: np.ndarray) -> float:
    """Share of one-hot vectors whose class is right, without masked ones; 1 if all are masked."""
    counted = (truth != MASKED).all(axis=-1)
    if not counted.any():
        return 1.0
    return float((truth.argmax(axis=-1) == decided.argmax(axis=-1))[counted].mean())


def pointer_accuracy(truth: np.ndarray, decided: np.ndarray) -> float:
    """Share of pointers that are right."""
    return float((truth == decided).mean())


def mean_squared_error(truth: np.ndarray, decided: np.ndarray) -> float:
    """Mean squared error: not a score, the smaller the better."""
    return float(((truth - decided) ** 2).mean())


SCORES: Mapping[Kind, Score] = MappingProxyType(
    {
        Kind.SCALAR: mean_squared_error,
        Kind.CATEGORICAL: class_accuracy,
        Kind.MASK: micro_f1,
        Kind.MASK_ONE: class_accuracy,
        Kind.POINTER: pointer_accuracy,
        Kind.SHOULD_BE_PERMUTATION: pointer_accuracy,
        Kind.PERMUTATION_POINTER: pointer_accuracy,
    }
)
"""By kind; permutations are scored as pointers, after `decide`."""


def decode_outputs(spec: Spec, logits: Values) -> dict[str, np.ndarray]:
    """Outputs as a trace holds them: pointers as indices, permutations as predecessor pointers.

    Args:
      spec: after transforms.
      logits: of outputs by name, [B, ...].
    """
    decided = {}
    for probe in spec.outputs:
        value = decode_hard(probe, logits[probe.name], OUTPUT_SINKHORN_ITERATIONS)
        decided[probe.name] = np.asarray(value)
    for probe in spec.outputs:
        if probe.kind in (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION):
            decided[probe.name] = decided[probe.name].argmax(axis=-1)
    return join_permutations(spec, decided)


def decode_hint(probe: Probe, logits: jax.Array) -> np.ndarray:
    """A hint as a trace holds it: logits [S, B, ...] of what each step predicts."""
    decided = np.asarray(decode_hard(probe, logits))
    if probe.kind in (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION):
        decided = decided.argmax(axis=-1)
    return decided.astype(probe.dtype)


def join_permutations(spec: Spec, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Cyclic one-hot pointers [B, N, N] and first nodes [B, N] as predecessor pointers [B, N]."""
    joined = dict(values)
    for probe in spec.outputs:
        if probe.kind is Kind.PERMUTATION_POINTER:
            first = joined.pop(probe.name + FIRST_SUFFIX) > 0.5
            pointers = values[probe.name].argmax(axis=-1)
            joined[probe.name] = np.where(first, np.arange(first.shape[-1]), pointers)
    return joined


def score_predictions(
    spec: Spec, truth: Mapping[str, np.ndarray], decided: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Score of each output, and `score`, their mean.

    Args:
      spec: after transforms.
      truth: outputs of a batch, after transforms.
      decided: as `decide` returns them.
    """
    truth = join_permutations(spec, truth)
    probes: dict[str, Probe] = {probe.name: probe for probe in spec.outputs if probe.name in truth}
    scores = {name: SCORES[probe.kind](truth[name], decided[name]) for name, probe in probes.items()}
    return {**scores, "score": float(np.mean(list(scores.values())))}


def score_outputs(spec: Spec, batch: TraceBatch, logits: Values) -> dict[str, float]:
    """Scores of a network's output logits for a batch; see `score_decided`."""
    return score_predictions(spec, batch.outputs, decode_outputs(spec, logits))
