"""A custom data structure in one file, outside nar: a stack, with operations that arrive one per step.

A *stream* is an input with a value at every step, here the operation; an *answer* is an output with a value
at every step, here the item that a pop returns. Hints are the state of the data structure, as ever. To sample
traces, run given operations, display a trace and train a model:

    nar.sample_traces("experiments.examples.stack:STACK", size=8, count=32, seed=0)
    nar.run_algorithm("experiments.examples.stack:STACK", num_items=3, operations=[2, 0, -1, 1, -1, -1])

    python -m experiments.show --algorithm=experiments.examples.stack:STACK --size=5
    python -m experiments.train --config=configs/base.py --workdir=runs/stack \
        --config.algorithms=experiments.examples.stack:STACK
    python -m experiments.predict --workdir=runs/stack --trust \
        --input='{"num_items": 3, "operations": [2, 0, -1, 1, -1, -1]}'
"""

from typing import Any, NamedTuple

import numpy as np

from nar.algorithms import Algorithm
from nar.problems import Problem
from nar.specs import MASKED, Kind, Location, make_spec

POP = -1
"""The operation that takes the top item off the stack; any other is the item to push."""


def sample_operations(random: np.random.RandomState, size: int, per_item: int = 2) -> tuple[int, np.ndarray]:
    """Samples `per_item` operations per item: pops and pushes of items that are not on the stack."""
    operations = np.zeros(per_item * size, np.int64)
    on_stack = np.zeros(size, np.int64)
    stack = np.zeros(size, np.int64)
    height = 0
    for step in range(len(operations)):
        if height and (height == size or random.randint(2) == 0):
            operations[step] = POP
            height -= 1
            on_stack[stack[height]] = 0
        else:
            item = random.randint(size)
            while on_stack[item]:
                item = (item + 1) % size
            operations[step] = item
            stack[height] = item
            on_stack[item] = 1
            height += 1
    return size, operations


def check_operations(num_items: Any, operations: Any) -> tuple[int, np.ndarray]:
    """Validates operations.

    Raises:
      ValueError: if one is neither POP nor an item, pushes an item that is on the stack, or pops from an
        empty stack.
    """
    operations = np.asarray(operations)
    if not isinstance(num_items, int | np.integer) or num_items < 1:
        raise ValueError(f"num_items must be an integer of at least 1, got {num_items!r}")
    if operations.ndim != 1 or operations.dtype.kind not in "iu" or not operations.size:
        raise ValueError(f"operations must be a list of integers, got {operations.tolist()!r:.80}")
    stack: list[int] = []
    for step, operation in enumerate(operations.tolist()):
        if not POP <= operation < num_items or operation in stack or (operation == POP and not stack):
            raise ValueError(
                f"operation {step} must be {POP}, to pop from a stack that is not empty, or an item from 0 "
                f"to {num_items - 1} that is not on it, got {operation}; the stack is {stack}"
            )
        stack = stack[:-1] if operation == POP else [*stack, operation]
    return int(num_items), operations.astype(np.int64)


class Inputs(NamedTuple):
    """Input probes: positions of the items."""

    pos: np.ndarray


def item_positions(num_items: int, operations: np.ndarray) -> Inputs:
    """Computes the input probes of a problem."""
    return Inputs(np.arange(num_items) / num_items)


SPEC = make_spec(
    inputs={"pos": (Location.NODE, Kind.SCALAR)},
    streams={
        "is_push": (Location.GRAPH, Kind.MASK),
        "item": (Location.NODE, Kind.MASK_ONE),
    },
    hints={
        "on_stack": (Location.NODE, Kind.MASK),
        "below": (Location.NODE, Kind.POINTER),
        "top": (Location.NODE, Kind.MASK),
    },
    answers={"popped": (Location.NODE, Kind.MASK_ONE)},
    outputs={},
)


class Step(NamedTuple):
    """Values of one step: the operation that comes next, the stack, and the answer to the operation before.

    Attributes:
      is_push: 1 if the operation pushes an item, 0 if it pops one or there is none.
      item: the item to push, or MASKED.
      on_stack: items on the stack.
      below: the item below each one, or the item itself if there is none or it is not on the stack.
      top: marks the top item, if there is one.
      popped: the item that the operation before has popped, or MASKED, which is not scored.
    """

    is_push: int
    item: int
    on_stack: np.ndarray
    below: np.ndarray
    top: np.ndarray
    popped: int


def run_stack(num_items, operations):
    """Runs operations on an empty stack; step t is the state before operation t, the last that after all."""
    on_stack, below = np.zeros(num_items, np.int64), np.arange(num_items)
    top = np.zeros(num_items, np.int64)
    highest = popped = MASKED
    for operation in operations:
        is_push = 0 if operation == POP else 1
        yield Step(is_push, operation if is_push else MASKED, on_stack, below, top, popped)
        popped = MASKED
        top[:] = 0
        if is_push:
            on_stack[operation] = 1
            below[operation] = operation if highest == MASKED else highest
            highest = operation
        else:
            popped = highest
            on_stack[popped] = 0
            highest = below[popped] if below[popped] != popped else MASKED
            below[popped] = popped
        if highest != MASKED:
            top[highest] = 1
    yield Step(0, MASKED, on_stack, below, top, popped)


STACK = Algorithm(
    name="stack",
    family="data_structures",
    spec=SPEC,
    problem=Problem(sample=sample_operations, check=check_operations, probes=item_positions),
    steps=run_stack,
    source="Cormen et al. 2009, Introduction to Algorithms, 3rd edition, section 10.1",
)
