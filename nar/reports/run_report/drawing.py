"""Drawing of panels with matplotlib (extra `plots`), in the colors of the pages."""

import io
import math
import textwrap
from collections.abc import Sequence
from typing import Any

from nar.reports.escape import escape_matplotlib
from nar.reports.plotting import is_matplotlib_installed, legend_columns, plot_context, wrap_label
from nar.reports.run_report.palette import NUM_SERIES, color, series
from nar.reports.run_report.panels import Bars, Curves, Line, Panel, Values

_WIDTH, _HEIGHT = 4.6, 3.0
"""Size of a panel, in inches (72 points); fonts have 9 points."""

_DASHES = ("solid", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)))
_MARKERS = "os^Dv<>p"
_HATCHES = ("", "//", "..", "xx")
"""Hatches of bars, for when all colors are in use."""
_MARKS = ("D", "s", "^", "v", "P", "X", "o", "<", ">", "p", "h")
_ROW = 0.34
"""Minimum height of a row of bars, in inches."""
_MAX_POINTS = 400
_MAX_TICKS = 8
"""Most sizes that have a tick each."""
_KEY = (0.5, 0.2)
"""Size of a legend key, in inches."""
_UNFINISHED = "unfinished run"


def check_matplotlib() -> None:
    """Raises ValueError if matplotlib is not installed."""
    if not is_matplotlib_installed():
        raise ValueError("plots need matplotlib, which is not installed: pip install 'nar-jax[plots]'")


def draw(panels: Sequence[Panel], columns: int = 1, *, has_legend: bool = True) -> Any:
    """Draws panels in one matplotlib figure, `columns` in a row, with one legend below."""
    from matplotlib.figure import Figure

    columns = min(columns, len(panels))
    lines = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    heights = [max(map(_height, line)) for line in lines]
    with plot_context(_settings()):
        figure = Figure(figsize=(columns * _WIDTH, sum(heights)), layout="constrained")
        grid = figure.subplots(len(lines), columns, squeeze=False, height_ratios=heights)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _DRAW[type(panel)](axes, panel)
            axes.set_title(escape_matplotlib(panel.title.replace("_", " ")))
            axes.spines[["top", "right"]].set_visible(False)
        if has_legend:
            _add_legend(figure, sum(heights))
    return figure


def draw_keys(panels: Sequence[Panel]) -> dict[str, Any]:
    """Draws the legend keys: label -> small figure with its line, bar or mark."""
    from matplotlib.figure import Figure

    names = {escape_matplotlib(name): name for panel in panels for name in _labels(panel)}
    keys = {}
    with plot_context(_settings()):
        for label, handle in _handles(draw(panels, has_legend=False)).items():
            key = keys[names[label]] = Figure(figsize=_KEY)
            key.legend([handle], [""], loc="center", borderpad=0, handletextpad=0)
    return keys


def _labels(panel: Panel) -> list[str]:
    """Labels in the legend of a panel."""
    values = panel.lines if isinstance(panel, Curves) else [*panel.ours, *panel.published]
    return [*(one.label for one in values), _UNFINISHED]


def as_image(figure: Any, format: str) -> bytes:
    """Encodes a figure as "png" or "svg", deterministically."""
    buffer = io.BytesIO()
    with plot_context(_settings()):
        if format == "svg":
            figure.savefig(buffer, format=format, transparent=True, metadata={"Date": None, "Creator": None})
        else:
            figure.savefig(buffer, format=format, dpi=160, facecolor=color("card"))
    return buffer.getvalue()


def _settings() -> Any:
    ink, soft = color("ink"), color("soft")
    return {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.edgecolor": soft,
        "axes.labelcolor": soft,
        "axes.titlecolor": ink,
        "text.color": ink,
        "xtick.color": soft,
        "ytick.color": soft,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": color("rule"),
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "svg.fonttype": "none",
        "svg.hashsalt": "nar",
        "figure.facecolor": "none",
        "axes.facecolor": "none",
    }


def _height(panel: Panel) -> float:
    if isinstance(panel, Curves):
        return _HEIGHT
    return 0.8 + len(panel.rows) * max(_ROW, 0.13 * len(panel.ours) + 0.1)


def _add_legend(figure: Any, height: float) -> None:
    handles, width = _handles(figure), figure.get_figwidth()
    labels = [wrap_label(label, width) for label in handles]
    columns = legend_columns(labels, width)
    lines = sum(1 + label.count("\n") for label in labels)
    figure.set_figheight(height + 0.2 * math.ceil(lines / columns) + 0.15)
    figure.legend(list(handles.values()), labels, loc="outside lower center", ncols=columns)


