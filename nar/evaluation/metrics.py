"""Metrics beyond the scores, by name: built-in ones, and custom ones as `module:ATTRIBUTE`.

A metric is a function of the predictions for samples of one algorithm. It returns a number, or a number per
sample, of which the mean is reported:

    def mean_pointer_error(result: InferenceResult) -> np.ndarray:
        return (result.outputs["pi"] != result.true_outputs["pi"]).mean(axis=1)
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from nar.evaluation.correctness.checkers import valid_answers
from nar.evaluation.correctness.exact_match import ENTRY_MATCHERS, exact_matches
from nar.evaluation.decoding import join_permutations
from nar.evaluation.inference import CAPTURES, InferenceResult
from nar.evaluation.scores import hint_scores, score_result
from nar.plugins import Registry, takes, unknown_name
from nar.specs import Spec
from nar.traces import TraceBatch

MetricFunction = Callable[[InferenceResult], float | np.ndarray | None]
"""Predictions -> a number or one per sample, [B]; None if the metric is not defined for the algorithm.

`result.batch` has the inputs and true outputs, after transforms, and the true hints, of which only the first
step is there unless the metric captures hints; `result.true_outputs` are in the format of the predicted ones,
`result.outputs`.
"""


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric function that reads more than the outputs; a plain function is a metric of the outputs.

    Attributes:
      function: the function.
      capture: what inference must return, one of `nar.evaluation.inference.CAPTURES`.
      lower_is_better: whether the smallest value is the best, if the metric selects the best checkpoint.
    """

    function: MetricFunction
    capture: str = "outputs"
    lower_is_better: bool = False

    def __post_init__(self) -> None:
        """Checks the capture."""
        if self.capture not in CAPTURES:
            raise ValueError(unknown_name("capture", self.capture, CAPTURES))


def exact(result: InferenceResult) -> np.ndarray:
    """Marks the samples without a wrong entry."""
    correct = np.ones(len(result.steps), bool)
    if result.outputs:
        correct &= exact_matches(result.spec, result.batch.outputs, result.outputs)
    for probe in result.spec.answers:
        truth, predicted, samples = result.step_entries(probe.name)
        matches = ENTRY_MATCHERS[probe.kind](truth, predicted).reshape(len(samples), -1).all(axis=1)
        correct[samples[~matches]] = False
    return _without_nan(result, correct)


def valid(result: InferenceResult) -> np.ndarray | None:
    """Marks the samples with a correct answer, whether or not it is CLRS-30's."""
    if result.batch.neighbors is not None:
        return None  # Checkers read matrices.
    correct = valid_answers(result.task, result.instances())
    return None if correct is None else _without_nan(result, correct)


def _without_nan(result: InferenceResult, correct: np.ndarray) -> np.ndarray:
    """Counts samples with NaN predictions as incorrect: what they decode to is accidental."""
    return correct if result.has_nan is None else correct & ~result.has_nan


def hint_score(result: InferenceResult) -> float | None:
    """Mean score of the hints over steps."""
    scores = [np.mean(by_step) for by_step in hint_scores(result).values() if by_step]
    return float(np.mean(scores)) if scores else None


def _is_metric(value: object) -> bool:
    return isinstance(value, Metric) or (not isinstance(value, type) and takes(1, options=False)(value))


def _as_metric(value: Metric | MetricFunction) -> Metric:
    return value if isinstance(value, Metric) else Metric(value)


METRICS: Registry[Metric] = Registry(
    "metric",
    {"exact": Metric(exact), "valid": Metric(valid), "hint_score": Metric(hint_score, capture="hints")},
    is_valid=_is_metric,
    convert=_as_metric,
)
"""Metrics by name. The built-in ones are fractions: reports show them in percent, custom ones as numbers."""

Metrics = Mapping[str, Metric]
"""Metrics by the name under which they are reported."""


def find_metrics(names: Iterable[str], specs: Mapping[str, Spec]) -> dict[str, Metric]:
    """Looks up metrics.

    Args:
      names: entries of `METRICS`, or `module:ATTRIBUTE` for a `Metric` or a function; reported as ATTRIBUTE.
      specs: specs of the evaluated algorithms, after transforms.

    Raises:
      ValueError: if a metric is unknown, or two numbers would be reported under one name.
    """
    taken = {
        "score",
        "steps",
        *(probe.name for spec in specs.values() for probe in (*spec.answers, *spec.outputs)),
    }
    found: dict[str, Metric] = {}
    for name in names:
        label = name.rpartition(":")[2]
        metric = METRICS.find(name)
        if label in taken or label in found or (label in METRICS and metric is not METRICS[label]):
            raise ValueError(f"metric {name!r}: {label!r} is already the name of another metric or output")
        found[label] = metric
    return found


def capture_of(metrics: Metrics) -> str:
    """The least that inference must capture for all metrics, one of `nar.evaluation.inference.CAPTURES`."""
    return max((metric.capture for metric in metrics.values()), key=CAPTURES.index, default=CAPTURES[0])


def compute_metrics(metrics: Metrics, result: InferenceResult) -> dict[str, float]:
    """Computes metrics by name; those that are not defined for the algorithm are left out.

    Raises:
      ValueError: if a metric returns something other than a number or a number per sample.
    """
    values = {}
    for name, metric in metrics.items():
        value = metric.function(result)
        if value is None:
            continue
        numbers = np.asarray(value)
        if numbers.shape not in ((), result.steps.shape) or numbers.dtype.kind not in "biuf":
            raise ValueError(
                f"metric {name!r} must return a number or {len(result.steps)} of them, one per sample; "
                f"for {result.task} it returned {value!r:.200}"
            )
        values[name] = float(numbers.mean())
    return values


def check_metrics(metrics: Metrics, task: str, spec: Spec, traces: TraceBatch) -> dict[str, float]:
    """Computes scores and metrics of perfect predictions, to find errors before a network is trained.

    Args:
      metrics: metrics by name.
      task: name of the algorithm.
      spec: its spec after transforms.
      traces: a few traces, after transforms.

    Returns:
      The value of each metric that is defined for the algorithm.

    Raises:
      ValueError: if the score or a metric fails or returns something other than numbers.
    """
    steps = np.maximum(traces.lengths - 1, 1)
    states = np.zeros((int(steps.max()), *traces.inputs["pos"].shape, 1), np.float32)
    outputs = join_permutations(spec, traces.outputs)
    hints, answers = (
        {probe.name: traces.hints[probe.name][1:] for probe in probes}
        for probes in (spec.hints, spec.answers)
    )
    result = InferenceResult(task, spec, traces, outputs, steps, hints, states, answers=answers)
    with _named_in_errors("the score", task):
        score_result(result)
    values = {}
    for name, metric in metrics.items():
        with _named_in_errors(f"metric {name!r}", task):
            values |= compute_metrics({name: metric}, result)
    return values


@contextlib.contextmanager
def _named_in_errors(what: str, task: str) -> Iterator[None]:
    """Context in which any error of the user's code becomes a ValueError that says what fails."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{what} fails for {task}: {type(error).__name__}: {error}") from error
