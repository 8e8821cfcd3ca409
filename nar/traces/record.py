"""Running algorithms into traces.

Everything that is done once for all algorithms is done here: drawing problems, running the generator, and
writing what it yields straight into the arrays of a batch, all of it compiled together by numba, or as plain
Python.

numba caches compiled code on disk, but does not notice changes in other files than the one that it compiles.
So each compiled function carries in its name a digest of all sources that it is made from.
"""

import dataclasses
import functools
import hashlib
import inspect
import keyword
import pathlib
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numba
import numpy as np
from numba.core.errors import NumbaError

from nar.algorithms import Algorithm
from nar.problems import Arguments, Random
from nar.problems.counter_stream import start_stream
from nar.specs import MASKED, Kind, Location, Probe
from nar.traces.inlining import inlined
from nar.traces.trace import TraceBatch
from nar.traces.writing import AnotherShape, Arrays, NotAClass, clear, write

Shape = tuple[int, ...]


def collect(algorithm: Algorithm, instances: Sequence[Arguments], *, compiled: bool = True) -> TraceBatch:
    """Runs the algorithm on instances of one size.

    Args:
      algorithm: what to run.
      instances: B tuples of arguments, as the algorithm's problem samples or checks them.
      compiled: whether numba compiles the algorithm; if not, it runs as plain Python.

    Returns:
      The B traces, padded with zeros to the longest.

    Raises:
      ValueError: if the problem's inputs or what the generator yields do not fit the spec.
    """
    batch = _Batch(algorithm, _form(algorithm, instances[0]), len(instances))

    def run(loops: _Loops, done: int) -> int:
        while done < len(instances) and loops.record(_copies(instances[done]), done, *batch.arrays):
            done += 1
        return done

    if not compiled:
        return batch.filled_by(functools.partial(run, _plain(algorithm)))
    return _with_compiled(algorithm, lambda loops: batch.filled_by(functools.partial(run, loops)))


def collect_samples(
    algorithm: Algorithm, size: int, options: Mapping[str, Any], key: int, first: int, count: int
) -> TraceBatch:
    """Runs the algorithm on problems drawn from the streams `first` ... `first + count - 1` of a key.

    Args:
      algorithm: what to run.
      size: of the problems.
      options: of the problems, all of them, checked and in order (`Problem.check_request`).
      key: 64 bits.
      first: 64 bits.
      count: B.

    Returns:
      The B traces, padded with zeros to the longest.

    Raises:
      ValueError: if problems cannot be drawn, or if what is drawn or yielded does not fit the spec.
    """
    batch = _Batch(algorithm, _form_of_samples(algorithm, size, options), count)
    start = (np.uint64(key), np.uint64(first))
    values = tuple(options.values())

    def run(loops: _Loops, done: int) -> int:
        return loops.record_samples(*start, done, size, values, *batch.arrays)

    return _with_compiled(algorithm, lambda loops: batch.filled_by(functools.partial(run, loops)))


def can_compile_samples(algorithm: Algorithm, options: Mapping[str, Any]) -> bool:
    """Whether numba can compile the sampler with these options."""
    return algorithm.problem.compiled and not any(isinstance(value, str) for value in options.values())


def _copies(arguments: Arguments) -> Arguments:
    """Arrays that a generator may write to, and plain numbers."""
    return tuple(x.copy() if isinstance(x, np.ndarray) else np.asarray(x).item() for x in arguments)


# ---------------------------------------------------------------------------------------------------
# The form of a trace

_NODE_AXES: Mapping[Location, int] = {Location.NODE: 1, Location.EDGE: 2, Location.GRAPH: 0}


def _compact_shape(probe: Probe, num_nodes: int) -> Shape:
    """Shape in which a generator yields this probe: a MASK_ONE is an index in place of the last axis."""
    axes = _NODE_AXES[probe.location] - (probe.kind is Kind.MASK_ONE)
    return (num_nodes,) * axes


def _compact_dtype(probe: Probe) -> np.dtype:
    """Type of the array to which a generator writes this output."""
    return np.dtype(np.int64) if probe.kind in (Kind.MASK_ONE, Kind.CATEGORICAL) else probe.dtype


_Rows = tuple[tuple[Shape, np.dtype], ...]
"""Shape and type of some arrays, without leading axes."""


@dataclasses.dataclass
class _Form:
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
    inputs: _Rows
    hints: _Rows
    outputs: _Rows
    results: _Rows
    num_steps: int = 16


