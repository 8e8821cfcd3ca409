"""Training steps and evaluations, ours against dm-clrs 2.0.3 in one run, as ratios."""

import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from experiments import multiply_adds
from experiments.pair import SAME_LOSS, Case, make_pair, their_options
from experiments.side_by_side import summary
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


class Turn(NamedTuple):
    """What a call took, in seconds, and what it returned."""

    seconds: float
    result: Any


class Timed(NamedTuple):
    """Seconds of each turn; and the first calls of both, which compile."""

    ours: list[float]
    theirs: list[float]
    first: tuple[Turn, Turn]

    @property
    def ratios(self) -> list[float]:
        """Turn by turn, how many times faster ours is."""
        return [their / our for our, their in zip(self.ours, self.theirs, strict=True)]


def train(cases: Sequence[Case], repeats: int) -> None:
    """Prints a table of training steps, a row as soon as it is measured, and the summary of the ratios.

    Args:
      cases: what is trained.
      repeats: how often the two take turns, a step each.
    """
    print(_header("training step"), flush=True)
    ratios = {}
    for case in cases:
        ours, theirs = make_pair(case)
        timed = take_turns(ours.step(), theirs.step(), repeats)
        if not ours.is_noisy:
            check_same(case, timed)
        rate = multiply_adds.rate(case.batch_size * case.size**2, case.hidden_size)
        least = ours.multiply_adds() / rate
        ratios[str(case)] = statistics.median(timed.ratios)
        print(_row(case, timed, f"{statistics.median(timed.ours) / least:.1f}×"), flush=True)
    print(f"\n{summary(ratios)}")


def evaluate(cases: Sequence[Case], repeats: int) -> None:
    """The same for evaluation, with the largest resident set of a process of its own of each.

    Args:
      cases: what is evaluated.
      repeats: how often the two take turns, a batch each.
    """
    print(_header("evaluation"), flush=True)
    ratios, memory = {}, {}
    for case in cases:
        ours, theirs = make_pair(case)
        timed = take_turns(ours.evaluation(), theirs.evaluation(), repeats)
        our_bytes, their_bytes = (resident_bytes(case, side) for side in (OURS, THEIRS))
        ratios[str(case)] = statistics.median(timed.ratios)
        memory[str(case)] = their_bytes / our_bytes
        print(_row(case, timed, f"{our_bytes / MIB:,.0f} and {their_bytes / MIB:,.0f} MiB"), flush=True)
    print(f"\nmemory, largest resident set of a process: {summary(memory)}\ntime: {summary(ratios)}")


def take_turns(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> Timed:
    """Calls two functions alternately, after a first call of each."""
    first = _take(ours), _take(theirs)
    turns = [(_take(ours).seconds, _take(theirs).seconds) for _ in range(repeats)]
    return Timed([our for our, _ in turns], [their for _, their in turns], first)


def _take(function: Callable[[], object]) -> Turn:
    start = time.perf_counter()
    result = function()
    return Turn(time.perf_counter() - start, result)


def check_same(case: Case, timed: Timed) -> None:
    """Raises ValueError unless both networks had the same loss in their first step."""
    ours, theirs = (turn.result for turn in timed.first)
    if abs(ours - theirs) > SAME_LOSS * abs(theirs):
        raise ValueError(f"{case}: the networks are not the same, for their losses are {ours} and {theirs}")


def _header(what: str) -> str:
    last = "over limit" if what.startswith("training") else f"process, {OURS} and {THEIRS}"
    return format_table([f"{what:44}", OURS, THEIRS, "ratio", "turns", "first calls", last], [])


def _row(case: Case, timed: Timed, last: str) -> str:
    ours, theirs = (f"{statistics.median(seconds) * 1e3:.0f} ms" for seconds in (timed.ours, timed.theirs))
    turns = f"{min(timed.ratios):.2f} to {max(timed.ratios):.2f}"
    first = " and ".join(f"{turn.seconds:.0f} s" for turn in timed.first)
    return f"{case!s:44}  {ours}  {theirs}  {statistics.median(timed.ratios):.2f}×  {turns}  {first}  {last}"


def resident_bytes(case: Case, side: str) -> int:
    """The largest resident set of a fresh process that evaluates a batch on one side."""
    fields = ", ".join(repr(value) for value in case)
    code = f"from experiments.alone import ours; ours({fields})"
    if side == THEIRS:
        named = ", ".join(f"{key}={value!r}" for key, value in their_options(case).items())
        code = f"from experiments.alone import theirs; theirs({fields}, {named})"
    root = pathlib.Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=root)
    return int(done.stdout.split()[-1])
