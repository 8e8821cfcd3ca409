"""The evaluation suite: many sizes, families of graphs, seeds and lengths, each measured in several ways."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.evaluation.correctness.checkers import valid_answers
from nar.evaluation.correctness.exact_match import exact_matches
from nar.evaluation.evaluator import SAMPLES_OF_OTHER_SIZES
from nar.evaluation.inference import Inference, InferenceResult
from nar.evaluation.scores import SCORES, score_predictions
from nar.model import Params
from nar.specs import Spec
from nar.statistics import SampleStatistics, sample_statistics
from nar.traces import clrs30_sample

CLRS30 = "clrs30"
"""The family of problems that CLRS-30 draws."""


@dataclasses.dataclass(frozen=True, order=True)
class Case:
    """What a network is measured on.

    Attributes:
      task: name of the algorithm.
      size: of the problems.
      family: of the graphs; `CLRS30` for problems as CLRS-30 draws them.
      lengths: "true" if the network takes as many steps as the algorithm, "own" if it decides.
    """

    task: str
    size: int
    family: str
    lengths: str


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One case with the problems of one seed.

    Attributes:
      case: what was measured.
      seed: of the problems.
      instances: how many.
      scores: by output, as CLRS-30 scores them; and `score`, their mean.
      exact: share of instances without a wrong entry.
      valid: share of instances with a right answer, be it another one than CLRS-30's; None if there is no
        checker for the algorithm.
      steps: mean number of steps.
      hints: by name: the score at each step from 1 on, over the traces that have it.
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
        """All numbers by name, but for hints."""
        outputs = {f"output/{name}": value for name, value in self.scores.items() if name != "score"}
        found = {"score": self.scores["score"], "exact": self.exact}
        if self.valid is not None:
            found["valid"] = self.valid
        return {**found, **outputs, "steps": self.steps}


def make_cases(
    tasks: Sequence[str],
    sizes: Sequence[int] | Mapping[str, Sequence[int]],
    families: Sequence[str] | Mapping[str, Sequence[str]],
    own: bool,
    graphs: Collection[str] = (),
) -> list[Case]:
    """All cases, in order. Families of graphs are left out for tasks without graphs.

    Args:
      tasks: names of algorithms.
      sizes: of problems, of all tasks or by task.
      families: of graphs, of all tasks or by task.
      own: whether the network decides on its number of steps, so that both lengths are measured.
      graphs: tasks that must be about graphs, since they were given families of their own.

    Raises:
      ValueError: if a size or a family cannot be drawn, or no task has it.
    """
    lengths = ("own", "true") if own else ("true",)
    cases, asked = [], list[str]()
    for task in tasks:
        problem = find_algorithm(task).problem
        has_families = "family" in problem.options
        if task in graphs and not has_families:
            raise ValueError(f"{task} is not about graphs, and has no families of them")
        for family in families[task] if isinstance(families, Mapping) else families:
            asked.append(family)
            if family != CLRS30 and not has_families:
                continue
            for size in sizes[task] if isinstance(sizes, Mapping) else sizes:
                try:
                    problem.resolve_options(size, _options(family))
                except ValueError as error:
                    raise ValueError(f"{task}: {error}") from None
                cases += [Case(task, size, family, length) for length in lengths]
    unused = [family for family in asked if family not in {case.family for case in cases}]
    if unused:
        raise ValueError(f"family {unused[0]!r}: none of {', '.join(tasks)} is about graphs")
    return cases


def measure_cases(
    inferences: Mapping[str, Inference],
    params: Params,
    specs: Mapping[str, Spec],
    cases: Sequence[Case],
    seeds: Sequence[int],
    keep: Callable[[Case, int, InferenceResult], None] = lambda case, seed, seen: None,
) -> Iterator[Measurement]:
    """Measures a network.

    Args:
      inferences: of the network, by the lengths that cases ask for.
      params: of it.
      specs: by task, after transforms.
      cases: what to measure.
      seeds: of the problems, which are drawn as CLRS-30 draws its test split.
      keep: is handed all that was seen.

    Yields:
      A measurement for each case and seed.
    """
    for case in cases:
        algorithm = find_algorithm(case.task)
        for seed in seeds:
            traces = _draw(algorithm, case, seed)
            seen = inferences[case.lengths].run(params, case.task, traces)
            keep(case, seed, seen)
            yield measure(case, seed, specs[case.task], seen)


def _draw(algorithm: Algorithm, case: Case, seed: int) -> Any:
    count = SAMPLES_OF_OTHER_SIZES * algorithm.clrs30_multiplier
    return clrs30_sample(algorithm, case.size, count, seed, **_options(case.family))


def _options(family: str) -> dict[str, Any]:
    return {} if family == CLRS30 else {"family": family}


def measure(case: Case, seed: int, spec: Spec, seen: InferenceResult) -> Measurement:
    """All that is measured of what was seen."""
    truth = seen.batch.outputs
    valid = valid_answers(case.task, spec, seen.batch.inputs, truth, seen.outputs)
    return Measurement(
        case=case,
        seed=seed,
        instances=len(seen.steps),
        scores=score_predictions(spec, truth, seen.outputs),
        exact=float(exact_matches(spec, truth, seen.outputs).mean()),
        valid=None if valid is None else float(valid.mean()),
        steps=float(seen.steps.mean()),
        hints=hint_scores(spec, seen),
    )


def hint_scores(spec: Spec, seen: InferenceResult) -> dict[str, list[float]]:
    """By hint: the score at step 1, 2, ..., each over the traces and predictions that go so far."""
    last = np.minimum(seen.batch.lengths - 1, seen.steps)
    scores = {}
    for probe in spec.hints:
        if probe.name in seen.hints:
            truth, decided = seen.batch.hints[probe.name], seen.hints[probe.name]
            scores[probe.name] = [
                SCORES[probe.kind](truth[step][last >= step], decided[step - 1][last >= step])
                for step in range(1, int(last.max()) + 1)
            ]
    return scores


def summarize_cases(measurements: Sequence[Measurement]) -> dict[Case, dict[str, SampleStatistics]]:
    """By case and quantity: mean, deviation and interval over seeds."""
    by_case: dict[Case, list[dict[str, float]]] = {}
    for one in measurements:
        by_case.setdefault(one.case, []).append(one.quantities())
    return {
        case: {name: sample_statistics([row[name] for row in rows]) for name in rows[0]}
        for case, rows in by_case.items()
    }
