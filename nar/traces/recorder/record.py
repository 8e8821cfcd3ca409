"""Recording: runs algorithms and collects their hints in trace batches.

Sampling problems, running the generator, and writing what it yields directly to the arrays of a batch are
implemented once for all algorithms. numba compiles all of it together, or it runs as plain Python.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numba
import numpy as np

from nar.algorithms import Algorithm
from nar.problems.problem import Arguments
from nar.problems.rng.canonical_stream import CanonicalStream
from nar.specs import MASKED
from nar.traces.recorder.array_shapes import (
    ArrayShapes,
    ArraySpecs,
    copies,
    infer_array_shapes,
    sample_array_shapes,
)
from nar.traces.recorder.compiled_loops import Loops, plain_loops, with_compiled_loops
from nar.traces.recorder.while_compiling import (
    can_run_plain,
    count_plain_seconds,
    poll_compilation,
    with_plain_loops,
)
from nar.traces.recorder.write_values import Arrays, InvalidClassError, ShapeMismatchError
from nar.traces.trace import TraceBatch

WithLoops = Callable[[Algorithm, Callable[[Loops], TraceBatch]], TraceBatch]
"""(algorithm, call) -> `call(loops)`, with compiled or plain recording loops of the algorithm."""


def collect(
    algorithm: Algorithm,
    instances: Sequence[Arguments],
    *,
    compiled: bool = True,
    wait_for_compilation: bool = True,
) -> TraceBatch:
    """Runs an algorithm on instances of one size.

    Args:
      algorithm: the algorithm to run.
      instances: B tuples of arguments, as returned by the problem's `sample` or `check`.
      compiled: if False, the algorithm runs as plain Python, without numba.
      wait_for_compilation: if False, the traces may be recorded in plain Python while numba compiles; see
        `nar.traces.recorder.while_compiling`.

    Returns:
      B traces, zero-padded to the longest.

    Raises:
      ValueError: if the problem's inputs or the yielded values do not match the spec.
    """
    shapes = infer_array_shapes(algorithm, instances[0])

    def make(with_loops: WithLoops, count: int) -> TraceBatch:
        batch = _BatchBuffers(algorithm, shapes, count)

        def run(loops: Loops, done: int) -> int:
            while done < count and loops.record(copies(instances[done]), done, *batch.arrays):
                done += 1
            return done

        return with_loops(algorithm, lambda loops: batch.fill(functools.partial(run, loops)))

    if not compiled:
        return make(lambda algorithm, call: call(plain_loops(algorithm)), len(instances))
    if wait_for_compilation:
        return make(with_compiled_loops, len(instances))
    return _record_without_waiting(make, len(instances), algorithm, shapes, instances[0])


def collect_samples(
    algorithm: Algorithm,
    size: int,
    options: Mapping[str, Any],
    key: int,
    first: int,
    count: int,
    *,
    wait_for_compilation: bool = True,
) -> TraceBatch:
    """Runs an algorithm on problems sampled from the random streams `first` ... `first + count - 1` of a key.

    Args:
      algorithm: the algorithm to run.
      size: problem size.
      options: all problem options, checked and in order (`Problem.resolve_options`).
      key: 64-bit key of the series.
      first: 64-bit index of the first problem.
      count: B, the number of problems.
      wait_for_compilation: if False, the traces may be recorded in plain Python while numba compiles; see
        `nar.traces.recorder.while_compiling`.

    Returns:
      B traces, zero-padded to the longest.

    Raises:
      ValueError: if problems cannot be sampled, or if inputs or yielded values do not match the spec.
    """

    def make(with_loops: WithLoops, count: int) -> TraceBatch:
        return _record_drawn(with_loops, algorithm, size, options, np.uint64(key), first, count, None)

    if wait_for_compilation:
        return make(with_compiled_loops, count)
    shapes = sample_array_shapes(algorithm, size, options)
    return _record_without_waiting(make, count, algorithm, shapes, tuple(options.values()))


def collect_canonical(
    algorithm: Algorithm,
    size: int,
    options: Mapping[str, Any],
    stream: CanonicalStream,
    first: int,
    count: int,
    decimals: int,
) -> TraceBatch:
    """Runs an algorithm on the next problems of one sequential random stream, which advances past them.

    Args:
      algorithm: the algorithm to run; its problem must be `canonical`.
      size: problem size.
      options: as for `collect_samples`.
      stream: random stream, positioned at the first of these problems.
      first: index of the first problem; differs between calls.
      count: B, the number of problems.
      decimals: decimals to which numbers are truncated; 0 keeps all.

    Returns:
      B traces, zero-padded to the longest.

    Raises:
      ValueError: if problems cannot be sampled, or if inputs or yielded values do not match the spec.
    """
    return _record_drawn(with_compiled_loops, algorithm, size, options, stream, first, count, decimals)


def _record_without_waiting(
    make: Callable[[WithLoops, int], TraceBatch],
    count: int,
    algorithm: Algorithm,
    shapes: ArrayShapes,
    arguments: tuple[Any, ...],
) -> TraceBatch:
    """Records `count` traces: in plain Python until these argument types are compiled in the background."""
    if can_run_plain(algorithm, shapes):
        key = make.__qualname__, algorithm, numba.typeof(arguments)
        if not poll_compilation(key, lambda: make(with_compiled_loops, 1)):
            with count_plain_seconds(key):
                return make(with_plain_loops, count)
    return make(with_compiled_loops, count)


def _record_drawn(
    with_loops: WithLoops,
    algorithm: Algorithm,
    size: int,
    options: Mapping[str, Any],
    source: np.uint64 | CanonicalStream,
    first: int,
    count: int,
    decimals: int | None,
) -> TraceBatch:
    batch = _BatchBuffers(algorithm, sample_array_shapes(algorithm, size, options), count)
    values = tuple(options.values())

    def run(loops: Loops, done: int) -> int:
        return loops.record_samples(source, np.uint64(first), done, size, values, decimals, *batch.arrays)

    return with_loops(algorithm, lambda loops: batch.fill(functools.partial(run, loops)))


def can_compile_samples(algorithm: Algorithm, options: Mapping[str, Any]) -> bool:
    """Returns True if numba can compile the problem's sampler with these options."""
    return algorithm.problem.compiled and not any(isinstance(value, str) for value in options.values())


