"""Benchmarks: ours against dm-clrs 2.0.3 in one run, as ratios.

    python -m experiments.benchmark traces
    python -m experiments.benchmark traces --algorithms=bfs,minimum --sizes=16 --repeats=5

`traces` measures traces per second in a single thread, problem sampling and batching included, the two taking
turns with batches of one size (32; 8 of large problems, of which dm-clrs may make one a second); then the
seconds from a fresh process to its first batch, without and with numba's cache on disk; then batches per
second of the training stream with its prefetching thread.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from absl import app, flags, logging
from tqdm import tqdm

from nar.algorithms import ALGORITHMS, find_algorithm
from nar.reports import format_table
from nar.traces import sample_traces

_ALGORITHMS = flags.DEFINE_list("algorithms", [], "Which algorithms; by default the thirty of CLRS-30.")
_SIZES = flags.DEFINE_list("sizes", ["16", "64"], "Problem sizes.")
_REPEATS = flags.DEFINE_integer("repeats", 3, "How often the two take turns.", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", 0.2, "Least time of one turn of ours.", lower_bound=0.01)

BATCH, BATCH_OF_LARGE, LARGE = 32, 8, 32
"""Traces of a batch, and of one of problems that are larger than LARGE."""

CLRS30 = [name for name, algorithm in ALGORITHMS.items() if algorithm.in_clrs30]


def traces() -> None:
    """Traces per second against dm-clrs, and the time to a first batch."""
    from experiments.peer import import_clrs

    clrs = import_clrs()
    logging.set_verbosity(logging.ERROR)
    names = [find_algorithm(name).name for name in _ALGORITHMS.value or CLRS30]
    cases = [(name, int(size)) for name in names for size in _SIZES.value]
    rows, ratios = [], {}
    for name, size in tqdm(cases, "measuring", leave=False):
        ours, theirs = _rates(clrs, name, size)
        turns = [our / their for our, their in zip(ours, theirs, strict=True)]
        ratios[name, size] = statistics.median(turns)
        rates = [f"{statistics.median(values):,.0f}" for values in (ours, theirs)]
        spread = f"{min(turns):.0f} to {max(turns):.0f}"
        rows.append([name, str(size), *rates, f"{ratios[name, size]:.0f}×", spread])
    print(format_table(["algorithm", "n", "nar, traces/s", "dm-clrs, traces/s", "ratio", "turns"], rows))
    print()
    _start_up(names[0])
    _stream(names[0])
    slowest = min(ratios, key=ratios.__getitem__)
    mean = statistics.geometric_mean(ratios.values())
    print(f"geometric mean: {mean:.0f}×, slowest: {ratios[slowest]:.0f}× ({slowest[0]}, {slowest[1]})")


def _rates(clrs: object, name: str, size: int) -> tuple[list[float], list[float]]:
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

    ours, theirs = [], []
    for _ in range(_REPEATS.value):
        ours.append(_rate(our_batch))
        theirs.append(_rate(their_batch))
    return ours, theirs


def _rate(batch: Callable[[], int]) -> float:
    """Traces per second over at least the asked-for time, and at least one batch."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < _SECONDS.value:
        count += batch()
    return count / (time.perf_counter() - start)


def _start_up(name: str) -> None:
    """Prints the seconds from a fresh process to its first batch."""
    code = f"import nar; nar.sample_traces({name!r}, 16, {BATCH}, 0)"
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        for label in ("cold", "warm"):
            start = time.perf_counter()
            root = pathlib.Path(__file__).parents[1]
            subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=root)
            print(f"process to first batch of {name}, {label}: {time.perf_counter() - start:.2f} s")


def _stream(name: str, num_batches: int = 300) -> None:
    """Prints the batches per second of the training stream, with and without its prefetching thread."""
    from nar.batches import Task, TrainingStream, prefetch

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


BENCHMARKS = {"traces": traces}


def main(words: list[str]) -> None:
    """Runs the benchmark that is named on the command line."""
    if len(words) != 2 or words[1] not in BENCHMARKS:
        sys.exit(f"error: name one benchmark: {', '.join(BENCHMARKS)}")
    try:
        BENCHMARKS[words[1]]()
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
