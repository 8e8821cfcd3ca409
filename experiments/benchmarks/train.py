"""Training steps and evaluations, ours against dm-clrs 2.0.3 in one run, as ratios."""

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
from experiments.benchmarks.lib.matched_networks import SAME_LOSS, Case, Variant, make_pair, their_options
from nar.reports import format_table

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
OURS, THEIRS = "nar", "dm-clrs"
MIB = 2**20


class ScheduledStep(NamedTuple):
    """What a call took, in seconds, and what it returned."""

    seconds: float
    result: Any


class Timed(NamedTuple):
    """Seconds of each turn; first calls, which compile; how many turns of theirs one of ours is worth."""

    ours: list[float]
    theirs: list[float]
    first: tuple[ScheduledStep, ScheduledStep]
    times: int = 1

    @property
    def ratios(self) -> list[float]:
        """Turn by turn, how many times faster ours is."""
        return [self.times * their / our for our, their in zip(self.ours, self.theirs, strict=True)]


def train(
    cases: Sequence[Case], variants: Sequence[Variant], repeats: int, profile: pathlib.Path | None = None
) -> None:
    """Prints a table of training steps, a row as soon as it is measured, and the summary of the ratios.

    Args:
      cases: what is trained.
      variants: how ours trains it. Of several seeds at once the ratio is that of the time for one.
      repeats: how often the two take turns, a step each.
      profile: a folder, for what jax's profiler says of three steps of ours of each case.
    """
    print(f"on {jax.devices()[0].device_kind}\n{_header('training step')}", flush=True)
    ratios = {}
    for case, how in itertools.product(cases, variants):
        ours, theirs = make_pair(case, how)
        step = ours.step()
        timed = take_turns(step, theirs.step(), repeats, how.num_seeds)
        if not ours.is_noisy:
            check_same(case, timed, SAME_LOSS[how.precision])
        if profile is not None:
            folder = profile / f"{case}{how}".replace(", ", "-").replace(" ", "")
            with jax.profiler.trace(folder, create_perfetto_trace=True):
                for _ in range(3):
                    step()
        rate = multiply_adds.rate(case.batch_size * case.size**2, case.hidden_size, how.precision)
        least = ours.multiply_adds() / rate
        name = f"{case}{how}"
        ratios[name] = statistics.median(timed.ratios)
        print(_row(name, timed, least), flush=True)
    print(f"\n{summary(ratios)}")
    if profile is not None:
        print(f"profiles: {profile} (for https://ui.perfetto.dev, or TensorBoard with xprof)")


def evaluate(cases: Sequence[Case], repeats: int) -> None:
    """The same for evaluations, with the largest resident set of a process of its own of each.

    Args:
      cases: what is evaluated.
      repeats: how often the two take turns, a batch each.
    """
    print(_header("evaluation", f"process, {OURS} and {THEIRS}"), flush=True)
    ratios, memory = {}, {}
    for case in cases:
        ours, theirs = make_pair(case)
        timed = take_turns(ours.evaluation(), theirs.evaluation(), repeats)
        our_bytes, their_bytes = (resident_bytes(case, side) for side in (OURS, THEIRS))
        ratios[str(case)] = statistics.median(timed.ratios)
        memory[str(case)] = their_bytes / our_bytes
        least = ours.multiply_adds_of_evaluation() / multiply_adds.rate(case.size**2, case.hidden_size)
        process = f"{our_bytes / MIB:,.0f} and {their_bytes / MIB:,.0f} MiB"
        print(_row(str(case), timed, least, process), flush=True)
    print(f"\nmemory, largest resident set of a process: {summary(memory)}\ntime: {summary(ratios)}")


def take_turns(
    ours: Callable[[], object], theirs: Callable[[], object], repeats: int, times: int = 1
) -> Timed:
    """Calls two functions alternately, after a first call of each; `times` as of `Timed`."""
    first = _take(ours), _take(theirs)
    turns = [(_take(ours).seconds, _take(theirs).seconds) for _ in range(repeats)]
    return Timed([our for our, _ in turns], [their for _, their in turns], first, times)


def _take(function: Callable[[], object]) -> ScheduledStep:
    start = time.perf_counter()
    result = function()
    return ScheduledStep(time.perf_counter() - start, result)


def check_same(case: Case, timed: Timed, tolerance: float) -> None:
    """Raises ValueError unless both networks had the same loss in their first step."""
    ours, theirs = (turn.result for turn in timed.first)
    if abs(ours - theirs) > tolerance * abs(theirs):
        raise ValueError(f"{case}: the networks are not the same, for their losses are {ours} and {theirs}")


def _header(what: str, *further: str) -> str:
    columns = [f"{what:44}", OURS, THEIRS, "ratio", "turns", "first calls", "over limit", *further]
    return format_table(columns, [])


def _row(name: str, timed: Timed, least: float, *further: str) -> str:
    """Of the table; `least` is how many seconds our matrix products would take alone."""
    ours, theirs = (statistics.median(seconds) for seconds in (timed.ours, timed.theirs))
    cells = [
        f"{name:44}",
        *(f"{seconds * 1e3:.0f} ms" for seconds in (ours, theirs)),
        f"{statistics.median(timed.ratios):.2f}×",
        f"{min(timed.ratios):.2f} to {max(timed.ratios):.2f}",
        " and ".join(f"{turn.seconds:.0f} s" for turn in timed.first),
        f"{ours / least:.1f}×",
        *further,
    ]
    return "  ".join(cells)


def resident_bytes(case: Case, side: str) -> int:
    """The largest resident set of a fresh process that evaluates a batch on one side."""
    fields = ", ".join(repr(value) for value in case)
    code = f"from experiments.benchmarks.lib.peak_memory import ours; ours({fields})"
    if side == THEIRS:
        named = ", ".join(f"{key}={value!r}" for key, value in their_options(case).items())
        code = f"from experiments.benchmarks.lib.peak_memory import theirs; theirs({fields}, {named})"
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=root)
    return int(done.stdout.split()[-1])
