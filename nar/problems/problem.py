"""What a problem is: how it is drawn, what a user's own must fulfil, and its input probes."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nar.problems.adjacency import adjacency_matrix
from nar.problems.options import OPTION_CHECKS, SMALLEST, any_option, is_integer

Array = np.ndarray
Arguments = tuple[Any, ...]
Random = np.random.RandomState


@dataclasses.dataclass(frozen=True)
class Problem:
    """A family of instances.

    Attributes:
      sample: `(random, size, **options) -> arguments`; `random` is a `numpy.random.RandomState` or a
        `nar.problems.rng.counter_stream.CounterStream`.
      check: `(**arguments) -> arguments` in canonical types; raises ValueError on what the algorithms
        that take this problem cannot run on. Its parameter names are the names of the arguments.
      probes: `(*arguments) -> NamedTuple` with one field for each input probe, in the compact form in which
        algorithms yield hints (see `nar.algorithms.Algorithm`), in the subset of Python that numba compiles.
      min_size: the smallest size that can be drawn.
      max_size: the largest one.
      min_low: the least value that the option `low` may have.
      directed: if the argument `A` is a graph: whether an edge that a user lists leads one way only; None if
        it is none.
      aliases: pairs (other name under which a user may give an argument, the argument).
      family: name of the family of graphs that is drawn without the option `family`, if it has one.
      compiled: whether `sample` is in the subset that numba compiles, with options that are numbers, arrays
        of them or None; drawing is much slower if not. A string as an option is never compiled.
      canonical: whether `sample`, compiled, draws from a `CanonicalStream` what it draws from a
        `RandomState`, to the last bit; not if it takes sines, sums of arrays or other functions of which
        libraries differ.
      whole_numbers: names of input probes of kind SCALAR whose numbers are whole; where all are, their text
        has no decimal point.
      check_draw: `(size, **options) -> None`; raises ValueError where a size and options, each of them valid,
        do not go together.
    """

    sample: Callable[..., Arguments]
    check: Callable[..., Arguments]
    probes: Callable[..., Any]
    min_size: int = 1
    min_low: float = -np.inf
    directed: bool | None = None
    aliases: tuple[tuple[str, str], ...] = ()
    max_size: int = 2**16
    family: str | None = "erdos_renyi"
    compiled: bool = True
    canonical: bool = False
    integer_inputs: tuple[str, ...] = ()
    check_options: Callable[..., None] = lambda size, **options: None

    @functools.cached_property
    def options(self) -> dict[str, Any]:
        """The options that `sample` takes, with their defaults."""
        parameters = list(inspect.signature(self.sample).parameters.values())[2:]
        return {parameter.name: parameter.default for parameter in parameters}

    @functools.cached_property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in order."""
        return tuple(inspect.signature(self.check).parameters)

    def resolve_options(self, size: int, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options in the types that `sample` takes, in its order.

        Raises:
          ValueError: if no instance of this size with these options can be drawn.
        """
        if not is_integer(size) or not self.min_size <= size <= self.max_size:
            raise ValueError(f"size must be an integer from {self.min_size} to {self.max_size}, got {size!r}")
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            known = ", ".join(self.options) or "none"
            raise ValueError(f"unknown problem option {unknown[0]!r}; known: {known}")
        given = {**self.options, **options}
        drawn_with = {name: OPTION_CHECKS.get(name, any_option)(name, value) for name, value in given.items()}
        if "family" in drawn_with and drawn_with["family"] == self.family:
            drawn_with["family"] = None
        if "low" in drawn_with:
            self._check_range(drawn_with["low"], drawn_with["high"])
        self.check_options(size, **drawn_with)
        return drawn_with

    def _check_range(self, low: float, high: float) -> None:
        if low < self.min_low:
            raise ValueError(f"low must be at least {self.min_low:g}, got {low!r}")
        if high - low < SMALLEST:
            raise ValueError(f"high must be greater than low by {SMALLEST:g}, got low={low!r}, high={high!r}")

    def bind(self, *values: Any, **named: Any) -> Arguments:
        """A user's own arguments, checked and in canonical types.

        A graph `A` may have any form of `adjacency_matrix`; `num_nodes` goes with a list of edges.

        Raises:
          ValueError: if an argument is missing, unknown, given twice or not valid.
        """
        if len(values) > len(self.arguments):
            raise ValueError(f"expected the arguments {', '.join(self.arguments)}, got {len(values)} values")
        num_nodes = named.pop("num_nodes", None) if self.directed is not None else None
        given = dict(zip(self.arguments, values, strict=False))
        for name, value in named.items():
            canonical = dict(self.aliases).get(name, name)
            if canonical not in self.arguments:
                raise ValueError(f"unknown argument {name!r}; expected {', '.join(self.arguments)}")
            if canonical in given:
                raise ValueError(f"argument {canonical!r} is given twice")
            given[canonical] = value
        missing = [name for name in self.arguments if name not in given]
        if missing:
            raise ValueError(f"missing argument {missing[0]!r}; expected {', '.join(self.arguments)}")
        if self.directed is not None:
            given["A"] = adjacency_matrix("A", given["A"], self.directed, num_nodes)
        return self.check(**given)
