"""Learning curves of a run, drawn from its `metrics.jsonl`. Needs matplotlib (extra `plots`)."""

import pathlib
from typing import Any

from nar.metrics_file import read_metrics
from nar.reports.escape import escape_matplotlib
from nar.reports.plotting import legend_columns, save_plot, wrap_label

MAX_CURVES = 12
"""Most curves in a panel; beyond that, losses are summed by task and scores averaged by class."""


def draw_curves(metrics: pathlib.Path, path: pathlib.Path) -> bool:
    """Plots losses and validation scores over steps, as PNG.

    Args:
      metrics: the `metrics.jsonl` of a run.
      path: file to write, replaced atomically.

    Returns:
      False if nothing was drawn; see `save_plot`.
    """
    return save_plot(lambda: _figure(metrics), path)


def _figure(metrics: pathlib.Path) -> Any:
    import matplotlib.figure

    lines = read_metrics(metrics)
    figure = matplotlib.figure.Figure(figsize=(10, 5), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for name, points in _loss_curves(lines).items():
        losses.plot(*zip(*points, strict=True), label=escape_matplotlib(name), linewidth=1.2)
    losses.set(title="training loss", xlabel="step", yscale="log")
    for name, points in _score_curves(lines).items():
        scores.plot(*zip(*points, strict=True), label=escape_matplotlib(name), marker=".", linewidth=1.2)
    scores.set(title="validation score (%)", xlabel="step", ylim=(0, 102))
    for axes in (losses, scores):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        _add_legend(axes, figure.get_figwidth() / 2)
    return figure


def _add_legend(axes: Any, width: float) -> None:
    """Adds a legend below the panel, where it covers no curve."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        labels = [wrap_label(label, width) for label in labels]
        columns = legend_columns(labels, width)
        style = {"fontsize": "small", "frameon": False, "bbox_to_anchor": (0.5, -0.16)}
        axes.legend(handles, labels, loc="upper center", ncols=columns, **style)


Curves = dict[str, list[tuple[float, float]]]
"""name -> points (step, value)."""

Lines = list[dict[str, float]]


def _loss_curves(lines: Lines) -> Curves:
    """Loss of each probe; if there are too many, their sum by task."""
    names = sorted({key for line in lines for key in line if key.startswith("loss/")})
    if len(names) <= MAX_CURVES:
        return {name.removeprefix("loss/"): _points(lines, [name]) for name in names}
    tasks = sorted({name.split("/")[1] for name in names})
    return {task: _points(lines, [name for name in names if name.split("/")[1] == task]) for task in tasks}


def _score_curves(lines: Lines) -> Curves:
    """Score of each task, or of each class if there are too many tasks; and the mean if there are several."""
    keys = {key for line in lines for key in line if key.startswith("validation/")}
    tasks = sorted(key for key in keys if key.endswith("/score") and key != "validation/score")
    classes = sorted(key for key in keys if key.startswith("validation/class/"))
    shown = classes if len(tasks) > MAX_CURVES and classes else tasks
    curves = {_score_label(key): _points(lines, [key], 100) for key in shown}
    if "validation/score" in keys and len(shown) != 1:
        curves["mean"] = _points(lines, ["validation/score"], 100)
    return curves


def _points(lines: Lines, names: list[str], factor: float = 1.0) -> list[tuple[float, float]]:
    """Points (step, sum of the named values) of the lines that have all of them."""
    return [
        (line["step"], factor * sum(line[name] for name in names))
        for line in lines
        if all(name in line for name in names)
    ]


def _score_label(key: str) -> str:
    return key.removeprefix("validation/").removeprefix("class/").removesuffix("/score")
