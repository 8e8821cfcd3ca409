"""The legend of a table of an evaluation: what its columns and its problems are."""

from collections.abc import Mapping, Sequence
from typing import Any

from nar.evaluation import METRICS
from nar.evaluation.metrics import Metrics
from nar.reports.result_table import scalar_note

_LEGEND = {
    "exact": "exact: instances without a wrong entry",
    "valid": "valid: instances with a correct answer, which may differ from CLRS-30's",
    "hint_score": "hint_score: mean over hints and steps",
}


def explanation(seeds: Sequence[int], metrics: Metrics, tasks: Sequence[str]) -> str:
    """Legend of the table's columns."""
    over_seeds = f", mean ± sample deviation over {len(seeds)} problem seeds" if len(seeds) > 1 else ""
    custom = "; custom metrics as they are" if not set(metrics) <= set(METRICS) else ""
    legend = [text for name, text in _LEGEND.items() if name in metrics]
    lines = ["score: mean over outputs, as CLRS-30 scores them", *legend]
    lines += [note] if (note := scalar_note(dict.fromkeys(tasks))) else []
    return f"In percent{over_seeds}{custom}.\n" + ";\n".join(lines) + "."


def describe_problems(options: Mapping[str, Any], count: int) -> str:
    """A sentence on the options and the number of problems."""
    parts = [f"{name} = {value}" for name, value in options.items()]
    parts += [f"{count} instances of each size and seed"] if count else []
    return f"Problems: {', '.join(parts)}." if parts else "Problems: as CLRS-30 draws them."
