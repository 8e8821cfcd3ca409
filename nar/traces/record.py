"""Running algorithms into traces.

Everything that is done once for all algorithms is done here: compiling a generator together with the loop
that copies what it yields, checking that against the spec, stacking, padding, and expanding the compact form
(see `nar.algorithms.Algorithm`) into the values of CLRS-30.

numba caches compiled code on disk, but does not notice changes in other files than the one that it compiles.
So the compiled function carries in its name a digest of all sources that it is made from.
"""

import functools
import hashlib
import inspect
import keyword
import math
import pathlib
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numba
import numpy as np
from numba.extending import overload

from nar.algorithms import Algorithm
from nar.algorithms import definition as algorithms_definition
from nar.problems import Arguments
from nar.specs import MASKED, Kind, Location, Probe
from nar.traces.trace import Probes, TraceBatch

Shape = tuple[int, ...]

_ONE_HOT = (Kind.MASK_ONE, Kind.CATEGORICAL)


def collect(algorithm: Algorithm, instances: Sequence[Arguments], *, compiled: bool = True) -> TraceBatch:
    """Runs the algorithm on instances of one size.

    Args:
      algorithm: what to run.
      instances: B tuples of arguments, as the algorithm's problem samples or checks them.
      compiled: whether numba compiles the generator; if not, it runs as plain Python.

    Returns:
      The B traces, padded with zeros to the longest.

    Raises:
      ValueError: if the problem's inputs or what the generator yields do not fit the spec.
    """
    inputs = _inputs(algorithm, instances)
    num_nodes = _num_nodes(algorithm, inputs)
    hints, outputs = algorithm.spec.hints, algorithm.spec.outputs
    offsets = np.cumsum([0, *(math.prod(_compact_shape(probe, num_nodes)) for probe in hints)])
    record = _recorder(algorithm) if compiled else _plain_recorder(algorithm)
    _check_first_step(algorithm, instances[0], num_nodes)

    batch_size = len(instances)
    all_rows = []
    all_outputs = [_output_array(probe, num_nodes, batch_size) for probe in outputs]
    for index, arguments in enumerate(instances):
        filled = tuple(array[index, ...] for array in all_outputs)
        all_rows.append(record(_copies(arguments), filled, offsets))

    lengths = np.array([len(rows) for rows in all_rows], np.int32)
    stacked = np.zeros((lengths.max(), batch_size, offsets[-1]))
    for index, rows in enumerate(all_rows):
        stacked[: len(rows), index] = rows
    running = np.arange(len(stacked))[:, None] < lengths
    return TraceBatch(
        inputs=inputs,
        hints={
            probe.name: _expand(probe, stacked[..., start:stop], num_nodes, running)
            for probe, start, stop in zip(hints, offsets[:-1], offsets[1:], strict=True)
        },
        outputs={
            probe.name: _expand(probe, array, num_nodes, np.ones(batch_size, bool))
            for probe, array in zip(outputs, all_outputs, strict=True)
        },
        lengths=lengths,
    )


def _inputs(algorithm: Algorithm, instances: Sequence[Arguments]) -> Probes:
    parts = [
        algorithm.problem.probes(*(np.stack(column) for column in zip(*alike, strict=True)))
        for alike in _of_one_shape(instances)
    ]
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    names = [probe.name for probe in algorithm.spec.inputs]
    if sorted(values) != sorted(names):
        raise ValueError(
            f"{algorithm.name}: the problem gives the inputs {sorted(values)}, the spec names {names}"
        )
    return {p.name: np.asarray(values[p.name], dtype=p.dtype) for p in algorithm.spec.inputs}


def _of_one_shape(instances: Sequence[Arguments]) -> list[Sequence[Arguments]]:
    """All instances together if their arguments have one shape each, else one by one (strings may differ)."""
    shapes = {tuple(np.shape(argument) for argument in arguments) for arguments in instances}
    return [instances] if len(shapes) == 1 else [[arguments] for arguments in instances]


def _copies(arguments: Arguments) -> Arguments:
    """Arrays that a generator may write to, and plain numbers."""
    return tuple(x.copy() if isinstance(x, np.ndarray) else np.asarray(x).item() for x in arguments)


def _check_first_step(algorithm: Algorithm, arguments: Arguments, num_nodes: int) -> None:
    """Raises ValueError unless what the generator yields first has a value for each hint, in order."""
    hints, outputs = algorithm.spec.hints, algorithm.spec.outputs
    filled = (_output_array(probe, num_nodes, 1)[0, ...] for probe in outputs)
    step = next(algorithm.steps(*_copies(arguments), *filled), None)
    expected = {probe.name: _compact_shape(probe, num_nodes) for probe in hints}
    found = {name: np.shape(getattr(step, name)) for name in getattr(step, "_fields", ())}
    if list(found.items()) != list(expected.items()):
        raise ValueError(
            f"{algorithm.name}: steps must yield NamedTuples of the shapes {expected}, they yield {found}"
        )


def _num_nodes(algorithm: Algorithm, inputs: Probes) -> int:
    for probe in algorithm.spec.inputs:
        if probe.location is not Location.GRAPH:
            return inputs[probe.name].shape[1]
    raise ValueError(f"{algorithm.name}: the spec needs an input at the nodes or edges")


# ---------------------------------------------------------------------------------------------------
# Compact form

_NODE_AXES: Mapping[Location, int] = {Location.NODE: 1, Location.EDGE: 2, Location.GRAPH: 0}


def _compact_shape(probe: Probe, num_nodes: int) -> Shape:
    """Shape in which a generator yields this probe: a MASK_ONE is an index in place of the last axis."""
    axes = _NODE_AXES[probe.location] - (probe.kind is Kind.MASK_ONE)
    return (num_nodes,) * axes


