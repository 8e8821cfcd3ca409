"""Numbers of a user's problem, brought into the range of those that a network was trained on."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nar.algorithms import Algorithm
from nar.problems.large_graphs import EdgeList
from nar.problems.problem import Arguments
from nar.problems.scaling import Change, Ranges, find_change, out_of_range, unscale
from nar.traces import Probes

InputRanges = Mapping[str, Callable[[int], Ranges]]
"""Algorithm -> `(size) -> ranges` of the numbers in training (`nar.data.Task.input_ranges`)."""


class OutOfRangeWarning(UserWarning):
    """Numbers of a problem are outside of the range of training, so that its prediction is doubtful."""


@dataclasses.dataclass(frozen=True)
class ScaledInputs:
    """The arguments of a problem as a network gets them.

    Attributes:
      algorithm: the algorithm.
      arguments: the arguments.
      change: how their numbers were changed, which does not change the answer; None if they were not.
      warnings: a message for each argument with numbers outside of the range of training.
    """

    algorithm: Algorithm
    arguments: Arguments
    change: Change | None
    warnings: list[str]

    def unscale(self, values: Mapping[str, np.ndarray]) -> Probes:
        """Outputs or hints of the changed problem, in the units of the problem before."""
        if self.change is None or self.algorithm.scaling is None:
            return dict(values)
        return unscale(self.algorithm.scaling, self.change, values)


def scale_arguments(
    algorithm: Algorithm, arguments: Arguments, ranges: InputRanges, *, may_change: bool = True
) -> ScaledInputs:
    """Changes numbers outside of the range of training if that provably leaves the answer as it is.

    Args:
      algorithm: the algorithm.
      arguments: the arguments of its problem, validated.
      ranges: the ranges of training; numbers of an algorithm without them are neither changed nor checked.
      may_change: whether numbers may be changed; if not, they are only checked.
    """
    if algorithm.name not in ranges:
        return ScaledInputs(algorithm, arguments, None, [])
    named = dict(zip(algorithm.problem.arguments, arguments, strict=True))
    size = max(map(_size, arguments), default=1)
    of_size = ranges[algorithm.name](size)
    change = None
    if may_change and algorithm.scaling is not None:
        change = find_change(algorithm.scaling, named, of_size)
    if change is not None:
        named |= {name: change.apply(name, named[name]) for name in change.shifts}
    warnings = [f"{algorithm.name}: {message}" for message in out_of_range(named, of_size)]
    return ScaledInputs(algorithm, tuple(named.values()), change, warnings)


def _size(argument: Any) -> int:
    """Number of nodes of an argument; 1 for a number."""
    if isinstance(argument, EdgeList):
        return argument.num_nodes
    return len(argument) if np.ndim(argument) else 1
