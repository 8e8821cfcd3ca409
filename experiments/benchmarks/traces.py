"""Traces per second of nar and of dm-clrs 2.0.3, measured in one process, and their ratios.

    python -m experiments.benchmark traces
    python -m experiments.benchmark traces --algorithms=bfs,minimum --sizes=16 --repeats=5

Measures traces per second in a single thread against dm-clrs, including problem sampling and batching, with
equal batch sizes (32; 8 for large problems, of which dm-clrs may make one per second); then the time from the
start of a process to its first batch, with an empty and a filled numba cache; then batches per second of the
training stream with and without prefetching.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from absl import flags, logging

from experiments.benchmarks.lib.benchmark_flags import define_algorithms, define_count, define_sizes
from experiments.benchmarks.lib.interleaved_timing import Rates, compare, interleaved_rates, summary
from nar.algorithms import ALGORITHMS
from nar.traces import sample_traces

FLAGS = flags.FlagValues()
_ALGORITHMS = define_algorithms(FLAGS)
_SIZES = define_sizes(FLAGS, 16, 64)
_REPEATS = define_count(FLAGS, "repeats", 3, "Number of interleaved measurements.")
_SECONDS = flags.DEFINE_float(
    "seconds", 0.2, "Minimum time of one measurement.", lower_bound=0.01, flag_values=FLAGS
)

BATCH, BATCH_OF_LARGE, LARGE = 32, 8, 32
"""Batch size, batch size of large problems, and the problem size above which they are large."""


def main() -> None:
    """Benchmarks traces per second against dm-clrs, and the time to the first batch."""
    traces(_ALGORITHMS.value, _SIZES.value, _REPEATS.value, _SECONDS.value)


def traces(names: Sequence[str], sizes: Sequence[int], repeats: int, seconds: float) -> None:
    """Prints traces per second of nar and dm-clrs, and the time to the first batch of nar.

    Args:
      names: names of algorithms.
      sizes: problem sizes.
      repeats: number of interleaved measurements.
      seconds: minimum time of one measurement.
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
    """Traces per second of nar and of dm-clrs, one per repeat."""
    sampler, _ = clrs.build_sampler(name, -1, length=size, seed=0, track_max_steps=False)  # type: ignore
    count = BATCH if size <= LARGE else BATCH_OF_LARGE
    sample_traces(name, size, count, 0)
    sampler.next(1)
    first = 0

    def nar_batch() -> int:
        nonlocal first
        first += count
        sample_traces(name, size, count, 0, first=first)
        return count

    def dm_clrs_batch() -> int:
        sampler.next(count)
        return count

    return interleaved_rates(nar_batch, dm_clrs_batch, repeats, seconds)


def _start_up(name: str) -> None:
    """Prints the time from process start to the first batch."""
    code = f"import nar; nar.sample_traces({name!r}, 16, {BATCH}, 0)"
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        for label in ("cold", "warm"):
            start = time.perf_counter()
            root = pathlib.Path(__file__).parents[2]
            subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=root)
            print(f"process to first batch of {name}, {label}: {time.perf_counter() - start:.2f} s")


def _stream(name: str, num_batches: int = 300) -> None:
    """Prints batches per second of the training stream, with and without prefetching."""
    from nar.data import Task, TrainingStream, prefetch

    stream = TrainingStream([Task(ALGORITHMS[name], (16,))], BATCH, seed=0)
    stream.batch(0)
    start = time.perf_counter()
    for step in range(num_batches):
        stream.batch(step)
    direct = num_batches / (time.perf_counter() - start)
    start = time.perf_counter()
    for _ in prefetch(stream, 0, num_batches):
        pass
    prefetched = num_batches / (time.perf_counter() - start)
    print(
        f"training stream of {name}, n = 16: {direct:.0f} batches/s, prefetched: {prefetched:.0f} batches/s"
    )
