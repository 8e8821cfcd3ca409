"""Names, shapes and dtypes of the arrays that all traces of one algorithm and size share.

Algorithms yield values in compact form (see `nar.algorithms.Algorithm`); batches store them as CLRS-30 does.
"""

import dataclasses
import inspect
import keyword
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from nar.algorithms import Algorithm
from nar.problems.problem import Arguments, Random
from nar.specs import Location, Probe

Shape = tuple[int, ...]


def _has_node_axis(probe: Probe) -> bool:
    return probe.location is not Location.GRAPH and bool(probe.compact_shape(1))


def _compact_dtype(probe: Probe) -> np.dtype:
    """Dtype of the array to which a generator writes this output."""
    return np.dtype(np.int64) if probe.kind.is_one_hot else probe.dtype


ArraySpecs = tuple[tuple[Shape, np.dtype], ...]
"""Shape and dtype of each array, without batch and time axes."""


@dataclasses.dataclass
class ArrayShapes:
    """Array shapes and dtypes shared by all traces of one algorithm and size.

    Attributes:
      input_names: names of the fields that the problem's `probes` returns, in order.
      inputs: arrays of the inputs, in the same order.
      hints: arrays of the hints, in the order of the spec.
      outputs: arrays of the outputs, in the order of the spec.
      output_buffers: arrays, in compact form, to which a generator writes the outputs.
      num_steps: steps to allocate for the hints of a new batch; grows to the longest trace recorded so far.
    """

    input_names: tuple[str, ...]
    inputs: ArraySpecs
    hints: ArraySpecs
    outputs: ArraySpecs
    output_buffers: ArraySpecs
    num_steps: int = 16


def infer_array_shapes(algorithm: Algorithm, arguments: Arguments) -> ArrayShapes:
    """Infers the shapes from one instance, by computing its inputs and the first step of the algorithm.

    Raises:
      ValueError: if the generator's parameters, the inputs or the first step do not match the spec.
    """
    _check_parameters(algorithm)
    spec, name = algorithm.spec, algorithm.name
    inputs = algorithm.problem.probes(*copies(arguments))
    actual = {field: np.shape(getattr(inputs, field)) for field in getattr(inputs, "_fields", ())}
    names = [probe.name for probe in spec.inputs]
    if sorted(actual) != sorted(names):
        raise ValueError(
            f"{name}: the inputs of the spec must be those of the problem, {', '.join(actual)}; got "
            f"{', '.join(names)}"
        )
    num_nodes = next((actual[p.name][0] for p in spec.inputs if _has_node_axis(p) and actual[p.name]), None)
    if num_nodes is None:
        raise ValueError(f"{name}: the spec needs an input at the nodes or edges")
    expected = {probe.name: probe.compact_shape(num_nodes) for probe in spec.inputs}
    if actual != expected:
        raise ValueError(f"{name}: the inputs must have the shapes {expected}, got {actual}")

    output_buffers = tuple((probe.compact_shape(num_nodes), _compact_dtype(probe)) for probe in spec.outputs)
    zeros = (np.zeros(shape, dtype) for shape, dtype in output_buffers)
    generator = algorithm.steps(*copies(arguments), *zeros)
    if not isinstance(generator, Iterator):
        raise ValueError(f"{name}: steps must be a generator that yields the hints of each step")
    step = next(generator, None)
    if step is None:
        raise ValueError(f"{name}: steps must yield hints at least once, and ended without a yield")
    expected = {probe.name: probe.compact_shape(num_nodes) for probe in spec.per_step}
    yielded = {field: np.shape(getattr(step, field)) for field in getattr(step, "_fields", ())}
    if list(yielded.items()) != list(expected.items()):
        raise ValueError(f"{name}: steps must yield NamedTuples of the shapes {expected}, got {yielded}")

    def stored(probes: Iterable[Probe]) -> ArraySpecs:
        return tuple((probe.shape(num_nodes), probe.dtype) for probe in probes)

    inputs = stored(spec[field] for field in actual)
    return ArrayShapes(tuple(actual), inputs, stored(spec.per_step), stored(spec.outputs), output_buffers)


def _check_parameters(algorithm: Algorithm) -> None:
    """Raises ValueError unless the generator's parameters are the problem's arguments, then the outputs."""
    outputs = [
        probe.name + "_" if keyword.iskeyword(probe.name) else probe.name for probe in algorithm.spec.outputs
    ]
    expected = [*algorithm.problem.arguments, *outputs]
    actual = list(inspect.signature(algorithm.steps).parameters)
    if actual != expected:
        raise ValueError(f"{algorithm.name}: steps must take the parameters {expected}, got {actual}")


_SAMPLE_SHAPES: dict[Any, ArrayShapes] = {}


def sample_array_shapes(algorithm: Algorithm, size: int, options: Mapping[str, Any]) -> ArrayShapes:
    """Shapes of sampled traces; inferred once per algorithm, size and options."""
    values = (value.tobytes() if isinstance(value, np.ndarray) else value for value in options.values())
    key = (algorithm, size, *values)
    if key not in _SAMPLE_SHAPES:
        _SAMPLE_SHAPES[key] = infer_array_shapes(
            algorithm, algorithm.problem.sample(Random(0), size, **options)
        )
    return _SAMPLE_SHAPES[key]


def copies(arguments: Arguments) -> Arguments:
    """Copies of the arrays, which a generator may overwrite, and Python scalars for everything else."""
    return tuple(x.copy() if isinstance(x, np.ndarray) else np.asarray(x).item() for x in arguments)
