"""Metrics of hints at all steps and at the last one, as papers before CLRS-30 report them.

`reachability_*` is the fraction of nodes of which the network knows whether they are reached, `predecessor_*`
the fraction whose predecessor is correct (Veličković et al. 2019, arXiv 1910.10593, section 5). `mean_step`
pools all steps of all samples, `last_step` takes the last step of each sample. Metrics that an algorithm
does not have are not defined for it.

    config.evaluation.metrics = ("nar.evaluation.step_accuracy:reachability_mean_step",)
"""

import functools
from collections.abc import Sequence

import numpy as np

from nar.evaluation.correctness.exact_match import ENTRY_MATCHERS
from nar.evaluation.inference import InferenceResult
from nar.evaluation.metrics import Metric

REACHABILITY = ("msk", "reach_h")
"""Names of hints that mark the reached nodes."""

PREDECESSORS = ("pi_h",)
"""Names of hints that point to the predecessors of nodes."""


def step_accuracy(result: InferenceResult, names: Sequence[str], last_step: bool) -> float | None:
    """The fraction of correct entries of a hint.

    Args:
      result: predictions, with hints.
      names: names of the hint in different algorithms; the first that the algorithm has is taken.
      last_step: whether to count the last step of each sample only.

    Returns:
      The fraction; None if the algorithm has no such hint, or the network does not predict it.
    """
    name = next((name for name in names if name in result.hints), None)
    if name is None:
        return None
    truth, predicted, samples = result.step_entries(name)
    if last_step:
        is_last = np.append(samples[1:] != samples[:-1], True)
        truth, predicted = truth[is_last], predicted[is_last]
    return float(ENTRY_MATCHERS[result.spec[name].kind](truth, predicted).mean())


def _metric(names: Sequence[str], last_step: bool) -> Metric:
    return Metric(functools.partial(step_accuracy, names=names, last_step=last_step), capture="hints")


reachability_mean_step = _metric(REACHABILITY, False)
reachability_last_step = _metric(REACHABILITY, True)
predecessor_mean_step = _metric(PREDECESSORS, False)
predecessor_last_step = _metric(PREDECESSORS, True)
