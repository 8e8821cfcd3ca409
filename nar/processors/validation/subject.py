"""The processor under test, and failures of its code in words."""

import pathlib
import traceback
from collections.abc import Callable
from typing import Any

import haiku as hk
import jax

from nar.processors.base import Context, Features, Processor
from nar.processors.layers.float32_parameters import float32_parameters


class Subject:
    """The processor under test.

    Attributes:
      name: its name, for messages.
      size: hidden size, and number of features.
      params: shapes of its parameters, once it was called.
    """

    def __init__(self, name: str, make: Callable[[], Processor], size: int) -> None:
        """Prepares the checks of the processors that `make` makes inside a Haiku transform."""
        self.name, self.size = name, size
        self.params: Any = None
        self._make = make

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Calls `initial_memory`."""
        transformed = hk.transform(lambda: self._make().initial_memory(batch_size, num_nodes))
        return transformed.apply({}, None)

    def step(self, is_training: bool = False) -> hk.Transformed:
        """The processor as in a model: a pair of functions of features, hidden states, memory and step."""

        def call(features: Features, hidden: Any, memory: Any, step: Any) -> Any:
            context = Context(step=step, task="check", is_training=is_training)
            return self._make()(features, hidden, memory, context)

        return hk.transform(float32_parameters()(call))

    def accepts_factored(self) -> bool:
        """The declaration `accepts_factored` of the processor."""
        found = []
        hk.transform(lambda: found.append(self._make())).init(None)
        return bool(getattr(found[0], "accepts_factored", False))


def attempt(where: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Result of a function that runs code of the processor.

    Raises:
      AssertionError: if it fails; the message says in words where and why.
    """
    try:
        return function(*arguments)
    except Exception as error:
        raise AssertionError(f"{where}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Words for a failure of the processor: where in its code, the type of the error and its first line."""
    line = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, jax.errors.ConcretizationTypeError | jax.errors.TracerArrayConversionError):
        line = (
            "values are known only when the compiled program runs, so neither Python's if, for and float() "
            "nor numpy can read them; use jnp.where, jax.lax.cond and jax.numpy"
        )
    if type(error).__name__ == "NonEmptyStateError":
        line = "a model carries no state of Haiku; what a processor keeps between steps belongs in memory"
    return f"failed{_place(error)} with {type(error).__name__}: {line}"


def _place(error: Exception) -> str:
    """File and line of the processor at which an error was raised: the innermost outside of libraries."""
    here = pathlib.Path(__file__).parent
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and here not in pathlib.Path(frame.filename).parents
    ]
    outside = [frame for frame in frames if here.parent not in pathlib.Path(frame.filename).parents]
    for frame in [*outside[-1:], *frames[-1:]]:
        return f" at {pathlib.Path(frame.filename).name}:{frame.lineno}"
    return ""


def require(condition: Any, message: str) -> None:
    """Raises AssertionError with a message unless a condition holds."""
    if not condition:
        raise AssertionError(message)
