"""Text table of the evaluation suite."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nar.reports.tables import format_table
from nar.statistics import SampleStatistics

if TYPE_CHECKING:
    from nar.evaluation import Case


def evaluation_table(summary: "Mapping[Case, Mapping[str, SampleStatistics]]") -> str:
    """Formats a row per case, in percent: means, with deviations and confidence intervals over several seeds.

    Args:
      summary: case -> metric -> statistics over seeds, as `nar.evaluation.summarize_cases` returns them.
    """
    has_seeds = any(one["score"].count > 1 for one in summary.values())
    has_own_lengths = any(case.lengths == "own" for case in summary)
    header = ["algorithm", "n", "graphs", "lengths", "steps", "score", "95 %", "exact", "valid", "outputs"]
    hidden = [*(() if has_seeds else ("95 %",)), *(() if has_own_lengths else ("lengths", "steps"))]
    rows = [dict(zip(header, _row(case, quantities), strict=True)) for case, quantities in summary.items()]
    shown = [name for name in header if name not in hidden]
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
