"""Scores and metrics of a network on traces and on sets of problems, such as the splits of CLRS-30."""

from collections.abc import Mapping, Sequence

from nar.evaluation.averages import Scores, mean_over_sets
from nar.evaluation.inference import Inference
from nar.evaluation.metrics import Metrics, compute_metrics
from nar.evaluation.problem_sets import ProblemSet
from nar.evaluation.scores import score_result
from nar.model import Learned, Params
from nar.traces import TraceBatch


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
    values = score_result(result)
    if isinstance(inference.model.config.termination, Learned):
        values["steps"] = float(result.steps.mean())
    return {**values, **compute_metrics(metrics or {}, result)}


def score_problem_sets(
    inference: Inference,
    params: Params,
    problem_sets: Mapping[str, Sequence[ProblemSet]],
    metrics: Metrics | None = None,
) -> Scores:
    """Scores tasks on sets of problems, complete and in order.

    Args:
      inference: inference with the network.
      params: parameters of the network.
      problem_sets: sets of problems by task. Scores of sets that differ only in their seed are averaged.
      metrics: metrics by name, as `find_metrics` returns them; `inference` captures what they read.

    Returns:
      task -> label of the set, such as "64" -> output, `score` or metric -> value.
    """
    result: Scores = {}
    for task, sets in problem_sets.items():
        by_label: dict[str, list[dict[str, float]]] = {}
        for one in sets:
            traces = one.draw_once(all_hints=inference.keeps_hints, wait_for_compilation=False)
            values = score_traces(inference, params, task, traces, metrics)
            by_label.setdefault(one.label, []).append(values)
        result[task] = {label: mean_over_sets(values) for label, values in by_label.items()}
    return result
