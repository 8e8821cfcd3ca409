"""What all traces of one algorithm and size have in common: names, shapes and types of their arrays.

Algorithms deal in the compact form of values (see `nar.algorithms.Algorithm`), batches hold those of CLRS-30.
"""

import dataclasses
import inspect
import keyword
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from nar.algorithms import Algorithm
from nar.problems import Arguments, Random
from nar.specs import Kind, Location, Probe

Shape = tuple[int, ...]

_NODE_AXES: Mapping[Location, int] = {Location.NODE: 1, Location.EDGE: 2, Location.GRAPH: 0}


def _compact_shape(probe: Probe, num_nodes: int) -> Shape:
    """Shape in which a generator yields this probe: a MASK_ONE is an index in place of the last axis."""
    axes = _NODE_AXES[probe.location] - (probe.kind is Kind.MASK_ONE)
    return (num_nodes,) * axes


def _compact_dtype(probe: Probe) -> np.dtype:
    """Type of the array to which a generator writes this output."""
    return np.dtype(np.int64) if probe.kind in (Kind.MASK_ONE, Kind.CATEGORICAL) else probe.dtype


Rows = tuple[tuple[Shape, np.dtype], ...]
"""Shape and type of some arrays, without leading axes."""


@dataclasses.dataclass
class Form:
    """What is known about all traces of one algorithm and size.

    Attributes:
      input_names: of what the problem's `probes` gives, in its order.
      inputs: their arrays.
      hints: those of hints.
      outputs: those of outputs.
      results: those that a generator writes outputs to.
      num_steps: of the longest trace so far; for so many there is room at first.
    """

    input_names: tuple[str, ...]
    inputs: Rows
    hints: Rows
    outputs: Rows
    results: Rows
    num_steps: int = 16


def form_of(algorithm: Algorithm, arguments: Arguments) -> Form:
    """The form of the traces of an instance and all that are drawn like it.

    Raises:
      ValueError: if parameters, inputs or first step do not fit the spec.
    """
    _check_parameters(algorithm)
    spec, name = algorithm.spec, algorithm.name
    inputs = algorithm.problem.probes(*copies(arguments))
    found = {field: np.shape(getattr(inputs, field)) for field in getattr(inputs, "_fields", ())}
    names = [probe.name for probe in spec.inputs]
    if sorted(found) != sorted(names):
        raise ValueError(f"{name}: the problem gives the inputs {sorted(found)}, the spec names {names}")
    num_nodes = next((found[p.name][0] for p in spec.inputs if _compact_shape(p, 1)), None)
    if num_nodes is None:
        raise ValueError(f"{name}: the spec needs an input at the nodes or edges")
    expected = {probe.name: _compact_shape(probe, num_nodes) for probe in spec.inputs}
    if found != expected:
        raise ValueError(f"{name}: the inputs must have the shapes {expected}, the problem gives {found}")

    results = tuple((_compact_shape(probe, num_nodes), _compact_dtype(probe)) for probe in spec.outputs)
    filled = (np.zeros(shape, dtype) for shape, dtype in results)
    step = next(algorithm.steps(*copies(arguments), *filled), None)
    expected = {probe.name: _compact_shape(probe, num_nodes) for probe in spec.hints}
    shown = {field: np.shape(getattr(step, field)) for field in getattr(step, "_fields", ())}
    if list(shown.items()) != list(expected.items()):
        raise ValueError(f"{name}: steps must yield NamedTuples of the shapes {expected}, they yield {shown}")

    def rows(probes: Iterable[Probe]) -> Rows:
        return tuple((probe.shape(num_nodes), probe.dtype) for probe in probes)

    inputs = rows(spec[field] for field in found)
    return Form(tuple(found), inputs, rows(spec.hints), rows(spec.outputs), results)


def _check_parameters(algorithm: Algorithm) -> None:
    """Raises ValueError unless the generator's parameters are the problem's arguments, then the outputs."""
    outputs = [
        probe.name + "_" if keyword.iskeyword(probe.name) else probe.name for probe in algorithm.spec.outputs
    ]
    expected = [*algorithm.problem.arguments, *outputs]
    found = list(inspect.signature(algorithm.steps).parameters)
    if found != expected:
        raise ValueError(f"{algorithm.name}: steps must take the parameters {expected}, it takes {found}")


_FORMS: dict[Any, Form] = {}


def form_of_samples(algorithm: Algorithm, size: int, options: Mapping[str, Any]) -> Form:
    """The form of traces that are drawn; worked out once for each size and options."""
    values = (value.tobytes() if isinstance(value, np.ndarray) else value for value in options.values())
    key = (algorithm, size, *values)
    if key not in _FORMS:
        _FORMS[key] = form_of(algorithm, algorithm.problem.sample(Random(0), size, **options))
    return _FORMS[key]


def copies(arguments: Arguments) -> Arguments:
    """Arrays that a generator may write to, and plain numbers."""
    return tuple(x.copy() if isinstance(x, np.ndarray) else np.asarray(x).item() for x in arguments)
