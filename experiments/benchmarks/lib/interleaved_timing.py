"""Two that take turns at the same work, and the ratio of their rates."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from nar.reports import format_table

Rates = tuple[list[float], list[float]]
"""Of ours and of dm-clrs, per second, one for each turn."""

Case = tuple[str, int]
"""Algorithm and size."""


def take_turns(ours: Callable[[], int], theirs: Callable[[], int], repeats: int, seconds: float) -> Rates:
    """Rates of two functions, each of which says how much it has done."""
    our_rates, their_rates = [], []
    for _ in range(repeats):
        our_rates.append(_rate(ours, seconds))
        their_rates.append(_rate(theirs, seconds))
    return our_rates, their_rates


def _rate(work: Callable[[], int], seconds: float) -> float:
    """What is done per second, over at least the asked-for time and at least one call."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        count += work()
    return count / (time.perf_counter() - start)


def compare(what: str, cases: Sequence[Case], rates: Callable[[str, int], Rates]) -> dict[Case, float]:
    """Prints a table of all cases, and returns the median ratio of each."""
    rows, ratios = [], {}
    for name, size in tqdm(cases, "measuring", leave=False):
        ours, theirs = rates(name, size)
        turns = [our / their for our, their in zip(ours, theirs, strict=True)]
        ratios[name, size] = statistics.median(turns)
        medians = [f"{statistics.median(values):,.0f}" for values in (ours, theirs)]
        spread = f"{min(turns):.0f} to {max(turns):.0f}"
        rows.append([name, str(size), *medians, f"{ratios[name, size]:.0f}×", spread])
    print(format_table(["algorithm", "n", f"nar, {what}/s", f"dm-clrs, {what}/s", "ratio", "turns"], rows))
    print()
    return ratios


def summary(ratios: Mapping[Any, float]) -> str:
    """The geometric mean of all cases, and the least of them."""
    lowest = min(ratios, key=ratios.__getitem__)
    case = ", ".join(map(str, lowest)) if isinstance(lowest, tuple) else lowest
    mean = statistics.geometric_mean(ratios.values())
    return f"geometric mean: {mean:.3g}×, lowest: {ratios[lowest]:.3g}× ({case})"
