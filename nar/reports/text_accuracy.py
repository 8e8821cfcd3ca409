"""Scores of answers to CLRS-Text questions: as a table, and as plots of accuracy over length."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nar.reports.escape import escape_matplotlib
from nar.reports.plotting import legend_columns, save_plot, wrap_label
from nar.reports.tables import Table

_COLUMNS = 5


def answers_table(scores: Mapping[str, Any]) -> str:
    """Formats a row per algorithm and length, per algorithm, and for all.

    Args:
      scores: scores as returned by `nar.text.scoring.answer_files.AnswerScores.as_json`.
    """
    rows = []
    for name, values in scores["algorithms"].items():
        rows += [_row(name, length, means) for length, means in values["lengths"].items()]
        rows.append(_row(name, "all", values["all"]))
    if scores["unreadable"]["count"]:
        rows.append(["unreadable lines", "", str(scores["unreadable"]["count"]), "0.00%", "0.00%", "0.00%"])
    rows.append(_row("all", "all", scores["all"]))
    return Table(["algorithm", "length", "answers", "exact", "elements", "parsed"], rows).as_text()


def _row(name: str, length: str, means: Mapping[str, float]) -> list[str]:
    shares = [f"{means[key]:.2%}" for key in ("exact", "elements", "parsed")]
    return [name, length, f"{means['answers']:.0f}", *shares]


class Line(NamedTuple):
    """A line of a panel.

    Attributes:
      label: legend label.
      style: matplotlib line style.
      lengths: x values.
      shares: y values, in percent.
    """

    label: str
    style: str
    lengths: list[int]
    shares: list[float]


def draw_accuracy(
    scores: Mapping[str, Any], trained: Mapping[str, Sequence[int]], path: pathlib.Path
) -> bool:
    """Plots the fractions of correct answers and of correct elements over length, by algorithm, as PNG.

    Args:
      scores: scores as returned by `nar.text.scoring.answer_files.AnswerScores.as_json`.
      trained: algorithm -> lengths that the model was trained on, which are marked.
      path: file to write, replaced atomically.

    Returns:
      False if nothing was drawn; see `save_plot`.
    """
    lines = (("elements", "correct elements", ":"), ("exact", "correct answers", "-"))
    panels = {
        name: [_line(values, key, label, style) for key, label, style in lines]
        for name, values in scores["algorithms"].items()
    }
    return save_plot(lambda: _figure(panels, trained), path)


def draw_accuracies(
    models: Mapping[str, Mapping[str, Any]], trained: Mapping[str, Sequence[int]], path: pathlib.Path
) -> bool:
    """Plots the fraction of correct answers of several models over length, by algorithm, as PNG.

    Args:
      models: model name -> scores, as returned by `nar.text.scoring.answer_files.AnswerScores.as_json`.
      trained: as in `draw_accuracy`.
      path: as in `draw_accuracy`.

    Returns:
      False if nothing was drawn; see `save_plot`.
    """
    panels: dict[str, list[Line]] = {}
    for label, scores in models.items():
        for name, values in scores["algorithms"].items():
            panels.setdefault(name, []).append(_line(values, "exact", label, "-"))
    return save_plot(lambda: _figure(panels, trained), path)


def _line(scores: Mapping[str, Any], key: str, label: str, style: str) -> Line:
    by_length = {int(length): 100 * means[key] for length, means in scores["lengths"].items()}
    return Line(label, style, list(by_length), list(by_length.values()))


def _figure(panels: Mapping[str, Sequence[Line]], trained: Mapping[str, Sequence[int]]) -> Any:
    import matplotlib.figure

    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = matplotlib.figure.Figure(figsize=(3.2 * columns, 2.4 * rows + 0.6), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for axes, (name, lines) in zip(grid, panels.items(), strict=False):
        for line in lines:
            style = {"marker": ".", "linewidth": 1.2, "label": escape_matplotlib(line.label)}
            axes.plot(line.lengths, line.shares, line.style, **style)
        lengths = [length for line in lines for length in line.lengths]
        marks = [length for length in trained.get(name, ()) if min(lengths) <= length <= max(lengths)]
        axes.plot(marks, [0] * len(marks), "|", color="black", markersize=12, label="training length")
        axes.set_title(escape_matplotlib(name), fontsize="small")
        axes.set(ylim=(-4, 104))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel("length", fontsize="small")
    figure.supylabel("%", fontsize="small")
    handles, labels = grid[0].get_legend_handles_labels()
    width = figure.get_figwidth()
    labels = [wrap_label(label, width) for label in labels]
    columns = legend_columns(labels, width, most=3)
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, fontsize="small", frameon=False)
    return figure
