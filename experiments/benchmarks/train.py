"""Time of training steps and evaluations of nar and dm-clrs 2.0.3, measured in one process, and ratios."""

import itertools
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from experiments.benchmarks.lib import multiply_adds
from experiments.benchmarks.lib.interleaved_timing import summary
from experiments.benchmarks.lib.matched_networks import (
    LOSS_TOLERANCE,
    Case,
    Variant,
    dm_clrs_options,
    make_matched_networks,
)
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
EVALUATED = ("bfs", "bellman_ford", "minimum")
NAR, DM_CLRS = "nar", "dm-clrs"
MIB = 2**20


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
    print(f"on {jax.devices()[0].device_kind}\n{_header('training step')}", flush=True)
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
        print(_row(name, times, ideal), flush=True)
    print(f"\n{summary(ratios)}")
    if profile is not None:
        print(f"profiles: {profile} (open in https://ui.perfetto.dev, or TensorBoard with xprof)")


def evaluate(cases: Sequence[Case], repeats: int) -> None:
    """Prints a table of evaluations, with the peak resident set size of a fresh process for each.

    Args:
      cases: networks and batches.
      repeats: number of interleaved pairs of batches.
    """
    print(_header("evaluation", f"process, {NAR} and {DM_CLRS}"), flush=True)
    ratios, memory = {}, {}
    for case in cases:
        nar, dm_clrs = make_matched_networks(case)
        times = time_interleaved(nar.evaluation(), dm_clrs.evaluation(), repeats)
        nar_bytes, dm_clrs_bytes = (resident_bytes(case, side) for side in (NAR, DM_CLRS))
        ratios[str(case)] = statistics.median(times.ratios)
        memory[str(case)] = dm_clrs_bytes / nar_bytes
        ideal = nar.multiply_adds_of_evaluation() / multiply_adds.rate(case.size**2, case.hidden_size)
        process = f"{nar_bytes / MIB:,.0f} and {dm_clrs_bytes / MIB:,.0f} MiB"
        print(_row(str(case), times, ideal, process), flush=True)
    print(f"\nmemory, peak resident set size of a process: {summary(memory)}\ntime: {summary(ratios)}")


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


def _header(what: str, *further: str) -> str:
    columns = [f"{what:44}", NAR, DM_CLRS, "ratio", "range", "first calls", "over ideal", *further]
    return Table(columns, []).as_text()


def _row(name: str, times: InterleavedTimes, ideal: float, *further: str) -> str:
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


def resident_bytes(case: Case, side: str) -> int:
    """Peak resident set size of a fresh process that evaluates a batch with one implementation."""
    fields = ", ".join(repr(value) for value in case)
    code = f"from experiments.benchmarks.lib.peak_memory import evaluate_nar; evaluate_nar({fields})"
    if side == DM_CLRS:
        named = ", ".join(f"{key}={value!r}" for key, value in dm_clrs_options(case).items())
        call = f"evaluate_dm_clrs({fields}, {named})"
        code = f"from experiments.benchmarks.lib.peak_memory import evaluate_dm_clrs; {call}"
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=root)
    return int(done.stdout.split()[-1])
