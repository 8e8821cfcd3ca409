"""Traces per second, ours against dm-clrs 2.0.3 in one run, as ratios."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from absl import logging

from experiments.benchmarks.lib.interleaved_timing import Rates, compare, summary, take_turns
from nar.algorithms import ALGORITHMS
from nar.traces import sample_traces

BATCH, BATCH_OF_LARGE, LARGE = 32, 8, 32
"""Traces of a batch, and of one of problems that are larger than LARGE."""


def traces(names: Sequence[str], sizes: Sequence[int], repeats: int, seconds: float) -> None:
    """Prints traces per second against dm-clrs, and the time to a first batch.

    Args:
      names: of algorithms.
      sizes: of problems.
      repeats: how often the two take turns.
      seconds: least time of one turn of ours.
    """
    from experiments.benchmarks.lib.import_dm_clrs import import_clrs

    clrs = import_clrs()
    logging.set_verbosity(logging.ERROR)
    cases = [(name, size) for name in names for size in sizes]
    ratios = compare("traces", cases, lambda name, size: _rates(clrs, name, size, repeats, seconds))
    _start_up(names[0])
    _stream(names[0])
    print(summary(ratios))


def _rates(clrs: object, name: str, size: int, repeats: int, seconds: float) -> Rates:
    """Traces per second of ours and of dm-clrs, a pair for each turn."""
    sampler, _ = clrs.build_sampler(name, -1, length=size, seed=0, track_max_steps=False)  # type: ignore
    count = BATCH if size <= LARGE else BATCH_OF_LARGE
    sample_traces(name, size, count, 0)
    sampler.next(1)
    first = 0

    def our_batch() -> int:
        nonlocal first
        first += count
        sample_traces(name, size, count, 0, first=first)
        return count

    def their_batch() -> int:
        sampler.next(count)
        return count

    return take_turns(our_batch, their_batch, repeats, seconds)


def _start_up(name: str) -> None:
    """Prints the seconds from a fresh process to its first batch."""
    code = f"import nar; nar.sample_traces({name!r}, 16, {BATCH}, 0)"
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        for label in ("cold", "warm"):
            start = time.perf_counter()
            root = pathlib.Path(__file__).parents[2]
            subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=root)
            print(f"process to first batch of {name}, {label}: {time.perf_counter() - start:.2f} s")


def _stream(name: str, num_batches: int = 300) -> None:
    """Prints the batches per second of the training stream, with and without its prefetching thread."""
    from nar.data import Task, TrainingStream, prefetch

    stream = TrainingStream([Task(ALGORITHMS[name], (16,))], BATCH, seed=0)
    stream.batch(0)
    start = time.perf_counter()
    for step in range(num_batches):
        stream.batch(step)
    alone = num_batches / (time.perf_counter() - start)
    start = time.perf_counter()
    for _ in prefetch(stream, 0, num_batches):
        pass
    ahead = num_batches / (time.perf_counter() - start)
    print(f"training stream of {name}, n = 16: {alone:.0f} batches/s, prefetched: {ahead:.0f} batches/s")
