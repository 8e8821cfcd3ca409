"""Running algorithms into traces.

Everything that is done once for all algorithms is done here: drawing problems, running the generator, and
writing what it yields straight into the arrays of a batch, all of it compiled together by numba, or as plain
Python.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numba
import numpy as np

from nar.algorithms import Algorithm
from nar.problems import Arguments
from nar.problems.rng.canonical_stream import CanonicalStream
from nar.specs import MASKED
from nar.traces.recorder.array_shapes import Form, Rows, copies, form_of, form_of_samples
from nar.traces.recorder.compiled_loops import Loops, plain, with_compiled
from nar.traces.recorder.while_compiling import is_compiled, same_in_python, spending, with_plain
from nar.traces.recorder.write_values import AnotherShape, Arrays, NotAClass
from nar.traces.trace import TraceBatch

WithLoops = Callable[[Algorithm, Callable[[Loops], TraceBatch]], TraceBatch]
"""(algorithm, call) -> what the call makes of the loops around the algorithm."""


def collect(
    algorithm: Algorithm,
    instances: Sequence[Arguments],
    *,
    compiled: bool = True,
    wait_for_compilation: bool = True,
) -> TraceBatch:
    """Runs the algorithm on instances of one size.

    Args:
      algorithm: what to run.
      instances: B tuples of arguments, as the algorithm's problem samples or checks them.
      compiled: whether numba compiles the algorithm; if not, it runs as plain Python.
      wait_for_compilation: if False, the traces may be recorded in plain Python while numba compiles; see
        `nar.traces.recorder.while_compiling`.

    Returns:
      The B traces, padded with zeros to the longest.

    Raises:
      ValueError: if the problem's inputs or what the generator yields do not fit the spec.
    """
    form = form_of(algorithm, instances[0])

    def make(with_loops: WithLoops, count: int) -> TraceBatch:
        batch = _Batch(algorithm, form, count)

        def run(loops: Loops, done: int) -> int:
            while done < count and loops.record(copies(instances[done]), done, *batch.arrays):
                done += 1
            return done

        return with_loops(algorithm, lambda loops: batch.filled_by(functools.partial(run, loops)))

    if not compiled:
        return make(lambda algorithm, call: call(plain(algorithm)), len(instances))
    if wait_for_compilation:
        return make(with_compiled, len(instances))
    return _make_meanwhile(make, len(instances), algorithm, form, instances[0])


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
    """Runs the algorithm on problems drawn from the streams `first` ... `first + count - 1` of a key.

    Args:
      algorithm: what to run.
      size: of the problems.
      options: of the problems, all of them, checked and in order (`Problem.resolve_options`).
      key: 64 bits.
      first: 64 bits.
      count: B.
      wait_for_compilation: if False, the traces may be recorded in plain Python while numba compiles; see
        `nar.traces.recorder.while_compiling`.

    Returns:
      The B traces, padded with zeros to the longest.

    Raises:
      ValueError: if problems cannot be drawn, or if what is drawn or yielded does not fit the spec.
    """

    def make(with_loops: WithLoops, count: int) -> TraceBatch:
        return _collect_drawn(with_loops, algorithm, size, options, np.uint64(key), first, count, None)

    if wait_for_compilation:
        return make(with_compiled, count)
    form = form_of_samples(algorithm, size, options)
    return _make_meanwhile(make, count, algorithm, form, tuple(options.values()))


def collect_canonical(
    algorithm: Algorithm,
    size: int,
    options: Mapping[str, Any],
    stream: CanonicalStream,
    first: int,
    count: int,
    decimals: int,
) -> TraceBatch:
    """Runs the algorithm on the next problems of a stream, which is left behind them.

    Args:
      algorithm: what to run, on problems that are `canonical`.
      size: of the problems.
      options: as for `collect_samples`.
      stream: which stands at the first of these problems.
      first: its number, another one in each call.
      count: B.
      decimals: to which numbers are cut; 0 for all.

    Returns:
      The B traces, padded with zeros to the longest.

    Raises:
      ValueError: if problems cannot be drawn, or if what is drawn or yielded does not fit the spec.
    """
    return _collect_drawn(with_compiled, algorithm, size, options, stream, first, count, decimals)


def _make_meanwhile(
    make: Callable[[WithLoops, int], TraceBatch],
    count: int,
    algorithm: Algorithm,
    form: Form,
    arguments: tuple[Any, ...],
) -> TraceBatch:
    """So many traces, in plain Python while numba has not compiled what such arguments need."""
    if same_in_python(algorithm, form):
        what = make.__qualname__, algorithm, numba.typeof(arguments)
        if not is_compiled(what, lambda: make(with_compiled, 1)):
            with spending(what):
                return make(with_plain, count)
    return make(with_compiled, count)


def _collect_drawn(
    with_loops: WithLoops,
    algorithm: Algorithm,
    size: int,
    options: Mapping[str, Any],
    source: np.uint64 | CanonicalStream,
    first: int,
    count: int,
    decimals: int | None,
) -> TraceBatch:
    batch = _Batch(algorithm, form_of_samples(algorithm, size, options), count)
    values = tuple(options.values())

    def run(loops: Loops, done: int) -> int:
        return loops.record_samples(source, np.uint64(first), done, size, values, decimals, *batch.arrays)

    return with_loops(algorithm, lambda loops: batch.filled_by(functools.partial(run, loops)))


def can_compile_samples(algorithm: Algorithm, options: Mapping[str, Any]) -> bool:
    """Whether numba can compile the sampler with these options."""
    return algorithm.problem.compiled and not any(isinstance(value, str) for value in options.values())


class _Batch:
    """The arrays of a batch while they are filled."""

    def __init__(self, algorithm: Algorithm, form: Form, batch_size: int) -> None:
        def zeros(rows: Rows, *leading: int) -> Arrays:
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
