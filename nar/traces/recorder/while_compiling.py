"""Records traces in plain Python while numba compiles, so that training does not wait for its first batch.

numba takes seconds for an algorithm that it has not compiled before. The same loops also run as plain Python,
hundreds of times slower but immediately, and their results are bit-identical where a problem is `canonical`:
plain Python and compiled code agree on integers, on scalar sums and products, and on square roots, but not on
sines or on sums of arrays. So recording starts in plain Python. Once that has taken a second in total, a
thread starts to compile; earlier, it would compete with the compilation of the first training steps.

This applies to built-in algorithms only, whose traces are tested to be identical, and to small problems,
since a batch of large ones takes seconds in plain Python.
"""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator

import numpy as np

from nar.algorithms import BUILT_IN, Algorithm
from nar.traces.recorder.array_shapes import ArrayShapes
from nar.traces.recorder.compiled_loops import Loops, plain_loops
from nar.traces.trace import TraceBatch

_MAX_NODES = 32

_COMPILE_AFTER_SECONDS = 1.0
"""Seconds spent recording in plain Python after which compilation starts."""

_PLAIN_SECONDS: defaultdict[Hashable, float] = defaultdict(float)
"""Compilation key -> seconds spent in plain Python."""

_FINISHED: dict[Hashable, threading.Event] = {}
"""Compilation key -> event that is set once its compilation has finished; absent before it starts."""

_STATE_LOCK = threading.Lock()
_COMPILE_LOCK = threading.Lock()
"""numba compiles one thing at a time."""


def can_run_plain(algorithm: Algorithm, shapes: ArrayShapes) -> bool:
    """Returns True if recording such traces in plain Python is fast enough and bit-identical."""
    num_nodes = max(axis for shape, _ in shapes.inputs for axis in shape)
    return algorithm in BUILT_IN and algorithm.problem.canonical and num_nodes <= _MAX_NODES


def poll_compilation(key: Hashable, compile: Callable[[], object]) -> bool:
    """Returns True once a compilation has finished; starts it if enough time was spent in plain Python.

    Args:
      key: identifies the compilation.
      compile: compiles, in a thread. Its exceptions are dropped; the next compiled call raises them again.
    """
    with _STATE_LOCK:
        if key not in _FINISHED:
            if _PLAIN_SECONDS[key] < _COMPILE_AFTER_SECONDS:
                return False
            finished = _FINISHED[key] = threading.Event()
            # A daemon thread, so that the process can exit without waiting for it.
            threading.Thread(target=_run, args=(compile, finished), name="nar-numba", daemon=True).start()
        return _FINISHED[key].is_set()


@contextlib.contextmanager
def count_plain_seconds(key: Hashable) -> Iterator[None]:
    """Adds the duration of the block to the time spent in plain Python."""
    start = time.perf_counter()
    yield
    with _STATE_LOCK:
        _PLAIN_SECONDS[key] += time.perf_counter() - start


def _run(compile: Callable[[], object], finished: threading.Event) -> None:
    try:
        with _COMPILE_LOCK, contextlib.suppress(Exception):
            compile()
    finally:
        finished.set()


def with_plain_loops(algorithm: Algorithm, call: Callable[[Loops], TraceBatch]) -> TraceBatch:
    """Applies `call` to the loops in plain Python, without warnings of numpy (compiled code has none)."""
    with np.errstate(all="ignore"):
        return call(plain_loops(algorithm))
