"""The evaluation suite: many sizes, graph families, seeds and numbers of steps, each with several metrics."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.evaluation.correctness.checkers import valid_answers
from nar.evaluation.correctness.exact_match import exact_matches
from nar.evaluation.evaluator import SAMPLES_PER_SIZE
from nar.evaluation.inference import Inference, InferenceResult
from nar.evaluation.scores import SCORES, score_predictions
from nar.model import Params
from nar.specs import Spec
from nar.statistics import SampleStatistics, sample_statistics
from nar.traces import clrs30_sample

CLRS30 = "clrs30"
"""Name of the problem distribution of CLRS-30, as opposed to a graph family."""


@dataclasses.dataclass(frozen=True, order=True)
class Case:
    """One evaluation condition.

    Attributes:
      task: name of the algorithm.
      size: problem size.
      family: graph family; `CLRS30` for the problem distribution of CLRS-30.
      lengths: "true" if the network takes as many steps as the algorithm, "own" if it uses its own
        termination rule.
    """

    task: str
    size: int
    family: str
    lengths: str


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Metrics of one case on the problems of one seed.

    Attributes:
      case: the evaluation condition.
      seed: seed of the problems.
      instances: number of problem instances.
      scores: CLRS-30 score of each output, and `score`, their mean.
      exact: fraction of instances without a wrong entry.
      valid: fraction of instances with a correct answer, whether or not it is CLRS-30's; None if the
        algorithm has no correctness checker.
      steps: mean number of processor steps.
      hints: score of each hint at steps 1, 2, ..., each over the traces that are that long.
    """

    case: Case
    seed: int
    instances: int
    scores: dict[str, float]
    exact: float
    valid: float | None
    steps: float
    hints: dict[str, list[float]]

    def quantities(self) -> dict[str, float]:
        """All scalar metrics by name (without those of hints)."""
        outputs = {f"output/{name}": value for name, value in self.scores.items() if name != "score"}
        metrics = {"score": self.scores["score"], "exact": self.exact}
        if self.valid is not None:
            metrics["valid"] = self.valid
        return {**metrics, **outputs, "steps": self.steps}


def make_cases(
    tasks: Sequence[str],
    sizes: Sequence[int] | Mapping[str, Sequence[int]],
    families: Sequence[str] | Mapping[str, Sequence[str]],
    has_own_lengths: bool,
    graph_tasks: Collection[str] = (),
) -> list[Case]:
    """Builds all cases, in order. Graph families are skipped for tasks without graphs.

    Args:
      tasks: names of algorithms.
      sizes: problem sizes, the same for all tasks or by task.
      families: graph families, the same for all tasks or by task.
      has_own_lengths: whether the network has its own termination rule, so that both lengths are evaluated.
      graph_tasks: tasks that must be graph problems, since they were given graph families by name.

    Raises:
      ValueError: if a size or a family cannot be drawn, or applies to no task.
    """
    lengths = ("own", "true") if has_own_lengths else ("true",)
    cases, requested = [], list[str]()
    for task in tasks:
        problem = find_algorithm(task).problem
        has_families = "family" in problem.options
        if task in graph_tasks and not has_families:
            raise ValueError(f"{task} is not a graph problem, so it has no graph families")
        for family in families[task] if isinstance(families, Mapping) else families:
            requested.append(family)
            if family != CLRS30 and not has_families:
                continue
            for size in sizes[task] if isinstance(sizes, Mapping) else sizes:
                try:
                    problem.resolve_options(size, _options(family))
                except ValueError as error:
                    raise ValueError(f"{task}: {error}") from None
                cases += [Case(task, size, family, length) for length in lengths]
    unused = [family for family in requested if family not in {case.family for case in cases}]
    if unused:
        raise ValueError(f"family {unused[0]!r}: none of {', '.join(tasks)} is a graph problem")
    return cases


def measure_cases(
    inferences: Mapping[str, Inference],
    params: Params,
    specs: Mapping[str, Spec],
    cases: Sequence[Case],
    seeds: Sequence[int],
    on_result: Callable[[Case, int, InferenceResult], None] = lambda case, seed, result: None,
) -> Iterator[Measurement]:
    """Evaluates a network on every case and seed.

    Args:
      inferences: inference with the network, by `Case.lengths`.
      params: parameters of the network.
      specs: specs by task, after transforms.
      cases: the evaluation conditions.
      seeds: seeds of the problems, which are drawn as CLRS-30 draws its test split.
      on_result: called with the case, the seed and the predictions of each evaluation.

    Yields:
      One measurement per case and seed.
    """
    for case in cases:
        algorithm = find_algorithm(case.task)
        for seed in seeds:
            traces = _draw(algorithm, case, seed)
            result = inferences[case.lengths].run(params, case.task, traces)
            on_result(case, seed, result)
            yield measure(case, seed, specs[case.task], result)


def _draw(algorithm: Algorithm, case: Case, seed: int) -> Any:
    count = SAMPLES_PER_SIZE * algorithm.clrs30_multiplier
    return clrs30_sample(algorithm, case.size, count, seed, **_options(case.family))


def _options(family: str) -> dict[str, Any]:
    return {} if family == CLRS30 else {"family": family}


def measure(case: Case, seed: int, spec: Spec, result: InferenceResult) -> Measurement:
    """Computes all metrics of the predictions for one case and seed."""
    truth = result.batch.outputs
    valid = valid_answers(case.task, spec, result.batch.inputs, truth, result.outputs)
    return Measurement(
        case=case,
        seed=seed,
        instances=len(result.steps),
        scores=score_predictions(spec, truth, result.outputs),
        exact=float(exact_matches(spec, truth, result.outputs).mean()),
        valid=None if valid is None else float(valid.mean()),
        steps=float(result.steps.mean()),
        hints=hint_scores(spec, result),
    )


def hint_scores(spec: Spec, result: InferenceResult) -> dict[str, list[float]]:
    """Scores of each hint at steps 1, 2, ..., each over the samples whose trace and rollout are that long."""
    last = np.minimum(result.batch.lengths - 1, result.steps)
    scores = {}
    for probe in spec.hints:
        if probe.name in result.hints:
            truth, predicted = result.batch.hints[probe.name], result.hints[probe.name]
            scores[probe.name] = [
                SCORES[probe.kind](truth[step][last >= step], predicted[step - 1][last >= step])
                for step in range(1, int(last.max()) + 1)
            ]
    return scores


def summarize_cases(measurements: Sequence[Measurement]) -> dict[Case, dict[str, SampleStatistics]]:
    """Mean, standard deviation and confidence interval over seeds of each metric of each case."""
    by_case: dict[Case, list[dict[str, float]]] = {}
    for one in measurements:
        by_case.setdefault(one.case, []).append(one.quantities())
    return {
        case: {name: sample_statistics([row[name] for row in rows]) for name in rows[0]}
        for case, rows in by_case.items()
    }
