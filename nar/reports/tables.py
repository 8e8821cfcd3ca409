"""Tables of scores for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

TaskScores = Mapping[str, Mapping[str, Mapping[str, float]]]
"""task -> size -> output or "score" -> score, as `nar.evaluation` makes them and `result.json` holds them."""


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of text; the first is aligned left, the others right."""
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


def scores_table(scores: Mapping[str, TaskScores]) -> str:
    """A row for each split, task and size: its score, and that of each output.

    Args:
      scores: split -> task -> size -> output -> score.
    """
    rows = []
    for split, tasks in scores.items():
        for task, sizes in tasks.items():
            for size, values in sizes.items():
                outputs = ", ".join(f"{k} {v:.2%}" for k, v in values.items() if k not in ("score", "steps"))
                if "steps" in values:
                    outputs += f", in {values['steps']:.1f} steps"
                rows.append([task, split, size, f"{values['score']:.2%}", outputs])
    return format_table(["algorithm", "split", "n", "score", "outputs"], rows)


def result_summary(result: Mapping[str, Any]) -> str:
    """The scores of a finished run, and a line of what it took."""
    facts = (
        f"{result['steps']} steps, {result['examples']} examples, {result['seconds']:.0f} s, "
        f"{result['parameters']} parameters; scored: step {result['best_step']}, best on validation"
    )
    return f"{scores_table(result['scores'])}\n\n{facts}"
