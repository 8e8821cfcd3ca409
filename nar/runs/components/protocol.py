"""The evaluation protocol of a run: the problems of validation and test, and the score that selects."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from nar.data import Task
from nar.evaluation.metrics import Metrics, check_metrics, find_metrics
from nar.evaluation.problem_sets import ProblemSet, check_options_used, make_problem_sets
from nar.kinds import BUILT_IN_KINDS
from nar.model import Model
from nar.problems.options import CLRS30
from nar.runs.components.problem_options import check_options
from nar.runs.config import EvaluationConfig, ProblemSetConfig, RunConfig
from nar.runs.protocol_keys import CLRS30_PROTOCOL, CUSTOM_PROTOCOL, PROTOCOL_KEYS, uses_clrs30_protocol

SCORE = "score"
"""Value of `evaluation.selection` for the score."""

SELECTION_SPLIT = "selection"
"""Name of the split of `evaluation.selection_sizes`."""

SELECTION_SEED = 4
"""Seed of the problems of `evaluation.selection_sizes`; those of CLRS-30's splits are 1, 2 and 3."""

_KEYS = {"val": "validation", "test": "test"}
"""Split -> key of the config."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Problems of validation and test, metrics and selection.

    Attributes:
      sections: split ("val" or "test") -> task -> config of its problems.
      problem_sets: split -> task -> sets of problems; the split "selection" is there only if checkpoints are
        selected on other problems than those of validation.
      metrics: metrics beyond the scores, by name.
      selection: the metric that selects the best checkpoint, or `SCORE`.
      record: name of the protocol and all that it consists of, for the result of the run.
    """

    sections: Mapping[str, Mapping[str, ProblemSetConfig]]
    problem_sets: Mapping[str, Mapping[str, Sequence[ProblemSet]]]
    metrics: Metrics
    selection: str
    record: Mapping[str, Any]


def make_protocol(config: RunConfig, tasks: Sequence[Task], model: Model) -> Protocol:
    """Makes the protocol, and checks that all of its problems can be drawn.

    Raises:
      ValueError: if a size, a family, an option, a seed or a metric is invalid; the message names the key.
    """
    sections = {split: _sections(config, tasks, key) for split, key in _KEYS.items()}
    selection, metrics = make_metrics(config.evaluation, model)
    sets = {split: _make_sets(_KEYS[split], tasks, by_task) for split, by_task in sections.items()}
    if sizes := config.evaluation.selection_sizes:
        changed = {
            name: dataclasses.replace(one, sizes=sizes, seeds=(SELECTION_SEED,))
            for name, one in sections["val"].items()
        }
        sets[SELECTION_SPLIT] = _make_sets("selection_sizes", tasks, changed)
    return Protocol(
        sections=sections,
        problem_sets=sets,
        metrics=metrics,
        selection=selection,
        record=protocol_record(config),
    )


def protocol_record(config: RunConfig) -> dict[str, Any]:
    """The protocol of a config for its result: `name` is CLRS-30 if every setting matches it."""
    exceptions = {
        name: {key: overrides[key] for key in PROTOCOL_KEYS if key in overrides}
        for name, overrides in config.tasks.items()
        if set(PROTOCOL_KEYS) & set(overrides)
    }
    values = config.evaluation.to_dict()
    return {
        "name": CLRS30_PROTOCOL if uses_clrs30_protocol(config) else CUSTOM_PROTOCOL,
        **{key: values[key] for key in PROTOCOL_KEYS},
        **({"tasks": exceptions} if exceptions else {}),
    }


def _sections(config: RunConfig, tasks: Sequence[Task], key: str) -> dict[str, ProblemSetConfig]:
    """The section of each task: `evaluation.KEY` with the changes of `tasks.NAME.KEY`."""
    base: ProblemSetConfig = getattr(config.evaluation, key)
    if base.families != (CLRS30,) and not any("family" in task.algorithm.problem.options for task in tasks):
        raise ValueError(
            f"evaluation.{key}.families: none of {', '.join(task.name for task in tasks)} is a graph problem"
        )
    options = {name: value for name, value in base.problem.items() if name != "family"}
    check_options(f"evaluation.{key}.problem", options, [task.algorithm for task in tasks])
    return {
        task.name: base.merged(
            config.tasks.get(task.name, {}).get(key, {}), prefix=f"tasks.{task.name}.{key}."
        )
        for task in tasks
    }


def _make_sets(
    key: str, tasks: Sequence[Task], sections: Mapping[str, ProblemSetConfig]
) -> dict[str, list[ProblemSet]]:
    sets = {}
    for task in tasks:
        one = sections[task.name]
        try:
            sets[task.name] = make_problem_sets(
                task.algorithm,
                one.sizes,
                one.seeds,
                one.families,
                one.problem,
                one.count,
                on_lists=task.transforms.neighbor_lists,
            )
        except ValueError as error:
            hint = f", or tasks.{task.name}.{key} for this algorithm" if key in _KEYS.values() else ""
            raise ValueError(f"evaluation.{key}: {error}; set evaluation.{key}{hint}") from None
    drawn = [one for of_task in sets.values() for one in of_task]
    for section in sections.values():
        try:
            check_options_used(section.problem, drawn)
        except ValueError as error:
            raise ValueError(f"evaluation.{key}.problem: {error}") from None
    return sets


def make_metrics(evaluation: EvaluationConfig, model: Model) -> tuple[str, Metrics]:
    """Looks up the metrics of a config, and the name of the one that selects the best checkpoint.

    Raises:
      ValueError: if a metric is unknown, or its name is taken.
    """
    names, selection = evaluation.metrics, evaluation.selection
    label = selection.rpartition(":")[2]
    try:
        metrics = find_metrics(names, model.specs)
    except ValueError as error:
        raise ValueError(f"evaluation.metrics: {error}") from None
    if selection != SCORE and (label not in metrics or (":" in selection and selection not in names)):
        try:
            metrics = find_metrics((*names, selection), model.specs)
        except ValueError as error:
            raise ValueError(f"evaluation.selection must be score or a metric: {error}") from None
    return label, metrics


def _has_own_score(task: Task) -> bool:
    """True if the score of an algorithm, or of a kind of its outputs or answers, is custom."""
    kinds = {probe.kind for probe in (*task.spec.answers, *task.spec.outputs)}
    return task.algorithm.score is not None or not kinds <= {*BUILT_IN_KINDS}


def check_protocol_metrics(protocol: Protocol, tasks: Sequence[Task]) -> None:
    """Computes the user's scores and metrics of a few perfect predictions, so that none fails after training.

    Raises:
      ValueError: if a score or metric fails, or the selecting one is not defined for a task.
    """
    for task in tasks:
        if not protocol.metrics and not _has_own_score(task):
            continue
        few = dataclasses.replace(protocol.problem_sets["val"][task.name][0], count=2)
        traces = task.transforms.apply(task.algorithm, few.draw(wait_for_compilation=False))
        values = check_metrics(protocol.metrics, task.name, task.spec, traces)
        if protocol.selection not in (SCORE, *values):
            raise ValueError(
                f"evaluation.selection: metric {protocol.selection!r} is not defined for {task.name}"
            )
