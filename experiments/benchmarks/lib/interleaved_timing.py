"""Interleaved timing of two implementations, and the ratio of their rates."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nar.progress import ProgressBar
from nar.reports import Table

Rates = tuple[list[float], list[float]]
"""Items per second of nar and of dm-clrs, one per repeat."""

Case = tuple[str, int]
"""Algorithm and size."""


def interleaved_rates(
    nar: Callable[[], int], dm_clrs: Callable[[], int], repeats: int, seconds: float
) -> Rates:
    """Measures the rates of two functions alternately; each call returns the number of items it processed."""
    nar_rates, dm_clrs_rates = [], []
    for _ in range(repeats):
        nar_rates.append(_rate(nar, seconds))
        dm_clrs_rates.append(_rate(dm_clrs, seconds))
    return nar_rates, dm_clrs_rates


def _rate(work: Callable[[], int], seconds: float) -> float:
    """Items per second, measured over at least `seconds` and at least one call."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        count += work()
    return count / (time.perf_counter() - start)


def compare(what: str, cases: Sequence[Case], rates: Callable[[str, int], Rates]) -> dict[Case, float]:
    """Prints a table of all cases, and returns the median ratio of each; `what` names the items."""
    rows, ratios = [], {}
    for name, size in ProgressBar(cases, "measuring", leave=False):
        nar, dm_clrs = rates(name, size)
        ratios_by_repeat = [
            nar_rate / dm_clrs_rate for nar_rate, dm_clrs_rate in zip(nar, dm_clrs, strict=True)
        ]
        ratios[name, size] = statistics.median(ratios_by_repeat)
        medians = [f"{statistics.median(values):,.0f}" for values in (nar, dm_clrs)]
        spread = f"{min(ratios_by_repeat):.0f} to {max(ratios_by_repeat):.0f}"
        rows.append([name, str(size), *medians, f"{ratios[name, size]:.0f}×", spread])
    header = ["algorithm", "n", f"nar, {what}/s", f"dm-clrs, {what}/s", "ratio", "range"]
    print(Table(header, rows).as_text())
    print()
    return ratios


def summary(ratios: Mapping[Any, float]) -> str:
    """Formats the geometric mean over cases, and the lowest ratio."""
    lowest = min(ratios, key=ratios.__getitem__)
    case = ", ".join(map(str, lowest)) if isinstance(lowest, tuple) else lowest
    mean = statistics.geometric_mean(ratios.values())
    return f"geometric mean: {mean:.3g}×, lowest: {ratios[lowest]:.3g}× ({case})"