def _output_array(probe: Probe, num_nodes: int, batch_size: int) -> np.ndarray:
    dtype = np.float64 if probe.kind is Kind.SCALAR else np.int64
    return np.zeros((batch_size, *_compact_shape(probe, num_nodes)), dtype)


def _expand(probe: Probe, compact: np.ndarray, num_nodes: int, running: np.ndarray) -> np.ndarray:
    """Values of CLRS-30 from compact ones.

    Args:
      probe: what is expanded.
      compact: [..., compact shape] or flat behind the leading axes.
      num_nodes: N.
      running: [...] bool, False where a trace has ended.

    Returns:
      [..., shape of the probe] in the probe's type.
    """
    compact = compact.reshape(*running.shape, *_compact_shape(probe, num_nodes))
    if probe.kind not in _ONE_HOT:
        return compact.astype(probe.dtype)
    num_classes = probe.num_classes or num_nodes
    shown = running.reshape(running.shape + (1,) * (compact.ndim - running.ndim))
    places = np.flatnonzero(np.broadcast_to(shown, compact.shape))
    classes = compact.reshape(-1)[places].astype(np.intp)
    if classes.size and not MASKED <= classes.min() <= classes.max() < num_classes:
        raise ValueError(
            f"{probe.name} must be from {MASKED} to {num_classes - 1}, got {classes.min()} to {classes.max()}"
        )
    expanded = np.zeros((compact.size, num_classes), probe.dtype)
    # MASKED is -1: it stands in the last class.
    expanded[places, classes] = np.where(classes == MASKED, MASKED, 1)
    return expanded.reshape(*compact.shape, num_classes)


# ---------------------------------------------------------------------------------------------------
# Compiling

Recorder = Callable[[Arguments, tuple[np.ndarray, ...], np.ndarray], np.ndarray]


def _record(arguments, outputs, offsets):
    """Runs `generator` (a global that `_recorder` sets) to its end; returns rows [T, sum of sizes]."""
    rows = np.zeros((16, offsets[-1]))
    length = 0
    for hints in generator(*arguments, *outputs):  # noqa: F821  # pyright: ignore[reportUndefinedVariable]
        if length == len(rows):
            grown = np.zeros((2 * length, offsets[-1]))
            grown[:length] = rows
            rows = grown
        _write_row(rows[length], hints, offsets)
        length += 1
    return rows[:length]


def _write_row(row, hints, offsets):
    """Copies the fields of a NamedTuple, numbers or arrays, side by side into a row."""
    for k, value in enumerate(hints):
        assert np.size(value) == offsets[k + 1] - offsets[k], "a hint must keep its shape"
        row[offsets[k] : offsets[k + 1]] = np.ravel(value)


@overload(_write_row)
def _compiled_write_row(row, hints, offsets):
    calls = [f"write_value(row, offsets[{k}], offsets[{k + 1}], hints[{k}])" for k in range(len(hints))]
    scope: dict[str, Any] = {"write_value": _write_value}
    exec("def write_row(row, hints, offsets):\n    " + "\n    ".join(calls), scope)
    return scope["write_row"]


def _write_value(row, start, stop, value):
    """Compiled only: see `_write_row` for the meaning."""


@overload(_write_value)
def _compiled_write_value(row, start, stop, value):
    if isinstance(value, numba.types.Array):

        def write(row, start, stop, value):
            assert value.size == stop - start, "a hint must keep its shape"
            k = start
            for x in value.flat:
                row[k] = x
                k += 1

    else:

        def write(row, start, stop, value):
            row[start] = value

    return write


def _plain_recorder(algorithm: Algorithm) -> Recorder:
    """`_record` around the algorithm's generator, in plain Python."""
    _check_fields(algorithm)
    return types.FunctionType(_record.__code__, {**globals(), "generator": algorithm.steps})


@functools.cache
def _recorder(algorithm: Algorithm) -> Recorder:
    """`_record` around the algorithm's generator, compiled at its first call and cached on disk."""
    _check_fields(algorithm)
    digest = _digest(algorithm.steps)
    name = f"record_{algorithm.name}_{digest}"
    code = _record.__code__.replace(co_name=name, co_qualname=name)
    scope = {**globals(), "generator": numba.njit(nogil=True)(algorithm.steps)}
    return numba.njit(cache=digest != "", nogil=True)(types.FunctionType(code, scope, name))


def _check_fields(algorithm: Algorithm) -> None:
    """Raises ValueError unless the generator's parameters are the problem's arguments, then the outputs."""
    outputs = [
        probe.name + "_" if keyword.iskeyword(probe.name) else probe.name for probe in algorithm.spec.outputs
    ]
    expected = [*algorithm.problem.arguments, *outputs]
    found = list(inspect.signature(algorithm.steps).parameters)
    if found != expected:
        raise ValueError(f"{algorithm.name}: steps must take the parameters {expected}, it takes {found}")


def _digest(steps: Callable[..., Any]) -> str:
    """Digest of every source that the compiled code may come from; '' if files do not tell."""
    if steps.__closure__:
        return ""
    room = pathlib.Path(algorithms_definition.__file__).parent
    try:
        own = pathlib.Path(inspect.getfile(steps))
        sources = [pathlib.Path(__file__), own, *sorted(room.glob("*.py"))]
        text = b"".join([steps.__qualname__.encode(), *(source.read_bytes() for source in sources)])
    except (OSError, TypeError):
        return ""
    return hashlib.blake2b(text, digest_size=8).hexdigest()
