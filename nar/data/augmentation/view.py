"""The view in which each problem of a batch is replaced by one with the same steps up to a random one."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from nar.data.augmentation.base import AugmentedProblem, count_equal_hints
from nar.data.augmentation.registry import find_augmentation
from nar.data.task import Task
from nar.traces import TraceBatch, collect

SHARED_NODES = "shared_nodes"
"""Further input of a view, [B, N] int32: the node of the view that each node of the batch is."""

SHARED_STEPS = "shared_steps"
"""Further input of a view, [B] int32: number of leading network steps that predict the same."""


@dataclasses.dataclass(frozen=True, eq=False)
class AugmentedView:
    """A `nar.data.View`: augmented problems and their traces.

    Each problem is augmented at a step that is uniform over its trace. The algorithm runs on the augmented
    problem, and the result is compared with the trace: an augmentation that changes an earlier step is an
    error. Nodes of the batch keep random positions; those of new nodes lie between them.

    Attributes:
      new_nodes: number of nodes that are added where that is possible.
      custom: algorithm -> `module:ATTRIBUTE` of further augmentations.
      is_whole: whether traces are whole; if not, they end with the last step that is the same.
    """

    new_nodes: int
    custom: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_whole: bool = True
    needs_whole_traces: ClassVar[bool] = True

    def __call__(
        self, task: Task, traces: TraceBatch, generators: Sequence[np.random.Generator]
    ) -> TraceBatch:
        """Augments traces.

        Raises:
          ValueError: if the algorithm has no augmentation, or its augmentation changes a step.
        """
        augment = find_augmentation(task.name, self.custom)
        problems = []
        for row, random in enumerate(generators):
            trace = traces.trace(row)
            step = int(random.integers(trace.length - 1)) if trace.length > 1 else -1
            problems.append(augment(trace, step, self.new_nodes, random))
        raw = collect(task.algorithm, [one.arguments for one in problems], wait_for_compilation=False)
        view = task.transforms.apply(task.algorithm, raw)
        if traces.inputs["pos"].any():  # Zero traces are those of no problem.
            _check_equal_hints(task, traces, view, problems)
        if task.transforms.random_positions:
            view = _with_positions(view, traces, problems, generators)
        shared = {
            SHARED_NODES: np.stack([one.nodes for one in problems]).astype(np.int32),
            SHARED_STEPS: np.array([one.step + 1 for one in problems], np.int32),
        }
        view = dataclasses.replace(view, inputs={**view.inputs, **shared})
        return view if self.is_whole else _cut(view, shared[SHARED_STEPS] + 1)


def _check_equal_hints(
    task: Task, traces: TraceBatch, view: TraceBatch, problems: Sequence[AugmentedProblem]
) -> None:
    for row, problem in enumerate(problems):
        equal = count_equal_hints(task.spec, traces.trace(row), view.trace(row), problem.nodes)
        if problem.step >= 0 and equal < problem.step + 2:
            raise ValueError(
                f"the augmentation of {task.name} at step {problem.step} changes hints {equal}: they must be "
                "the same on the nodes of both problems until the hints after this step"
            )


def _with_positions(
    view: TraceBatch,
    traces: TraceBatch,
    problems: Sequence[AugmentedProblem],
    generators: Sequence[np.random.Generator],
) -> TraceBatch:
    """Gives old nodes their positions, and new ones random positions between those of their neighbors."""
    pos = np.array(view.inputs["pos"])
    for row, (problem, random) in enumerate(zip(problems, generators, strict=True)):
        old = traces.inputs["pos"][row]
        new = np.delete(np.arange(pos.shape[1]), problem.nodes)
        bounds, gaps = np.concatenate([[0.0], old, [1.0]]), np.searchsorted(problem.nodes, new)
        pos[row, problem.nodes] = old
        pos[row, new] = np.sort(random.uniform(bounds[gaps], bounds[gaps + 1]))
    return dataclasses.replace(view, inputs={**view.inputs, "pos": pos})


def _cut(view: TraceBatch, lengths: np.ndarray) -> TraceBatch:
    """Cuts traces to the given numbers of hint steps, [B]."""
    is_kept = np.arange(lengths.max())[:, None] < lengths

    def cut(value: np.ndarray) -> np.ndarray:
        mask = is_kept.reshape(is_kept.shape + (1,) * (value.ndim - 2))
        return np.where(mask, value[: len(is_kept)], np.zeros((), value.dtype))

    hints = {name: cut(value) for name, value in view.hints.items()}
    return dataclasses.replace(view, hints=hints, lengths=lengths.astype(np.int32))
