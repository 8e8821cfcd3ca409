"""The table of the evaluation suite for the terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nar.reports.tables import format_table
from nar.statistics import SampleStatistics

if TYPE_CHECKING:
    from nar.evaluation import Case


def evaluation_table(found: "Mapping[Case, Mapping[str, SampleStatistics]]") -> str:
    """A row for each case, in percent: means, with deviations and the interval if there are several seeds.

    Args:
      found: case -> quantity -> its spread over seeds, as `nar.spreads` makes it.
    """
    several = any(one["score"].count > 1 for one in found.values())
    own = any(case.lengths == "own" for case in found)
    header = ["algorithm", "n", "graphs", "lengths", "steps", "score", "95 %", "exact", "valid", "outputs"]
    left_out = [*(() if several else ("95 %",)), *(() if own else ("lengths", "steps"))]
    rows = [dict(zip(header, _row(case, quantities), strict=True)) for case, quantities in found.items()]
    shown = [name for name in header if name not in left_out]
    return format_table(shown, [[row[name] for name in shown] for row in rows])


def _row(case: "Case", quantities: Mapping[str, SampleStatistics]) -> list[str]:
    score = quantities["score"]
    outputs = [name for name in quantities if name.startswith("output/")]
    return [
        case.task,
        str(case.size),
        case.family,
        case.lengths,
        f"{quantities['steps'].mean:.1f}",
        str(score),
        "–" if score.interval is None else f"± {100 * score.interval:.2f}",
        str(quantities["exact"]),
        str(quantities["valid"]) if "valid" in quantities else "–",
        ", ".join(f"{name.removeprefix('output/')} {quantities[name]}" for name in outputs),
    ]
