"""The contract of augmentations: functions from a trace to another problem with the same next step."""

import dataclasses
from collections.abc import Callable

import numpy as np

from nar.data.padding import count_node_axes
from nar.problems.problem import Arguments
from nar.specs import Spec
from nar.traces import Trace


@dataclasses.dataclass(frozen=True)
class AugmentedProblem:
    """A problem on which an algorithm starts as on another one.

    Attributes:
      arguments: arguments of the algorithm.
      nodes: [N], the node of this problem that each node of the other one is, in increasing order.
      step: last network step that is the same: hints 0 ... step + 1 agree on the nodes of the other problem.
        -1 if no step is the same.
    """

    arguments: Arguments
    nodes: np.ndarray
    step: int


Augmentation = Callable[[Trace, int, int, np.random.Generator], AugmentedProblem]
"""(trace, step, number of nodes to add, random generator) -> problem with the same steps up to this one.

The trace is one after transforms, of which only inputs and hints are read. A network step t turns hints t
into hints t + 1; it is from 0 to T - 2, or -1 in a trace with one hint step. The result may end at an
earlier step, if the nodes cannot be added otherwise. All problems of one size must have the same size. An
augmentation also gets all-zero traces, to find its shapes."""


def count_equal_hints(spec: Spec, trace: Trace, other: Trace, nodes: np.ndarray) -> int:
    """Number of leading steps at which the hints of two traces agree on their shared nodes.

    Args:
      spec: the spec of both.
      trace: a trace of N nodes.
      other: a trace with further nodes.
      nodes: [N], the node of `other` that each node of `trace` is.
    """
    num_steps = min(trace.length, other.length)
    equal = np.ones(num_steps, bool)
    for probe in spec.hints:
        value, second = trace.hints[probe.name][:num_steps], other.hints[probe.name][:num_steps]
        for axis in range(1, 1 + count_node_axes(probe)):
            second = second.take(nodes, axis)
        if probe.kind.is_pointer:
            value = nodes[value]
        equal &= (value == second).reshape(num_steps, -1).all(axis=1)
    return num_steps if equal.all() else int(equal.argmin())
