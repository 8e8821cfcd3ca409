"""The evaluation suite: many sizes, graph families, seeds and numbers of steps, each with several metrics."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from nar.algorithms import find_algorithm
from nar.evaluation.inference import Inference, InferenceResult
from nar.evaluation.metrics import Metrics, compute_metrics
from nar.evaluation.problem_sets import ProblemSet, check_options_used, make_problem_sets
from nar.evaluation.scores import hint_scores, score_result
from nar.model import Params
from nar.problems.large_graphs import LARGE_FAMILIES
from nar.problems.options import CLRS30
from nar.statistics import SampleStatistics, sample_statistics


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
      scores: CLRS-30 score of each output, and `score`: their mean, or the algorithm's own score.
      metrics: further metrics by name; those that are not defined for the algorithm are missing.
      steps: mean number of processor steps.
      hints: score of each hint at steps 1, 2, ..., each over the traces that are that long.
    """

    case: Case
    seed: int
    instances: int
    scores: dict[str, float]
    metrics: dict[str, float]
    steps: float
    hints: dict[str, list[float]]

    def quantities(self) -> dict[str, float]:
        """All scalar metrics by name (without those of hints)."""
        outputs = {f"output/{name}": value for name, value in self.scores.items() if name != "score"}
        return {"score": self.scores["score"], **self.metrics, **outputs, "steps": self.steps}


def make_cases(
    tasks: Sequence[str],
    sizes: Sequence[int] | Mapping[str, Sequence[int]],
    families: Sequence[str] | Mapping[str, Sequence[str]],
    has_own_lengths: bool,
    graph_tasks: Collection[str] = (),
    options: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    counts: Mapping[str, int] = MappingProxyType({}),
    on_lists: bool = False,
) -> list[Case]:
    """Builds all cases, in order. Graph families are skipped for tasks without graphs.

    Args:
      tasks: names of algorithms.
      sizes: problem sizes, the same for all tasks or by task.
      families: graph families, the same for all tasks or by task.
      has_own_lengths: whether the network has its own termination rule, so that both lengths are evaluated.
      graph_tasks: tasks that must be graph problems, since they were given graph families by name.
      options: task -> problem options other than the family, for the cases that have them.
      counts: task -> number of instances of each case; by default 0, as many as in CLRS-30.
      on_lists: see `nar.evaluation.problem_sets.ProblemSet`.

    Raises:
      ValueError: if a size or a family cannot be drawn, or a family or an option applies to no task.
    """
    lengths = ("own", "true") if has_own_lengths else ("true",)
    cases, requested, sets = [], list[str](), list[ProblemSet]()
    for task in tasks:
        algorithm = find_algorithm(task)
        has_families = "family" in algorithm.problem.options
        if task in graph_tasks and not has_families:
            raise ValueError(f"{task} is not a graph problem, so it has no graph families")
        for family in families[task] if isinstance(families, Mapping) else families:
            requested.append(family)
            if family != CLRS30 and not has_families:
                continue
            for size in sizes[task] if isinstance(sizes, Mapping) else sizes:
                chosen, count = options.get(task, {}), counts.get(task, 0)
                sets += make_problem_sets(algorithm, (size,), (0,), (family,), chosen, count, on_lists)
                cases += [Case(task, size, family, length) for length in lengths]
    unused = [family for family in requested if family not in {case.family for case in cases}]
    if unused:
        raise ValueError(f"family {unused[0]!r}: none of {', '.join(tasks)} is a graph problem")
    check_options_used({name: value for task in tasks for name, value in options.get(task, {}).items()}, sets)
    return cases


def families_on_lists(cases: Sequence[Case], on_lists: bool) -> list[str]:
    """The families of which problems are drawn as lists (`nar.evaluation.problem_sets.ProblemSet`)."""
    return [name for name in LARGE_FAMILIES if on_lists and any(case.family == name for case in cases)]


def measure_cases(
    inferences: Mapping[str, Inference],
    params: Params,
    cases: Sequence[Case],
    seeds: Sequence[int],
    metrics: Metrics,
    on_result: Callable[[Case, int, InferenceResult], None] = lambda case, seed, result: None,
    options: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    counts: Mapping[str, int] = MappingProxyType({}),
    on_lists: bool = False,
) -> Iterator[Measurement]:
    """Evaluates a network on every case and seed.

    Args:
      inferences: inference with the network, by `Case.lengths`.
      params: parameters of the network.
      cases: the evaluation conditions.
      seeds: seeds of the problems, which are drawn as CLRS-30 draws its test split.
      metrics: metrics beyond the scores, as `find_metrics` returns them.
      on_result: called with the case, the seed and the predictions of each evaluation.
      options: task -> problem options other than the family, for the cases that have them.
      counts: task -> number of instances of each case and seed; by default 0, as many as in CLRS-30.
      on_lists: see `nar.evaluation.problem_sets.ProblemSet`.

    Yields:
      One measurement per case and seed.
    """
    for case in cases:
        algorithm = find_algorithm(case.task)
        chosen, count = options.get(case.task, {}), counts.get(case.task, 0)
        for seed in seeds:
            (problems,) = make_problem_sets(
                algorithm, (case.size,), (seed,), (case.family,), chosen, count, on_lists
            )
            inference = inferences[case.lengths]
            traces = problems.draw(all_hints=inference.keeps_hints)
            result = inference.run(params, case.task, traces)
            on_result(case, seed, result)
            yield measure(case, seed, result, metrics)


def measure(case: Case, seed: int, result: InferenceResult, metrics: Metrics) -> Measurement:
    """Computes the scores and all metrics of the predictions for one case and seed."""
    return Measurement(
        case=case,
        seed=seed,
        instances=len(result.steps),
        scores=score_result(result),
        metrics=compute_metrics(metrics, result),
        steps=float(result.steps.mean()),
        hints=hint_scores(result),
    )


def summarize_cases(measurements: Sequence[Measurement]) -> dict[Case, dict[str, SampleStatistics]]:
    """Mean, standard deviation and confidence interval over seeds of each metric of each case."""
    by_case: dict[Case, list[dict[str, float]]] = {}
    for one in measurements:
        by_case.setdefault(one.case, []).append(one.quantities())
    return {
        case: {name: sample_statistics([row[name] for row in rows]) for name in rows[0]}
        for case, rows in by_case.items()
    }