def _form(algorithm: Algorithm, arguments: Arguments) -> _Form:
    """The form of the traces of an instance and all that are drawn like it.

    Raises:
      ValueError: if inputs or first step do not fit the spec.
    """
    spec, name = algorithm.spec, algorithm.name
    inputs = algorithm.problem.probes(*_copies(arguments))
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
    step = next(algorithm.steps(*_copies(arguments), *filled), None)
    expected = {probe.name: _compact_shape(probe, num_nodes) for probe in spec.hints}
    shown = {field: np.shape(getattr(step, field)) for field in getattr(step, "_fields", ())}
    if list(shown.items()) != list(expected.items()):
        raise ValueError(f"{name}: steps must yield NamedTuples of the shapes {expected}, they yield {shown}")

    def rows(probes: Iterable[Probe]) -> _Rows:
        return tuple((probe.shape(num_nodes), probe.dtype) for probe in probes)

    inputs = rows(spec[field] for field in found)
    return _Form(tuple(found), inputs, rows(spec.hints), rows(spec.outputs), results)


_FORMS: dict[Any, _Form] = {}


def _form_of_samples(algorithm: Algorithm, size: int, options: Mapping[str, Any]) -> _Form:
    """The form of traces that are drawn; worked out once for each size and options."""
    values = (value.tobytes() if isinstance(value, np.ndarray) else value for value in options.values())
    key = (algorithm, size, *values)
    if key not in _FORMS:
        _FORMS[key] = _form(algorithm, algorithm.problem.sample(Random(0), size, **options))
    return _FORMS[key]


class _Batch:
    """The arrays of a batch while they are filled."""

    def __init__(self, algorithm: Algorithm, form: _Form, batch_size: int) -> None:
        def zeros(rows: _Rows, *leading: int) -> Arrays:
            return tuple([np.zeros(leading + shape, dtype) for shape, dtype in rows])

        self._algorithm = algorithm
        self._form = form
        self._inputs = zeros(form.inputs, batch_size)
        self._hints = zeros(form.hints, form.num_steps, batch_size)
        self._outputs = zeros(form.outputs, batch_size)
        self._results = zeros(form.results)
        self._lengths = np.zeros(batch_size, np.int32)

    @property
    def arrays(self) -> tuple[Arrays, Arrays, Arrays, Arrays, np.ndarray]:
        """Inputs, hints, outputs, what a generator writes outputs to, and lengths."""
        return self._inputs, self._hints, self._outputs, self._results, self._lengths

    def filled_by(self, run: Callable[[int], int]) -> TraceBatch:
        """The traces.

        Args:
          run: goes on behind so many traces that are complete, until there is no more room for the steps of
            one; it returns how many are complete then.
        """
        try:
            done = run(0)
            while done < len(self._lengths):
                self._make_room()
                done = run(done)
        except NotAClass as error:
            number, found, num_classes = error.args
            raise ValueError(
                f"{self._name(number)} must be from {MASKED} to {num_classes - 1}, got {found}"
            ) from None
        except AnotherShape as error:
            raise ValueError(f"{self._name(error.args[0])} must keep its shape") from None
        spec = self._algorithm.spec
        num_steps = int(self._lengths.max())
        self._form.num_steps = max(self._form.num_steps, num_steps)
        inputs = dict(zip(self._form.input_names, self._inputs, strict=True))
        return TraceBatch(
            inputs={probe.name: inputs[probe.name] for probe in spec.inputs},
            hints={p.name: array[:num_steps] for p, array in zip(spec.hints, self._hints, strict=True)},
            outputs={p.name: array for p, array in zip(spec.outputs, self._outputs, strict=True)},
            lengths=self._lengths,
        )

    def _name(self, number: int) -> str:
        """What an error calls the probe of this number."""
        spec = self._algorithm.spec
        names = [*self._form.input_names, *(probe.name for probe in (*spec.hints, *spec.outputs))]
        return f"{self._algorithm.name}: {names[number]}"

    def _make_room(self) -> None:
        """Half as many steps again."""
        num_steps = len(self._hints[0]) * 3 // 2
        longer = []
        for array in self._hints:
            longer.append(np.zeros((num_steps, *array.shape[1:]), array.dtype))
            longer[-1][: len(array)] = array
        self._hints = tuple(longer)


# ---------------------------------------------------------------------------------------------------
# Compiling. The names `probes`, `sample`, `run` and `record` are globals that `_loops` sets.
# ruff: noqa: F821
# pyright: reportUndefinedVariable=false


def _record(arguments, place, inputs, hints, outputs, results, lengths):
    """Writes the trace of an instance; returns False if there is no room for all of its steps."""
    write(inputs, (place,), probes(*arguments), 0)
    clear(results)
    length = run(arguments, results, hints, place, len(inputs))
    if length < 0:
        return False
    write(outputs, (place,), results, len(inputs) + len(hints))
    lengths[place] = length
    return True


