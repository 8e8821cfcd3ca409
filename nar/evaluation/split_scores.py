"""Scores and metrics of a network on traces, and on whole splits of CLRS-30."""

from nar.algorithms import find_algorithm
from nar.evaluation.averages import Scores
from nar.evaluation.inference import Inference
from nar.evaluation.metrics import Metrics, compute_metrics
from nar.evaluation.scores import score_predictions
from nar.model import Learned, Params
from nar.traces import CLRS30_SPLITS, TraceBatch, clrs30_sample, clrs30_split


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
    values = score_predictions(result.spec, result.batch.outputs, result.outputs)
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
