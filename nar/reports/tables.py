"""Text tables of scores."""

from collections.abc import Mapping, Sequence
from typing import Any

TaskScores = Mapping[str, Mapping[str, Mapping[str, float]]]
"""task -> size -> output or "score" -> score, as returned by `nar.evaluation` and stored in `result.json`."""


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Formats a text table; the first column is left-aligned, the others right-aligned."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def text(line: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([text(lines[0]), rule, *(text(line) for line in lines[1:])])


def scores_table(scores: Mapping[str, TaskScores], deviations: Mapping[str, TaskScores] | None = None) -> str:
    """Formats a row per split, task and size: its score, and the score of each output.

    Args:
      scores: split -> task -> size -> output -> score.
      deviations: standard deviations, if the scores are means over seeds.
    """
    return format_table(_HEADER, _rows(scores, deviations))


_HEADER = ("algorithm", "split", "n", "score", "outputs")


def _rows(scores: Mapping[str, TaskScores], deviations: Mapping[str, TaskScores] | None) -> list[list[str]]:
    rows = []
    for split, tasks in scores.items():
        for task, sizes in tasks.items():
            for size, values in sizes.items():
                spread = {} if deviations is None else deviations[split][task][size]
                cells = {name: _cell(value, spread.get(name)) for name, value in values.items()}
                outputs = ", ".join(f"{k} {cell}" for k, cell in cells.items() if k not in ("score", "steps"))
                if "steps" in values:
                    outputs += f", in {values['steps']:.1f} steps"
                rows.append([task, split, size, cells["score"], outputs])
    return rows


def _cell(value: float, deviation: float | None) -> str:
    return f"{value:.2%}" if deviation is None else f"{value:.2%} ± {deviation:.2%}"


def result_summary(result: Mapping[str, Any]) -> str:
    """Formats the scores of a finished run, their averages over algorithms, and a line on its cost."""
    seeds, deviations = result.get("seeds"), result.get("deviations", {})
    rows = _rows(result["scores"], deviations.get("scores"))
    for split, averages in result.get("averages", {}).items():
        tasks, classes = len(result["scores"][split]), len(averages) - 2
        spread = deviations.get("averages", {}).get(split, {})
        names = {"algorithms": f"mean of {tasks} algorithms", "classes": f"mean of {classes} classes"}
        if tasks > 1:
            rows += [
                [name, split, "", _cell(averages[key], spread.get(key)), ""] for key, name in names.items()
            ]
    summary = (
        f"{result['steps']} steps, {result['examples']} examples, {result['seconds']:.0f} s, "
        f"{result['parameters']} parameters; "
    )
    if seeds:
        steps = ", ".join(f"{one['best_step']} (seed {one['seed']})" for one in seeds)
        summary += (
            f"mean ± standard deviation of {len(seeds)} seeds; scored, best on validation: step {steps}"
        )
    else:
        summary += f"scored: step {result['best_step']}, best on validation"
    return f"{format_table(_HEADER, rows)}\n\n{summary}"
