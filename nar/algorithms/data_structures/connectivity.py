"""Dynamic connectivity: the stream of operations, hints and answers that its data structures share."""

import dataclasses
from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.specs import Kind, Location, Spec, make_spec

_PARENT = {"parent": (Location.NODE, Kind.POINTER)}


class Step(NamedTuple):
    """Values of one step: the operation that comes next, and the state after the one before.

    Attributes:
      pair: marks the two elements of the operation that comes next; none at the last step.
      parent: parent of each element in the data structure; roots point to themselves.
      parent_changes: marks elements whose parent the operation before has changed.
      connected: 1 if the pair of the operation before was connected already, 0 if not; MASKED at step 0.
    """

    pair: np.ndarray
    parent: np.ndarray
    parent_changes: np.ndarray
    connected: int


def connectivity_spec(*numbers: str, true_parents: bool = False) -> Spec:
    """The spec of a data structure of dynamic connectivity.

    Args:
      numbers: names of further inputs of the elements, numbers each.
      true_parents: whether the parents of each step are given, rather than hints.
    """
    return make_spec(
        inputs=dict.fromkeys(("pos", *numbers), (Location.NODE, Kind.SCALAR)),
        streams={"pair": (Location.NODE, Kind.MASK), **(_PARENT if true_parents else {})},
        hints={**({} if true_parents else _PARENT), "parent_changes": (Location.NODE, Kind.MASK)},
        answers={"connected": (Location.GRAPH, Kind.MASK)},
        outputs={},
    )


def with_true_parents(algorithm: Algorithm) -> Algorithm:
    """The same stream with the parents of each step given: an upper bound for networks that infer them."""
    numbers = [probe.name for probe in algorithm.spec.inputs if probe.name != "pos"]
    return dataclasses.replace(
        algorithm,
        name=f"{algorithm.name}_with_true_parents",
        spec=connectivity_spec(*numbers, true_parents=True),
    )
