"""The loops around an algorithm, compiled by numba together with it, or in plain Python.

numba caches compiled code on disk, but does not notice changes in other files than the one that it compiles.
So each compiled function carries in its name a digest of all sources that it is made from.

The names `probes`, `sample`, `steps`, `run` and `record` are globals that are set when a loop is made.
"""

# ruff: noqa: F821
# pyright: reportUndefinedVariable=false

import dataclasses
import functools
import hashlib
import inspect
import pathlib
import types
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core.errors import NumbaError

from nar.algorithms import Algorithm
from nar.problems.rng.canonical_stream import stream_at
from nar.problems.truncation import truncated
from nar.traces.recorder.inlining import inlined
from nar.traces.recorder.write_values import clear, write
from nar.traces.trace import TraceBatch


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


def _record_samples(source, first, done, size, options, decimals, inputs, hints, outputs, results, lengths):
    """Writes the traces of samples; returns how many are complete, those before `done` included."""
    for place in range(done, len(lengths)):
        stream = stream_at(source, first + np.uint64(place))
        arguments = truncated(sample(stream, size, *options), decimals)
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
class Loops:
    """Both loops around an algorithm."""

    record: Callable[..., bool]
    record_samples: Callable[..., int]


def plain(algorithm: Algorithm) -> Loops:
    """In plain Python."""
    run = types.FunctionType(_run.__code__, {**globals(), "steps": algorithm.steps})
    scope = {**globals(), "probes": algorithm.problem.probes, "sample": algorithm.problem.sample, "run": run}
    return _loops(scope, "", lambda function: function)


def with_compiled(algorithm: Algorithm, call: Callable[[Loops], TraceBatch]) -> TraceBatch:
    """What a call makes of the loops around the inlined generator, or if need be around the generator itself.

    Where both cannot be compiled, the second error is the one that points to the user's own lines.
    """
    disabled = _is_disabled()
    if algorithm not in _NOT_INLINED:
        try:
            return call(_compiled(algorithm, True, disabled))
        except NumbaError:
            _NOT_INLINED.add(algorithm)
    return call(_compiled(algorithm, False, disabled))


_NOT_INLINED: set[Algorithm] = set()


@functools.cache
def _compiled(algorithm: Algorithm, inline: bool, disabled: bool) -> Loops:
    """Compiled at their first call and cached on disk; plain Python if numba is `disabled`."""
    del disabled  # numba sees for itself; the loops of one mode are not those of the other
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


def compiled_with(function: Callable[..., Any], *others: Callable[..., Any]) -> Callable[..., Any]:
    """A function compiled, and cached on disk under a digest of its file and those of the others it calls."""
    name = f"{function.__name__}_{_digest(function, *others)}"
    compiled = numba.njit(cache=True, nogil=True)(_renamed(function, name, function.__globals__))
    return lambda *arguments: (function if _is_disabled() else compiled)(*arguments)


def _is_disabled() -> bool:
    """Whether functions are to run as plain Python (`NUMBA_DISABLE_JIT`)."""
    return bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]


def _loops(scope: dict[str, Any], suffix: str, compile: Callable[..., Any]) -> Loops:
    record = compile(_renamed(_record, "record" + suffix, scope))
    return Loops(
        record, compile(_renamed(_record_samples, "record_samples" + suffix, {**scope, "record": record}))
    )


def _renamed(function: types.FunctionType, name: str, scope: dict[str, Any]) -> types.FunctionType:
    """The function under another name, with other globals."""
    return types.FunctionType(function.__code__.replace(co_name=name, co_qualname=name), scope, name)


def _digest(*functions: Callable[..., Any]) -> str:
    """Digest of every source that the compiled code may come from; '' if files do not tell."""
    if any(function.__closure__ for function in functions):
        return ""
    nar = pathlib.Path(__file__).parents[2]
    try:
        sources = {pathlib.Path(inspect.getfile(function)) for function in functions}
        for room in ("problems", "algorithms", "traces"):
            sources |= set((nar / room).rglob("*.py"))
        text = [function.__qualname__.encode() for function in functions]
        text += [source.read_bytes() for source in sorted(sources)]
    except (OSError, TypeError):
        return ""
    return hashlib.blake2b(b"".join(text), digest_size=8).hexdigest()
