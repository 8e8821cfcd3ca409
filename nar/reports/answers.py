"""Scores of answers to questions of CLRS-Text, as a table and as accuracy over length."""

import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from nar.reports.tables import format_table

_COLUMNS = 5


def answers_table(scores: Mapping[str, Any]) -> str:
    """A row for each algorithm and length, each algorithm, and all.

    Args:
      scores: as `nar.evaluation.AnswerScores.as_json` gives them.
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


def draw_accuracy(
    scores: Mapping[str, Any], trained: Mapping[str, Sequence[int]], picture: pathlib.Path
) -> bool:
    """Draws the shares of right answers and of right elements over length, by algorithm, as PNG.

    Args:
      scores: as `nar.evaluation.AnswerScores.as_json` gives them.
      trained: algorithm -> lengths on which the model was trained, which are marked.
      picture: where to write; replaced as a whole.

    Returns:
      False if matplotlib is not installed and nothing was drawn.
    """
    try:
        import matplotlib.figure
    except ImportError:
        return False
    algorithms = scores["algorithms"]
    columns = min(_COLUMNS, len(algorithms))
    rows = math.ceil(len(algorithms) / columns)
    figure = matplotlib.figure.Figure(figsize=(3.2 * columns, 2.4 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flat
    for axes, (name, parts) in zip(panels, algorithms.items(), strict=False):
        lengths = [int(length) for length in parts["lengths"]]
        for key, label, style in (("elements", "elements right", ":"), ("exact", "answer right", "-")):
            shares = [100 * means[key] for means in parts["lengths"].values()]
            axes.plot(lengths, shares, style, marker=".", linewidth=1.2, label=label)
        marks = [length for length in trained.get(name, ()) if min(lengths) <= length <= max(lengths)]
        axes.plot(marks, [0] * len(marks), "|", color="black", markersize=12, label="length trained on")
        axes.set_title(name, fontsize="small")
        axes.set(ylim=(-4, 104))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(panels):
        axes.set_visible(False)
    figure.supxlabel("length", fontsize="small")
    figure.supylabel("%", fontsize="small")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize="small", frameon=False)
    temporary = picture.with_name(f".{picture.name}.{os.getpid()}")
    figure.savefig(temporary, format="png", dpi=120)
    temporary.replace(picture)
    return True
