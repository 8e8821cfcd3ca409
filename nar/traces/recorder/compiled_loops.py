"""Recording loops around an algorithm: compiled by numba together with it, or in plain Python.

numba caches compiled code on disk, but only notices changes of the file that defines the compiled function.
Therefore the name of each compiled function contains a digest of everything that it depends on; see
`code_digest`.

`probes`, `sample`, `steps`, `run` and `record` are globals that are bound when a loop is created.
"""

# ruff: noqa: F821
# pyright: reportUndefinedVariable=false

import dataclasses
import functools
import types
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core.errors import NumbaError

from nar.algorithms import Algorithm
from nar.caching import compile_on_disk
from nar.problems.rng.canonical_stream import stream_at
from nar.problems.truncation import truncate_arguments
from nar.traces.recorder.code_digest import code_digest
from nar.traces.recorder.inlining import inline_yields
from nar.traces.recorder.write_values import clear, write
from nar.traces.trace import TraceBatch


def _record(arguments, row, inputs, hints, outputs, output_buffers, lengths):
    """Records the trace of one instance; returns False if its steps do not fit into the hint arrays."""
    write(inputs, (row,), probes(*arguments), 0)
    clear(output_buffers)
    length = run(arguments, output_buffers, hints, row, len(inputs))
    if length < 0:
        return False
    write(outputs, (row,), output_buffers, len(inputs) + len(hints))
    lengths[row] = length
    return True


def _record_samples(
    source, first, done, size, options, decimals, inputs, hints, outputs, output_buffers, lengths
):
    """Records sampled instances from `done` on; returns how many traces of the batch are complete."""
    for row in range(done, len(lengths)):
        stream = stream_at(source, first + np.uint64(row))
        arguments = truncate_arguments(sample(stream, size, *options), decimals)
        if not record(arguments, row, inputs, hints, outputs, output_buffers, lengths):
            return row
    return len(lengths)


def _run(arguments, output_buffers, hints, row, first):
    """Writes the hints of one instance; returns the number of steps, or -1 if they do not fit."""
    length = 0
    for step in steps(*arguments, *output_buffers):
        if length == len(hints[0]):
            return -1
        write(hints, (length, row), step, first)
        length += 1
    return length


def _run_inlined(arguments, output_buffers, hints, row, first):
    """Variant of `_run` for `steps` transformed by `inline_yields`."""
    return steps(*arguments, *output_buffers, hints, row, first)


@dataclasses.dataclass(frozen=True)
class Loops:
    """The two recording loops of an algorithm.

    Attributes:
      record: see `_record`.
      record_samples: see `_record_samples`.
    """

    record: Callable[..., bool]
    record_samples: Callable[..., int]


def plain_loops(algorithm: Algorithm) -> Loops:
    """The recording loops in plain Python."""
    run = types.FunctionType(_run.__code__, {**globals(), "steps": algorithm.steps})
    scope = {**globals(), "probes": algorithm.problem.probes, "sample": algorithm.problem.sample, "run": run}
    return _loops(scope, "", lambda function: function)


def with_compiled_loops(algorithm: Algorithm, call: Callable[[Loops], TraceBatch]) -> TraceBatch:
    """Applies `call` to the compiled loops: with inlined yields, or around the generator if that fails.

    Where neither can be compiled, the error is that of the second, which points to the user's own lines.

    Raises:
      ValueError: if neither can be compiled.
    """
    disabled = _is_disabled()
    if algorithm not in _NOT_INLINED:
        try:
            return call(_compiled(algorithm, True, disabled))
        except NumbaError:
            _NOT_INLINED.add(algorithm)
    try:
        return call(_compiled(algorithm, False, disabled))
    except NumbaError as error:
        raise ValueError(
            f"{algorithm.name}: numba cannot compile the sampler, the probes or the steps, which must be in "
            "its subset of Python; functions that they call need @numba.extending.register_jitable. "
            f"NUMBA_DISABLE_JIT=1 runs them as plain Python. numba's message:\n{_last_lines(error)}"
        ) from error


_NOT_INLINED: set[Algorithm] = set()


def _last_lines(error: NumbaError) -> str:
    """The cause and the source line of an error, without the stages of numba that it went through."""
    stages = ("Failed in nopython", "During:")
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith(stages)]
    return "\n".join(lines[:8])


@functools.cache
def _compiled(algorithm: Algorithm, inline: bool, disabled: bool) -> Loops:
    """Loops that are compiled at their first call and cached on disk; plain Python if numba is `disabled`."""
    del disabled  # only part of the cache key: numba reads the setting itself
    problem = algorithm.problem
    digest = code_digest(algorithm.steps, problem.sample, problem.probes)
    inner = numba.njit(nogil=True)
    steps = inline_yields(algorithm.steps, f"steps_{algorithm.name}", __file__) if inline else None
    run = _run.__code__ if steps is None else _run_inlined.__code__
    run = types.FunctionType(run, {**globals(), "steps": inner(steps or algorithm.steps)})
    scope = {
        **globals(),
        "probes": inner(problem.probes),
        "sample": inner(problem.sample),
        "run": inner(run),
    }
    suffix = f"_{algorithm.name}_{digest}{'' if steps else '_generator'}"
    return _loops(scope, suffix, compile_on_disk if digest else inner)


def cached_njit(function: Callable[..., Any], *callees: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function; cached on disk under a digest of it and of everything that it calls."""
    digest = code_digest(function, *callees)
    renamed = _renamed(function, f"{function.__name__}_{digest}", function.__globals__)
    compiled = compile_on_disk(renamed) if digest else numba.njit(nogil=True)(renamed)
    return lambda *arguments: (function if _is_disabled() else compiled)(*arguments)


def _is_disabled() -> bool:
    """True if `NUMBA_DISABLE_JIT` is set, so that all functions run as plain Python."""
    return bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]


def _loops(scope: dict[str, Any], suffix: str, compile: Callable[..., Any]) -> Loops:
    record = compile(_renamed(_record, "record" + suffix, scope))
    return Loops(
        record, compile(_renamed(_record_samples, "record_samples" + suffix, {**scope, "record": record}))
    )


def _renamed(function: types.FunctionType, name: str, scope: dict[str, Any]) -> types.FunctionType:
    """Copy of a function with another name and other globals."""
    return types.FunctionType(function.__code__.replace(co_name=name, co_qualname=name), scope, name)
