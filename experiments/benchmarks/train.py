"""Time of training steps of nar and dm-clrs 2.0.3, measured in one process, and their ratios.

    python -m experiments.benchmark train
    python -m experiments.benchmark train --algorithms=bfs --processors=mpnn --repeats=21
    python -m experiments.benchmark train --num_seeds=1,5,10 --precision=bfloat16 --profile=profiles

Measures training steps of the default recipe against dm-clrs, with the same parameters and the same batch in
float32: the median ratio and its range; the time of the first call, which compiles; and the time over the
ideal, which is the time of the multiply-adds of nar's matrix products at the measured rate of one such
product. The losses of both are checked to be equal where they are not random. dm-clrs does not pay for its
padding: both receive traces padded to the longest of the batch. With --precision and --num_seeds nar computes
in bfloat16, or trains several seeds at once, and the ratio is per seed; dm-clrs is unchanged. --profile
writes profiles of jax's profiler.
"""

import itertools
import pathlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from absl import flags

from experiments.benchmarks.lib import multiply_adds
from experiments.benchmarks.lib.benchmark_flags import (
    define_algorithms,
    define_count,
    define_numbers,
    define_processors,
    define_sizes,
)
from experiments.benchmarks.lib.interleaved_timing import summary
from experiments.benchmarks.lib.matched_networks import (
    LOSS_TOLERANCE,
    Case,
    Variant,
    make_matched_networks,
    matched_cases,
)
from experiments.cli.paths import define_path
from nar.reports import Table

ALGORITHMS = (
    "bfs",
    "bellman_ford",
    "insertion_sort",
    "dijkstra",
    "lcs_length",
    "floyd_warshall",
    "heapsort",
)
FLAGS = flags.FlagValues()
_ALGORITHMS = define_algorithms(FLAGS, ALGORITHMS)
_SIZES = define_sizes(FLAGS, 16)
_PROCESSORS = define_processors(FLAGS)
_BATCH_SIZE = define_count(FLAGS, "batch_size", 32, "Batch size.")
_HIDDEN_SIZE = define_count(FLAGS, "hidden_size", 128, "Hidden size.")
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ["float32", "bfloat16"], "Precision of the network of nar.", flag_values=FLAGS
)
_NUM_SEEDS = define_numbers(FLAGS, "num_seeds", [1], "Numbers of seeds trained together.")
_REPEATS = define_count(FLAGS, "repeats", 11, "Number of interleaved pairs of steps.")
_PROFILE = define_path("profile", None, "Directory of jax profiles of three steps a case.", flag_values=FLAGS)

NAR, DM_CLRS = "nar", "dm-clrs"


def main() -> None:
    """Benchmarks training steps against dm-clrs."""
    sizes = _BATCH_SIZE.value, _HIDDEN_SIZE.value
    cases = matched_cases(_ALGORITHMS.value, _PROCESSORS.value, _SIZES.value, *sizes)
    variants = [Variant(_PRECISION.value, number) for number in _NUM_SEEDS.value]
    profile = None if _PROFILE.value is None else pathlib.Path(_PROFILE.value)
    train(cases, variants, _REPEATS.value, profile)


class TimedCall(NamedTuple):
    """Duration and result of one call."""

    seconds: float
    result: Any


class InterleavedTimes(NamedTuple):
    """Durations of interleaved calls of nar and dm-clrs.

    Attributes:
      nar: seconds of each call of nar.
      dm_clrs: seconds of each call of dm-clrs.
      first: the first calls, which compile.
      work_factor: calls of dm-clrs that do the work of one call of nar.
    """

    nar: list[float]
    dm_clrs: list[float]
    first: tuple[TimedCall, TimedCall]
    work_factor: int = 1

    @property
    def ratios(self) -> list[float]:
        """Speed-up of nar in each pair of calls."""
        pairs = zip(self.nar, self.dm_clrs, strict=True)
        return [self.work_factor * dm_clrs / nar for nar, dm_clrs in pairs]


def train(
    cases: Sequence[Case], variants: Sequence[Variant], repeats: int, profile: pathlib.Path | None = None
) -> None:
    """Prints a table of training steps, row by row as measured, and a summary of the ratios.

    Args:
      cases: networks and batches.
      variants: variants of nar. With several seeds, the ratio is per seed.
      repeats: number of interleaved pairs of steps.
      profile: directory for jax profiles of three steps of nar for each case, or None.
    """
    print(f"on {jax.devices()[0].device_kind}\n{header('training step')}", flush=True)
    ratios = {}
    for case, variant in itertools.product(cases, variants):
        nar, dm_clrs = make_matched_networks(case, variant)
        step = nar.step()
        times = time_interleaved(step, dm_clrs.step(), repeats, variant.num_seeds)
        if not nar.has_random_loss:
            check_same(case, times, LOSS_TOLERANCE[variant.precision])
        if profile is not None:
            folder = profile / f"{case}{variant}".replace(", ", "-").replace(" ", "")
            with jax.profiler.trace(folder, create_perfetto_trace=True):
                for _ in range(3):
                    step()
        rate = multiply_adds.rate(case.batch_size * case.size**2, case.hidden_size, variant.precision)
        ideal = nar.multiply_adds() / rate
        name = f"{case}{variant}"
        ratios[name] = statistics.median(times.ratios)
        print(row(name, times, ideal), flush=True)
    print(f"\n{summary(ratios)}")
    if profile is not None:
        print(f"profiles: {profile} (open in https://ui.perfetto.dev, or TensorBoard with xprof)")


def time_interleaved(
    nar: Callable[[], object], dm_clrs: Callable[[], object], repeats: int, work_factor: int = 1
) -> InterleavedTimes:
    """Times two functions in alternation, after a first call of each."""
    first = _call(nar), _call(dm_clrs)
    calls = [(_call(nar).seconds, _call(dm_clrs).seconds) for _ in range(repeats)]
    return InterleavedTimes([nar for nar, _ in calls], [dm_clrs for _, dm_clrs in calls], first, work_factor)


def _call(function: Callable[[], object]) -> TimedCall:
    start = time.perf_counter()
    result = function()
    return TimedCall(time.perf_counter() - start, result)


def check_same(case: Case, times: InterleavedTimes, tolerance: float) -> None:
    """Raises ValueError unless both networks had the same loss in the first step."""
    nar, dm_clrs = (call.result for call in times.first)
    if abs(nar - dm_clrs) > tolerance * abs(dm_clrs):
        raise ValueError(f"{case}: the networks differ: their losses are {nar} and {dm_clrs}")


def header(what: str, *further: str) -> str:
    """Formats the header of the table, with the name of what is measured."""
    columns = [f"{what:44}", NAR, DM_CLRS, "ratio", "range", "first calls", "over ideal", *further]
    return Table(columns, []).as_text()


def row(name: str, times: InterleavedTimes, ideal: float, *further: str) -> str:
    """Formats a row of the table; `ideal` is the time in seconds of the matrix products of nar alone."""
    nar, dm_clrs = (statistics.median(seconds) for seconds in (times.nar, times.dm_clrs))
    cells = [
        f"{name:44}",
        *(f"{seconds * 1e3:.0f} ms" for seconds in (nar, dm_clrs)),
        f"{statistics.median(times.ratios):.2f}×",
        f"{min(times.ratios):.2f} to {max(times.ratios):.2f}",
        " and ".join(f"{call.seconds:.0f} s" for call in times.first),
        f"{nar / ideal:.1f}×",
        *further,
    ]
    return "  ".join(cells)
