"""The legend of a table of an evaluation: what its columns and its problems are."""

from collections.abc import Sequence

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
