"""The arithmetic task of neural production systems (Goyal et al. 2021, arXiv 2103.01937), outside nar.

A running value starts at 0. Each step adds a digit to it, subtracts it, or multiplies by it; digits are
uniform in [0, 1) with two decimals. The first node has the value, the second one the digit, and further ones
nothing; the network predicts the value after each step from its own prediction of the value before.
`configs/nps.py` trains it:

    name = "experiments.examples.arithmetic:ARITHMETIC"
    nar.run_algorithm(name, num_nodes=2, operations=[0, 2, 1], digits=[0.5, 0.4, 0.1])
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from nar.algorithms import Algorithm
from nar.evaluation import Metric
from nar.evaluation.inference import InferenceResult
from nar.problems import Problem
from nar.specs import Kind, Location, make_spec

OPERATIONS = ("add", "subtract", "multiply")
"""Names of the operations by number."""


def sample_operations(
    random: np.random.RandomState, size: int, num_operations: int = 20
) -> tuple[int, np.ndarray, np.ndarray]:
    """Samples operations and digits; the size is the number of nodes."""
    operations = np.zeros(num_operations, np.int64)
    digits = np.zeros(num_operations)
    for step in range(num_operations):
        operations[step] = random.randint(3)
        digits[step] = random.randint(100) / 100
    return size, operations, digits


def check_operations(num_nodes: Any, operations: Any, digits: Any) -> tuple[int, np.ndarray, np.ndarray]:
    """Validates operations and digits.

    Raises:
      ValueError: if an operation is not 0, 1 or 2, there is not a finite digit for each, or there are fewer
        than two nodes.
    """
    if not isinstance(num_nodes, int | np.integer) or num_nodes < 2:
        raise ValueError(f"num_nodes must be an integer of at least 2, got {num_nodes!r}")
    operations, digits = np.asarray(operations), np.asarray(digits, np.float64)
    if operations.ndim != 1 or not operations.size or not np.isin(operations, (0, 1, 2)).all():
        raise ValueError(f"operations must be a list of 0, 1 and 2, got {operations.tolist()!r:.80}")
    if digits.shape != operations.shape or not np.isfinite(digits).all():
        raise ValueError(f"digits must be a number for each operation, got {digits.tolist()!r:.80}")
    return int(num_nodes), operations.astype(np.int64), digits


def check_options(size: int, *, num_operations: int) -> None:
    """Raises ValueError unless there is at least one operation."""
    del size
    if not isinstance(num_operations, int) or num_operations < 1:
        raise ValueError(f"num_operations must be an integer of at least 1, got {num_operations!r}")


class Inputs(NamedTuple):
    """Input probes: positions of the nodes."""

    pos: np.ndarray


def node_positions(num_nodes: int, operations: np.ndarray, digits: np.ndarray) -> Inputs:
    """Positions i / N of the nodes."""
    return Inputs(np.arange(num_nodes) / num_nodes)


class Step(NamedTuple):
    """Values of one step.

    Attributes:
      operation: the operation that comes next; at the last step, where none does, the first one.
      digit: its digit at the second node.
      value: the running value at the first node.
      result: the value after the operation before.
    """

    operation: int
    digit: np.ndarray
    value: np.ndarray
    result: float


def arithmetic(num_nodes: int, operations: np.ndarray, digits: np.ndarray) -> Iterator[Step]:
    """Applies each operation to the running value."""
    value, digit = np.zeros(num_nodes), np.zeros(num_nodes)
    for step in range(len(operations)):
        digit[1] = digits[step]
        yield Step(operations[step], digit, value, value[0])
        if operations[step] == 0:
            value[0] += digits[step]
        elif operations[step] == 1:
            value[0] -= digits[step]
        else:
            value[0] *= digits[step]
    digit[1] = 0.0
    yield Step(0, digit, value, value[0])


ARITHMETIC = Algorithm(
    name="arithmetic",
    family="data_structures",
    spec=make_spec(
        inputs={"pos": (Location.NODE, Kind.SCALAR)},
        streams={
            "operation": (Location.GRAPH, Kind.CATEGORICAL, len(OPERATIONS)),
            "digit": (Location.NODE, Kind.SCALAR),
        },
        hints={"value": (Location.NODE, Kind.SCALAR)},
        answers={"result": (Location.GRAPH, Kind.SCALAR)},
        outputs={},
    ),
    problem=Problem(
        sample=sample_operations,
        check=check_operations,
        probes=node_positions,
        min_size=2,
        check_options=check_options,
    ),
    steps=arithmetic,
    source="Goyal et al. 2021, Neural Production Systems, arXiv 2103.01937",
)


def mean_squared_error(result: InferenceResult) -> float:
    """Mean squared error of the values after all steps."""
    truth, predicted, _ = result.step_entries("result")
    return float(((truth - predicted) ** 2).mean())


squared_error = Metric(mean_squared_error, lower_is_better=True)