def _handles(figure: Any) -> dict[str, Any]:
    by_label = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        for handle, label in zip(handles, labels, strict=True):
            by_label.setdefault(label, handle)
    return by_label


def _draw_curves(axes: Any, panel: Curves) -> None:
    for line in panel.lines:
        _draw_line(axes, line, panel.is_percent)
    axes.set_xlabel(escape_matplotlib(panel.x_label))
    sizes = sorted({point[0] for line in panel.lines for point in line.points})
    if panel.x_label == "step":
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    elif len(sizes) <= _MAX_TICKS:
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    if panel.is_percent:
        axes.set(ylabel="%", ylim=(-3, 103))
    elif all(point[1] > 0 for line in panel.lines for point in line.points):
        axes.set_yscale("log")


def _clip(value: float, is_percent: bool) -> float:
    """A bound of a deviation within the scale."""
    return min(100.0, max(0.0, value)) if is_percent else value


def _draw_line(axes: Any, line: Line, is_percent: bool) -> None:
    points = line.points[:: math.ceil(len(line.points) / _MAX_POINTS)]
    x, y = [point[0] for point in points], [point[1] for point in points]
    # When a color is reused, the dashes and the marker differ.
    pattern = line.style + line.style // NUM_SERIES
    style = {"color": series(line.style), "linestyle": _DASHES[pattern % len(_DASHES)]}
    if len(points) <= 30:
        style |= {"marker": _MARKERS[pattern % len(_MARKERS)], "markersize": 4}
    axes.plot(x, y, label=escape_matplotlib(line.label), linewidth=1.4, **style)
    spread = [(at, value, own) for at, value, own in points if own is not None]
    if spread:
        at, middle, around = zip(*spread, strict=True)
        low, high = (
            [_clip(value + sign * own, is_percent) for value, own in zip(middle, around, strict=True)]
            for sign in (-1, 1)
        )
        axes.fill_between(at, low, high, color=series(line.style), alpha=0.18, linewidth=0)
    if line.is_unfinished:
        axes.plot(
            x[-1:], y[-1:], "X", color=color("wrong"), markersize=8, linestyle="none", label=_UNFINISHED
        )


def _draw_bars(axes: Any, panel: Bars) -> None:
    middles = [-row for row in range(len(panel.rows))]
    for row, middle in enumerate(middles):
        present = [values for values in panel.ours if values.cells[row]]
        thickness = min(0.5, 0.76 / max(1, len(present)))
        for number, values in enumerate(present):
            position = middle + thickness * ((len(present) - 1) / 2 - number)
            width, deviation = values.cells[row] or (0.0, None)
            hatch = _HATCHES[values.style // NUM_SERIES % len(_HATCHES)]
            fill = {"color": series(values.style), "alpha": 0.85, "hatch": hatch, "edgecolor": color("card")}
            axes.barh(position, width, thickness * 0.92, label=escape_matplotlib(values.label), **fill)
            if deviation is not None:
                whisker = {"fmt": "none", "color": color("ink"), "elinewidth": 1.2, "capsize": 2}
                around = [[width - _clip(width - deviation, True)], [_clip(width + deviation, True) - width]]
                axes.errorbar(width, position, xerr=around, **whisker)
    for values in panel.published:
        _draw_marks(axes, middles, values)
    axes.set_yticks(middles, [_wrapped(row) for row in panel.rows])
    axes.set(xlim=(0, 103), xlabel="%", ylim=(0.55 - len(panel.rows), 0.55))
    axes.grid(visible=False, axis="y")


def _draw_marks(axes: Any, middles: Sequence[float], values: Values) -> None:
    points = [(cell[0], middle) for middle, cell in zip(middles, values.cells, strict=True) if cell]
    x, y = zip(*points, strict=True)
    axes.plot(
        x,
        y,
        _MARKS[values.style % len(_MARKS)],
        color=color("ink"),
        markerfacecolor="none" if values.is_hollow else color("ink"),
        markeredgewidth=1.1,
        markersize=6,
        linestyle="none",
        label=escape_matplotlib(values.label),
    )


def _wrapped(name: str) -> str:
    return "\n".join(map(escape_matplotlib, textwrap.wrap(name.replace("_", " "), 18)))


_DRAW = {Curves: _draw_curves, Bars: _draw_bars}
