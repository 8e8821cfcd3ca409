"""Definition of a problem: its sampler, the validation of user-provided instances, its input probes."""

import dataclasses
import functools
import inspect
import reprlib
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np

from nar.plugins import did_you_mean, unknown_name
from nar.problems.families import FAMILY_PARAMETERS, check_parameters, parameters_of
from nar.problems.graph_input.read import FORMS, GRAPH_OPTIONS, Graph, find_node, read_graph
from nar.problems.options import CLRS30, MIN_MAGNITUDE, OPTION_CHECKS, custom_option, is_integer
from nar.problems.scaling import Ranges

Array = np.ndarray
Arguments = tuple[Any, ...]
Random = np.random.RandomState


@dataclasses.dataclass(frozen=True)
class Instance:
    """A user's problem instance, validated.

    Attributes:
      arguments: arguments of the algorithm, in canonical types.
      nodes: label of each node of the graph; None if the nodes are 0 ... N - 1, or there is no graph.
    """

    arguments: Arguments
    nodes: tuple[Hashable, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Problem:
    """A distribution of problem instances, with validation and encoding.

    Attributes:
      sample: `(random, size, **options) -> arguments`; `random` is a `numpy.random.RandomState` or a
        `nar.problems.rng.counter_stream.CounterStream`.
      check: `(**arguments) -> arguments` in canonical types; raises ValueError for arguments on which the
        algorithms of this problem cannot run. Its parameter names are the names of the arguments.
      probes: `(*arguments) -> NamedTuple` with one field for each input probe, in the compact form in which
        algorithms yield hints (see `nar.algorithms.Algorithm`), in the subset of Python that numba compiles.
      min_size: smallest size that can be sampled.
      max_size: largest size that can be sampled.
      min_low: lower bound of the option `low`.
      directed: whether the edges in a user-provided list are directed, if the argument `A` is a
        graph; None if it is not.
      uses_weights: whether the results depend on the weights of the graph `A`, not only on its edges. If not,
        all weights of user-provided graphs are replaced by 1, as in the sampled ones.
      node_arguments: names of the arguments that are nodes of the graph `A`, given by their labels.
      aliases: pairs (alternative name of an argument, its name), for user-provided arguments.
      family: name of the family of graphs that is sampled by default, if it has one.
      options_without_family: the `FAMILY_PARAMETERS` that apply to the default graphs, too.
      compiled: whether numba can compile `sample` with options that are numbers, arrays of numbers or None;
        if not, sampling is much slower. With string-valued options it is never compiled.
      canonical: whether the compiled `sample` draws from a `CanonicalStream` bit for bit what it draws from a
        `RandomState`; False if it uses sines, sums of arrays or other functions whose results depend on the
        library.
      integer_inputs: names of SCALAR input probes with integer values; their text has no decimal point if all
        values are integers.
      ranges: `(size, **options) -> {argument: (smallest, largest)}`, the numbers that `sample` can draw, in
        all arguments for which there are bounds; nonzero entries only, for a graph.
      check_options: `(size, **options) -> None`; raises ValueError if a size and options that are valid on
        their own are incompatible.
    """

    sample: Callable[..., Arguments]
    check: Callable[..., Arguments]
    probes: Callable[..., Any]
    min_size: int = 1
    min_low: float = -np.inf
    directed: bool | None = None
    uses_weights: bool = True
    node_arguments: tuple[str, ...] = ("s", "t")
    aliases: tuple[tuple[str, str], ...] = ()
    max_size: int = 2**16
    family: str | None = "erdos_renyi"
    options_without_family: tuple[str, ...] = ()
    compiled: bool = True
    canonical: bool = False
    integer_inputs: tuple[str, ...] = ()
    ranges: Callable[..., Ranges] = lambda size, **options: {}
    check_options: Callable[..., None] = lambda size, **options: None

    @functools.cached_property
    def options(self) -> dict[str, Any]:
        """Options of `sample` with their defaults."""
        parameters = list(inspect.signature(self.sample).parameters.values())[2:]
        return {parameter.name: parameter.default for parameter in parameters}

    @functools.cached_property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in order."""
        return tuple(inspect.signature(self.check).parameters)

    def resolve_options(self, size: int, options: Mapping[str, Any]) -> dict[str, Any]:
        """Validates a size and options; returns all options of `sample` in its order and types.

        Raises:
          ValueError: if no instance of this size can be sampled with these options.
        """
        if not is_integer(size) or not self.min_size <= size <= self.max_size:
            raise ValueError(f"size must be an integer from {self.min_size} to {self.max_size}, got {size!r}")
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            raise ValueError(unknown_name("problem option", unknown[0], self.options))
        resolved = {**self.options, **options}
        checked = {
            name: OPTION_CHECKS.get(name, custom_option)(name, value) for name, value in resolved.items()
        }
        if "family" in checked and checked["family"] == self.family:
            checked["family"] = None
        if "low" in checked:
            self._check_range(checked["low"], checked["high"])
        if {"family", *FAMILY_PARAMETERS} <= checked.keys():
            also = self.options_without_family if checked["family"] is None else ()
            parameters = {name: checked[name] for name in FAMILY_PARAMETERS}
            check_parameters(size, checked["family"] or CLRS30, **parameters, also=also)
        self.check_options(size, **checked)
        return checked

    def options_of_family(self, family: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The given options that problems of a family have; `CLRS30` is the distribution of CLRS-30."""
        own = self.options_without_family if family == CLRS30 else parameters_of(family)
        return {
            name: value
            for name, value in options.items()
            if name in self.options and (name in own or name not in FAMILY_PARAMETERS)
        }

    def _check_range(self, low: float, high: float) -> None:
        if low < self.min_low:
            raise ValueError(f"low must be at least {self.min_low:g}, got {low!r}")
        if high - low < MIN_MAGNITUDE:
            raise ValueError(
                f"high must exceed low by at least {MIN_MAGNITUDE:g}, got low={low!r}, high={high!r}"
            )

    def bind(self, /, *values: Any, **named: Any) -> Arguments:
        """Validates user-provided arguments and converts them to canonical types; see `read`."""
        return self.read(*values, **named).arguments

    def read_edges(self, /, *values: Any, **named: Any) -> Instance:
        """Validates user-provided arguments like `read`; a graph is an `EdgeList` in place of a matrix.

        Time and memory grow with the edges.
        """
        return self._read(values, named, as_edges=True)

    def read(self, /, *values: Any, **named: Any) -> Instance:
        """Validates user-provided arguments and converts them to canonical types.

        A graph `A` may have any form that `nar.problems.graph_input` reads, and may also be given as `matrix`
        or as `edges`; `nodes`, `num_nodes`, `weight` and `directed` determine how it is read. Arguments that
        are nodes are given by their labels.

        Raises:
          ValueError: if an argument is missing, unknown, given twice or invalid.
        """
        return self._read(values, named, as_edges=False)

    def _read(self, values: Arguments, named: Mapping[str, Any], as_edges: bool) -> Instance:
        if len(values) > len(self.arguments):
            raise ValueError(f"expected the arguments {', '.join(self.arguments)}, got {len(values)} values")
        given = dict(zip(self.arguments, values, strict=False))
        options = {}
        for name, value in named.items():
            canonical = self._canonical_name(name)
            if canonical is None:
                options[name] = value
            elif canonical in given:
                raise ValueError(f"argument {canonical!r} is given twice")
            else:
                given[canonical] = value
        graph, nodes = self._read_graph(given, named, options, as_edges), None
        missing = [name for name in self.arguments if name not in given]
        if missing:
            raise ValueError(f"missing argument {missing[0]!r}; expected {', '.join(self.arguments)}")
        if graph is not None:
            given["A"], nodes = graph.A, graph.labels
            for name in self.node_arguments:
                if name in given:
                    given[name] = find_node(graph, name, given[name])
        try:
            return Instance(self.check(**given), nodes)
        except ValueError as error:
            if nodes is None:
                raise
            places = reprlib.repr(dict(enumerate(nodes)))
            raise ValueError(f"{error}; positions of the nodes: {places}") from None

    def _canonical_name(self, name: str) -> str | None:
        """The argument that a keyword stands for; None for the options of `read_graph`."""
        canonical = dict(self.aliases).get(name, name)
        if canonical in self.arguments:
            return canonical
        if self.directed is not None and name in FORMS:
            return "A"
        if self.directed is not None and name in GRAPH_OPTIONS:
            return None
        known = self.arguments if self.directed is None else (*self.arguments, *FORMS, *GRAPH_OPTIONS)
        hint = did_you_mean(name, known)
        raise ValueError(f"unknown argument {name!r}; expected {', '.join(self.arguments)}{hint}")

    def _read_graph(
        self, given: Mapping[str, Any], named: Mapping[str, Any], options: Mapping[str, Any], as_edges: bool
    ) -> Graph | None:
        if self.directed is None or "A" not in given:
            return None
        keyword = next((form for form in FORMS if form in named), "A")
        return read_graph(
            keyword,
            given["A"],
            options,
            directed=self.directed,
            uses_weights=self.uses_weights,
            as_edges=as_edges,
        )
