"""Inputs and first hints: the part of a trace that is known before the algorithm runs."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

from nar.algorithms import Algorithm
from nar.problems.problem import Arguments
from nar.traces.recorder.record import collect
from nar.traces.trace import TraceBatch


def record_first_step(algorithm: Algorithm, instances: Sequence[Arguments]) -> TraceBatch:
    """Records the inputs and first hints of instances of one size, stopping the algorithm at its first step.

    Args:
      algorithm: the algorithm to start.
      instances: B tuples of arguments, as returned by the problem's `sample` or `check`.

    Returns:
      B traces of length 1, without outputs.
    """

    @functools.wraps(algorithm.steps)
    def first_step(*arguments: Any) -> Iterator[Any]:
        steps = algorithm.steps(*arguments)
        yield next(steps)

    traces = collect(dataclasses.replace(algorithm, steps=first_step), instances, compiled=False)
    return dataclasses.replace(traces, outputs={})
