"""What is known before an algorithm has run: inputs, and first hints, which are a function of them."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

from nar.algorithms import Algorithm
from nar.problems import Arguments
from nar.traces.recorder.record import collect
from nar.traces.trace import TraceBatch


def record_first_step(algorithm: Algorithm, instances: Sequence[Arguments]) -> TraceBatch:
    """Inputs and first hints of instances of one size; the algorithm is stopped at its first step.

    Args:
      algorithm: which would run.
      instances: B tuples of arguments, as the algorithm's problem samples or checks them.

    Returns:
      Traces of length 1 without outputs.
    """

    @functools.wraps(algorithm.steps)
    def first_step(*arguments: Any) -> Iterator[Any]:
        steps = algorithm.steps(*arguments)
        yield next(steps)

    traces = collect(dataclasses.replace(algorithm, steps=first_step), instances, compiled=False)
    return dataclasses.replace(traces, outputs={})