def _record_samples(key, first, done, size, options, inputs, hints, outputs, results, lengths):
    """Writes the traces of samples; returns how many are complete, those before `done` included."""
    for place in range(done, len(lengths)):
        arguments = sample(start_stream(key, first + np.uint64(place)), size, *options)
        if not record(arguments, place, inputs, hints, outputs, results, lengths):
            return place
    return len(lengths)


def _run(arguments, results, hints, place, first):
    """Writes the hints of an instance; returns their number of steps, or -1 if there is no room for all."""
    length = 0
    for step in steps(*arguments, *results):
        if length == len(hints[0]):
            return -1
        write(hints, (length, place), step, first)
        length += 1
    return length


def _run_inlined(arguments, results, hints, place, first):
    """The same, with `steps` as `inlined` has made it."""
    return steps(*arguments, *results, hints, place, first)


@dataclasses.dataclass(frozen=True)
class _Loops:
    """Both loops around an algorithm."""

    record: Callable[..., bool]
    record_samples: Callable[..., int]


@functools.cache
def _plain(algorithm: Algorithm) -> _Loops:
    """In plain Python."""
    _check_fields(algorithm)
    run = types.FunctionType(_run.__code__, {**globals(), "steps": algorithm.steps})
    scope = {**globals(), "probes": algorithm.problem.probes, "sample": algorithm.problem.sample, "run": run}
    return _loops(scope, "", lambda function: function)


def _with_compiled(algorithm: Algorithm, call: Callable[[_Loops], TraceBatch]) -> TraceBatch:
    """What a call makes of the loops around the inlined generator, or if need be around the generator itself.

    Where both cannot be compiled, the second error is the one that points to the user's own lines.
    """
    if algorithm not in _NOT_INLINED:
        try:
            return call(_compiled(algorithm, True))
        except NumbaError:
            _NOT_INLINED.add(algorithm)
    return call(_compiled(algorithm, False))


_NOT_INLINED: set[Algorithm] = set()


@functools.cache
def _compiled(algorithm: Algorithm, inline: bool) -> _Loops:
    """Compiled at their first call and cached on disk."""
    _check_fields(algorithm)
    problem = algorithm.problem
    digest = _digest(algorithm.steps, problem.sample, problem.probes)
    inner = numba.njit(nogil=True)
    steps = inlined(algorithm.steps, f"steps_{algorithm.name}", __file__) if inline else None
    run = _run.__code__ if steps is None else _run_inlined.__code__
    run = types.FunctionType(run, {**globals(), "steps": inner(steps or algorithm.steps)})
    scope = {
        **globals(),
        "probes": inner(problem.probes),
        "sample": inner(problem.sample),
        "run": inner(run),
    }
    suffix = f"_{algorithm.name}_{digest}{'' if steps else '_generator'}"
    return _loops(scope, suffix, numba.njit(cache=digest != "", nogil=True))


def _loops(scope: dict[str, Any], suffix: str, compile: Callable[..., Any]) -> _Loops:
    record = compile(_renamed(_record, "record" + suffix, scope))
    return _Loops(
        record, compile(_renamed(_record_samples, "record_samples" + suffix, {**scope, "record": record}))
    )


def _renamed(function: types.FunctionType, name: str, scope: dict[str, Any]) -> types.FunctionType:
    """The function under another name, with other globals."""
    return types.FunctionType(function.__code__.replace(co_name=name, co_qualname=name), scope, name)


def _check_fields(algorithm: Algorithm) -> None:
    """Raises ValueError unless the generator's parameters are the problem's arguments, then the outputs."""
    outputs = [
        probe.name + "_" if keyword.iskeyword(probe.name) else probe.name for probe in algorithm.spec.outputs
    ]
    expected = [*algorithm.problem.arguments, *outputs]
    found = list(inspect.signature(algorithm.steps).parameters)
    if found != expected:
        raise ValueError(f"{algorithm.name}: steps must take the parameters {expected}, it takes {found}")


def _digest(*functions: Callable[..., Any]) -> str:
    """Digest of every source that the compiled code may come from; '' if files do not tell."""
    if any(function.__closure__ for function in functions):
        return ""
    nar = pathlib.Path(__file__).parents[1]
    try:
        sources = {pathlib.Path(inspect.getfile(function)) for function in functions}
        for room in ("problems", "algorithms", "traces"):
            sources |= set((nar / room).glob("*.py"))
        text = [function.__qualname__.encode() for function in functions]
        text += [source.read_bytes() for source in sorted(sources)]
    except (OSError, TypeError):
        return ""
    return hashlib.blake2b(b"".join(text), digest_size=8).hexdigest()
