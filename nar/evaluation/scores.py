"""Scores of predictions, one formula per kind, pooled over all samples (arXiv 2205.15659, section 3)."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nar.algorithms import find_algorithm
from nar.evaluation.decoding import decode_outputs, join_permutations
from nar.evaluation.inference import InferenceResult
from nar.kinds import KindTable
from nar.model import Values
from nar.specs import MASKED, SCALAR_TOLERANCE, Kind, Probe, Spec
from nar.traces import TraceBatch

Score = Callable[[np.ndarray, np.ndarray], float]
"""(truth, predicted) -> score from 0 to 1, the higher the better; both in the format of a trace."""


def micro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """F1 pooled over the unmasked entries of all samples; 1 if no entry is or is predicted to be positive."""
    counted = truth != MASKED
    positive, detected = (truth == 1) & counted, (predicted > 0.5) & counted
    hits = (positive & detected).sum()
    if not positive.any() and not detected.any():
        return 1.0
    return float(2 * hits / (positive.sum() + detected.sum()))


def class_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Accuracy over the unmasked one-hot vectors; 1 if all are masked."""
    counted = (truth != MASKED).all(axis=-1)
    if not counted.any():
        return 1.0
    return float((truth.argmax(axis=-1) == predicted.argmax(axis=-1))[counted].mean())


def pointer_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Fraction of pointers that are correct."""
    return float((truth == predicted).mean())


def fraction_within_tolerance(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Fraction of numbers that are correct within `SCALAR_TOLERANCE`."""
    return float((np.abs(truth - predicted) <= SCALAR_TOLERANCE * np.maximum(1.0, np.abs(truth))).mean())


SCORES = KindTable[Score](
    "score",
    {
        Kind.SCALAR: fraction_within_tolerance,
        Kind.VECTOR: fraction_within_tolerance,
        Kind.CATEGORICAL: class_accuracy,
        Kind.MASK: micro_f1,
        Kind.MASK_ONE: class_accuracy,
        Kind.POINTER: pointer_accuracy,
        Kind.SHOULD_BE_PERMUTATION: pointer_accuracy,
        Kind.PERMUTATION_POINTER: pointer_accuracy,
    },
)
"""Score function of each kind; permutations are scored as pointers, after `decode_outputs`.

All are those of CLRS-30, except that scalars have the fraction of correct numbers in place of a squared
error: every score can be averaged with others, and the highest is the best.
"""


def score_predictions(
    spec: Spec,
    truth: Mapping[str, np.ndarray],
    predicted: Mapping[str, np.ndarray],
    has_nan: np.ndarray | None = None,
) -> dict[str, float]:
    """Computes the score of each output, and `score`, their mean. Each is from 0 to 1.

    Answers, which have a value at every step, are scored by `score_result`.

    Args:
      spec: the spec after transforms.
      truth: outputs of a batch, after transforms.
      predicted: predictions, as `decode_outputs` returns them.
      has_nan: [B], samples whose predictions are not numbers, so that what they decode to is accidental:
        their share of the score is 0.

    Raises:
      ValueError: if there are no outputs, or the score of a custom kind is not a number from 0 to 1.
    """
    if not spec.outputs:
        raise ValueError("there are no outputs to score; score_result scores answers, too")
    truth = join_permutations(spec, truth)
    samples = np.arange(len(next(iter(predicted.values()))))
    return _with_mean(
        {
            probe.name: _score_numbers(probe, truth[probe.name], predicted[probe.name], samples, has_nan)
            for probe in spec.outputs
            if probe.name in truth
        }
    )


def _with_mean(scores: dict[str, float]) -> dict[str, float]:
    return {**scores, "score": float(np.mean(list(scores.values())))}


def _score_numbers(
    probe: Probe, truth: np.ndarray, predicted: np.ndarray, samples: np.ndarray, has_nan: np.ndarray | None
) -> float:
    """The score of a probe times the share of samples without NaN.

    Args:
      probe: the probe.
      truth: [M, ...], true values.
      predicted: [M, ...], predicted values.
      samples: [M], the sample of each value.
      has_nan: [B], or None.
    """
    if has_nan is None or not has_nan.any():
        return _score(probe, truth, predicted)
    if has_nan.all():
        return 0.0
    kept = ~has_nan[samples]
    return float(_score(probe, truth[kept], predicted[kept]) * (~has_nan).mean())


def _score(probe: Probe, truth: np.ndarray, predicted: np.ndarray) -> float:
    """The score of a probe; raises ValueError if that of a custom kind is not a number from 0 to 1."""
    if truth.shape != predicted.shape:
        raise ValueError(
            f"{probe.name}: kind {probe.kind.name} decodes values of the shape {list(predicted.shape)}, "
            f"the true ones have {list(truth.shape)}"
        )
    return _share(SCORES[probe.kind](truth, predicted), f"{probe.name}: the score of kind {probe.kind.name}")


def _share(score: Any, what: str) -> float:
    """A score as a float; raises ValueError if it is not a number from 0 to 1."""
    number = np.asarray(score)
    if number.shape != () or number.dtype.kind not in "biuf" or not 0 <= number <= 1:
        raise ValueError(f"{what} must be a number from 0 to 1, got {score!r:.100}")
    return float(number)


def score_result(result: InferenceResult) -> dict[str, float]:
    """Computes the scores of the outputs and answers of an algorithm, and `score`; see `score_predictions`.

    The score of an answer is pooled over all steps of all samples. If the algorithm has a score of its own,
    `score` is its mean over the instances.

    Raises:
      ValueError: if the score of the algorithm, or of a custom kind, is not a number from 0 to 1.
    """
    batch, own = result.batch, find_algorithm(result.task).score
    has_outputs = bool(result.outputs)
    scores = (
        score_predictions(result.spec, batch.outputs, result.outputs, result.has_nan) if has_outputs else {}
    )
    scores.pop("score", None)
    for probe in result.spec.answers:
        scores[probe.name] = _score_numbers(probe, *result.step_entries(probe.name), result.has_nan)
    scores = _with_mean(scores)
    if own is None:
        return scores
    counted = np.ones(len(result.steps), bool) if result.has_nan is None else ~result.has_nan
    by_instance = [
        _share(own(*instance), f"{result.task}: a score") if is_counted else 0.0
        for instance, is_counted in zip(result.instances(), counted, strict=True)
    ]
    return {**scores, "score": float(np.mean(by_instance))}


def score_outputs(spec: Spec, batch: TraceBatch, logits: Values) -> dict[str, float]:
    """Scores a network's output logits for a batch; see `score_predictions`."""
    return score_predictions(spec, batch.outputs, decode_outputs(spec, logits))


def hint_scores(result: InferenceResult) -> dict[str, list[float]]:
    """Scores of each hint at steps 1, 2, ..., each over the samples whose trace and rollout are that long."""
    last = np.minimum(result.batch.lengths - 1, result.steps)
    scores = {}
    for probe in result.spec.hints:
        if probe.name in result.hints:
            truth, predicted = result.batch.hints[probe.name], result.hints[probe.name]
            scores[probe.name] = [
                _score(probe, truth[step][last >= step], predicted[step - 1][last >= step])
                for step in range(1, int(last.max()) + 1)
            ]
    return scores