class _BatchBuffers:
    """Arrays of a trace batch that is being recorded."""

    def __init__(self, algorithm: Algorithm, shapes: ArrayShapes, batch_size: int) -> None:
        def zeros(specs: ArraySpecs, *leading: int) -> Arrays:
            return tuple([np.zeros(leading + shape, dtype) for shape, dtype in specs])

        self._algorithm = algorithm
        self._shapes = shapes
        self._inputs = zeros(shapes.inputs, batch_size)
        self._hints = zeros(shapes.hints, shapes.num_steps, batch_size)
        self._outputs = zeros(shapes.outputs, batch_size)
        self._output_buffers = zeros(shapes.output_buffers)
        self._lengths = np.zeros(batch_size, np.int32)

    @property
    def arrays(self) -> tuple[Arrays, Arrays, Arrays, Arrays, np.ndarray]:
        """Inputs, hints, outputs, output buffers of the generator, and lengths."""
        return self._inputs, self._hints, self._outputs, self._output_buffers, self._lengths

    def fill(self, run: Callable[[int], int]) -> TraceBatch:
        """Records all traces, allocating more steps as needed, and returns the batch.

        Args:
          run: `(done) -> done`: continues after `done` complete traces until all are recorded or the steps of
            one do not fit, and returns how many are complete then.
        """
        try:
            done = run(0)
            while done < len(self._lengths):
                self._grow()
                done = run(done)
        except InvalidClassError as error:
            number, value, num_classes = error.args
            raise ValueError(
                f"{self._name(number)} must be from {MASKED} to {num_classes - 1}, got {value}"
            ) from None
        except ShapeMismatchError as error:
            raise ValueError(f"{self._name(error.args[0])} must keep its shape") from None
        spec = self._algorithm.spec
        num_steps = int(self._lengths.max())
        self._shapes.num_steps = max(self._shapes.num_steps, num_steps)
        inputs = dict(zip(self._shapes.input_names, self._inputs, strict=True))
        return TraceBatch(
            inputs={probe.name: inputs[probe.name] for probe in spec.inputs},
            hints={p.name: array[:num_steps] for p, array in zip(spec.per_step, self._hints, strict=True)},
            outputs={p.name: array for p, array in zip(spec.outputs, self._outputs, strict=True)},
            lengths=self._lengths,
        )

    def _name(self, number: int) -> str:
        """Name of the probe with this number, for error messages."""
        spec = self._algorithm.spec
        names = [*self._shapes.input_names, *(probe.name for probe in (*spec.per_step, *spec.outputs))]
        return f"{self._algorithm.name}: {names[number]}"

    def _grow(self) -> None:
        """Allocates 50 % more steps for the hints."""
        num_steps = len(self._hints[0]) * 3 // 2
        longer = []
        for array in self._hints:
            longer.append(np.zeros((num_steps, *array.shape[1:]), array.dtype))
            longer[-1][: len(array)] = array
        self._hints = tuple(longer)
