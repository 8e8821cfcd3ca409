"""Traces in plain Python while numba compiles, so that training need not wait for its first batch.

numba takes seconds for an algorithm that it has not compiled before. The same loops run as plain Python too,
hundreds of times slower but at once, and what they write is the same to the last bit where a problem is
`canonical`: plain Python and compiled code agree on whole numbers, on sums and products one by one, and on
square roots, but not on sines or on sums of arrays. So whoever draws begins in plain Python. Once that has
taken a second, a thread compiles; it would hold up the first steps, for which much else is compiled.

That is for algorithms of our own, whose traces are known to be the same, and for few nodes, since a batch of
many takes seconds in plain Python.
"""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator

import numpy as np

from nar.algorithms import BUILT_IN, Algorithm
from nar.traces.recorder.array_shapes import Form
from nar.traces.recorder.compiled_loops import Loops, plain
from nar.traces.trace import TraceBatch

_MOST_NODES = 32

_WORTH_COMPILING = 1.0
"""After how many seconds of drawing in plain Python."""

_SPENT: defaultdict[Hashable, float] = defaultdict(float)
"""What may be compiled -> seconds for which it has run in plain Python."""

_ENDS: dict[Hashable, threading.Event] = {}
"""What a thread compiles or has compiled -> whether it has come to an end."""

_LOOK_UP = threading.Lock()
_TURN = threading.Lock()
"""numba compiles one thing at a time."""


def same_in_python(algorithm: Algorithm, form: Form) -> bool:
    """Whether traces of this form, drawn in plain Python, are quick enough and the same to the last bit."""
    num_nodes = max(axis for shape, _ in form.inputs for axis in shape)
    return algorithm in BUILT_IN and algorithm.problem.canonical and num_nodes <= _MOST_NODES


def is_compiled(what: Hashable, compile: Callable[[], object]) -> bool:
    """Whether a thread is done with a compilation; it begins when one asks who has spent enough without.

    Args:
      what: is compiled.
      compile: does it. An error is left to whoever calls the same function next.
    """
    with _LOOK_UP:
        if what not in _ENDS:
            if _SPENT[what] < _WORTH_COMPILING:
                return False
            end = _ENDS[what] = threading.Event()
            # A daemon, so that a process may end without waiting for it.
            threading.Thread(target=_run, args=(compile, end), name="nar-numba", daemon=True).start()
        return _ENDS[what].is_set()


@contextlib.contextmanager
def spending(what: Hashable) -> Iterator[None]:
    """Counts the seconds in which it runs in plain Python."""
    begun = time.perf_counter()
    yield
    with _LOOK_UP:
        _SPENT[what] += time.perf_counter() - begun


def _run(compile: Callable[[], object], end: threading.Event) -> None:
    try:
        with _TURN, contextlib.suppress(Exception):
            compile()
    finally:
        end.set()


def with_plain(algorithm: Algorithm, call: Callable[[Loops], TraceBatch]) -> TraceBatch:
    """What a call makes of the loops around an algorithm in plain Python, as silent as compiled ones."""
    with np.errstate(all="ignore"):
        return call(plain(algorithm))
