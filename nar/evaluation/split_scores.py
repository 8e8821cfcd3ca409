"""Scores and metrics of a network on traces, on whole splits of CLRS-30, and at other sizes."""

from collections.abc import Sequence

from nar.algorithms import find_algorithm
from nar.evaluation.averages import Scores
from nar.evaluation.inference import Inference
from nar.evaluation.metrics import Metrics, compute_metrics
from nar.evaluation.scores import score_predictions
from nar.model import Learned, Params
from nar.traces import CLRS30_SPLITS, TraceBatch, clrs30_sample, clrs30_split

SAMPLES_PER_SIZE = 32
"""Samples of a size other than a split's, to be multiplied by `Algorithm.clrs30_multiplier` as in a split."""


def score_traces(
    inference: Inference,
    params: Params,
    task: str,
    traces: TraceBatch,
    metrics: Metrics | None = None,
) -> dict[str, float]:
    """Computes the score of each output, pooled over all traces, `score`, their mean, and further metrics.

    For a network with learned termination there is also `steps`, the mean number of steps taken.

    Args:
      inference: inference with the network.
      params: parameters of the network.
      task: name of the algorithm.
      traces: raw traces, as `nar.traces` produces them.
      metrics: metrics by name, as `find_metrics` returns them; `inference` captures what they read.
    """
    result = inference.run(params, task, traces)
    values = score_predictions(result.spec, result.batch.outputs, result.outputs, result.has_nan)
    if isinstance(inference.model.config.termination, Learned):
        values["steps"] = float(result.steps.mean())
    return {**values, **compute_metrics(metrics or {}, result)}


def score_split(inference: Inference, params: Params, split: str, metrics: Metrics | None = None) -> Scores:
    """Scores all tasks on a canonical split of CLRS-30, complete and in order.

    An algorithm outside CLRS-30 is scored on a split drawn in the same way.
    """
    result: Scores = {}
    for task in inference.model.specs:
        algorithm = find_algorithm(task)
        if algorithm.in_clrs30:
            traces = clrs30_split(algorithm, split, wait_for_compilation=False)
        else:
            origin = CLRS30_SPLITS[split].origin(algorithm)
            traces = clrs30_sample(algorithm, **origin, wait_for_compilation=False)
        size = str(CLRS30_SPLITS[split].size)
        result[task] = {size: score_traces(inference, params, task, traces, metrics)}
    return result


def score_sizes(
    inference: Inference, params: Params, sizes: Sequence[int], seed: int, metrics: Metrics | None = None
) -> Scores:
    """Scores all tasks on fresh problems of several sizes, drawn as CLRS-30 draws its test split."""
    result: Scores = {}
    for task in inference.model.specs:
        count = SAMPLES_PER_SIZE * find_algorithm(task).clrs30_multiplier
        result[task] = {
            str(size): score_traces(inference, params, task, clrs30_sample(task, size, count, seed), metrics)
            for size in sizes
        }
    return result
