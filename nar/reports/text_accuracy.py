"""Scores of answers to questions of CLRS-Text, as a table and as accuracy over length."""

import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nar.reports.tables import format_table

_COLUMNS = 5


def answers_table(scores: Mapping[str, Any]) -> str:
    """A row for each algorithm and length, each algorithm, and all.

    Args:
      scores: as `nar.text.scoring.answer_files.AnswerScores.as_json` gives them.
    """
    rows = []
    for name, parts in scores["algorithms"].items():
        rows += [_row(name, length, means) for length, means in parts["lengths"].items()]
        rows.append(_row(name, "all", parts["all"]))
    if scores["unreadable"]["count"]:
        rows.append(["unreadable lines", "", str(scores["unreadable"]["count"]), "0.00%", "0.00%", "0.00%"])
    rows.append(_row("all", "all", scores["all"]))
    return format_table(["algorithm", "length", "answers", "exact", "elements", "parsed"], rows)


def _row(name: str, length: str, means: Mapping[str, float]) -> list[str]:
    shares = [f"{means[key]:.2%}" for key in ("exact", "elements", "parsed")]
    return [name, length, f"{means['answers']:.0f}", *shares]


class Line(NamedTuple):
    """A line of a panel.

    Attributes:
      label: in the legend.
      style: of matplotlib.
      lengths: where it has a point.
      shares: in percent.
    """

    label: str
    style: str
    lengths: list[int]
    shares: list[float]


def draw_accuracy(
    scores: Mapping[str, Any], trained: Mapping[str, Sequence[int]], picture: pathlib.Path
) -> bool:
    """Draws the shares of right answers and of right elements over length, by algorithm, as PNG.

    Args:
      scores: as `nar.text.scoring.answer_files.AnswerScores.as_json` gives them.
      trained: algorithm -> lengths on which the model was trained, which are marked.
      picture: where to write; replaced as a whole.

    Returns:
      False if matplotlib is not installed and nothing was drawn.
    """
    lines = (("elements", "elements right", ":"), ("exact", "answer right", "-"))
    panels = {
        name: [_line(parts, key, label, style) for key, label, style in lines]
        for name, parts in scores["algorithms"].items()
    }
    return _draw(panels, trained, picture)


def draw_accuracies(
    models: Mapping[str, Mapping[str, Any]], trained: Mapping[str, Sequence[int]], picture: pathlib.Path
) -> bool:
    """Draws the share of right answers of several models over length, by algorithm, as PNG.

    Args:
      models: name -> scores, as `nar.text.scoring.answer_files.AnswerScores.as_json` gives them.
      trained: as `draw_accuracy`.
      picture: as `draw_accuracy`.

    Returns:
      False if matplotlib is not installed and nothing was drawn.
    """
    panels: dict[str, list[Line]] = {}
    for label, scores in models.items():
        for name, parts in scores["algorithms"].items():
            panels.setdefault(name, []).append(_line(parts, "exact", label, "-"))
    return _draw(panels, trained, picture)


def _line(parts: Mapping[str, Any], key: str, label: str, style: str) -> Line:
    by_length = {int(length): 100 * means[key] for length, means in parts["lengths"].items()}
    return Line(label, style, list(by_length), list(by_length.values()))


def _draw(
    panels: Mapping[str, Sequence[Line]], trained: Mapping[str, Sequence[int]], picture: pathlib.Path
) -> bool:
    try:
        import matplotlib.figure
    except ImportError:
        return False
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = matplotlib.figure.Figure(figsize=(3.2 * columns, 2.4 * rows + 0.6), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for axes, (name, lines) in zip(grid, panels.items(), strict=False):
        for line in lines:
            axes.plot(line.lengths, line.shares, line.style, marker=".", linewidth=1.2, label=line.label)
        lengths = [length for line in lines for length in line.lengths]
        marks = [length for length in trained.get(name, ()) if min(lengths) <= length <= max(lengths)]
        axes.plot(marks, [0] * len(marks), "|", color="black", markersize=12, label="length trained on")
        axes.set_title(name, fontsize="small")
        axes.set(ylim=(-4, 104))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel("length", fontsize="small")
    figure.supylabel("%", fontsize="small")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize="small", frameon=False)
    temporary = picture.with_name(f".{picture.name}.{os.getpid()}")
    figure.savefig(temporary, format="png", dpi=120)
    temporary.replace(picture)
    return True
