"""Uncertainty of predictions: likelihood, calibration, and how well it finds wrong entries."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from nar.evaluation.ensemble import is_binary
from nar.specs import MASKED, Spec
from nar.traces import TraceBatch

Array = np.ndarray
NUM_BINS = 15
"""Bins of confidence of the calibration error."""


class Uncertainty(NamedTuple):
    """Measures over all unmasked entries of all outputs that are not numbers.

    Attributes:
      nll: mean negative log-likelihood of the true values, in nats.
      calibration_error: expected calibration error: mean difference between the confidence and the accuracy
        of a bin, weighted by its number of entries (Guo et al. 2017, arXiv 1706.04599).
      auroc: area under the ROC curve of finding wrong entries by their entropy; NaN if all are right or
        all are wrong.
    """

    nll: float
    calibration_error: float
    auroc: float


def measure_uncertainty(spec: Spec, batch: TraceBatch, probabilities: Mapping[str, Array]) -> Uncertainty:
    """Measures the uncertainty of outputs.

    Args:
      spec: the spec after transforms.
      batch: traces after transforms, with true outputs.
      probabilities: by name, as `nar.evaluation.ensemble.Ensemble` returns them.

    Raises:
      ValueError: if all outputs are numbers.
    """
    found = [
        _distributions(
            np.asarray(probabilities[probe.name], np.float64),
            np.asarray(batch.outputs[probe.name]),
            is_binary(probe),
        )
        for probe in spec.outputs
        if not probe.kind.is_number
    ]
    if not found:
        raise ValueError("all outputs are numbers, which have no probabilities")
    likelihood, confidence, is_right, entropy = map(np.concatenate, zip(*found, strict=True))
    return Uncertainty(
        nll=float(-np.log(np.maximum(likelihood, np.finfo(np.float32).tiny)).mean()),
        calibration_error=calibration_error(confidence, is_right),
        auroc=auroc(entropy, ~is_right),
    )


def _distributions(probabilities: Array, truth: Array, binary: bool) -> tuple[Array, Array, Array, Array]:
    """Likelihood, confidence, correctness and entropy of each unmasked entry, [M]."""
    if binary:
        probabilities = np.stack([1 - probabilities, probabilities], axis=-1)
        counted, target = truth != MASKED, truth == 1
    elif truth.ndim == probabilities.ndim:
        counted, target = (truth != MASKED).all(axis=-1), truth.argmax(axis=-1)
    else:
        counted, target = np.ones(truth.shape, bool), truth
    rows, target = probabilities[counted], np.asarray(target[counted], int)
    safe = np.maximum(rows, np.finfo(np.float32).tiny)
    entropy = -(rows * np.log(safe)).sum(axis=-1)
    likelihood = np.take_along_axis(rows, target[:, None], axis=-1)[:, 0]
    return likelihood, rows.max(axis=-1), rows.argmax(axis=-1) == target, entropy


def calibration_error(confidence: Array, is_right: Array, num_bins: int = NUM_BINS) -> float:
    """Expected calibration error over equal bins of confidence from 0 to 1.

    Args:
      confidence: [M], probability of each predicted value.
      is_right: [M] bool.
      num_bins: number of bins.
    """
    bins = np.minimum((confidence * num_bins).astype(int), num_bins - 1)
    gaps = np.bincount(bins, confidence - is_right, num_bins)
    return float(np.abs(gaps).sum() / len(confidence))


def auroc(score: Array, is_positive: Array) -> float:
    """Probability that a positive entry has a higher score than a negative one; ties count half.

    Args:
      score: [M].
      is_positive: [M] bool.

    Returns:
      The area under the ROC curve; NaN if no entry, or every one, is positive.
    """
    if is_positive.all() or not is_positive.any():
        return float("nan")
    from scipy.stats import mannwhitneyu  # slow to import, so imported only where it is needed

    positive, negative = score[is_positive], score[~is_positive]
    return float(
        mannwhitneyu(positive, negative, method="asymptotic").statistic / (len(positive) * len(negative))
    )
