"""Static drawings of traces and of scores by size. They need matplotlib (extra `plots`)."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.reports.escape import escape_matplotlib
from nar.reports.plotting import legend_columns, notebook_figure, plot_context
from nar.reports.run_report.palette import color, series
from nar.reports.trace_viewer.drawing_plan import GLYPHS, colors, draw_plan
from nar.reports.trace_viewer.readable_values import format_number, rank, read
from nar.specs import MASKED, Kind, Probe, Spec
from nar.traces import Trace

MAX_PANELS = 8
"""Steps that are drawn by default, at most: the first, the last, and others evenly between them."""

MAX_NODES = 64
"""Nodes of a trace that can be drawn."""

_PANEL = 2.6
"""Width and height of the panel of a step, in inches."""

_TEXT_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.3, "alpha": 0.8}
"""Background of numbers, which stand on lines."""

_MATRIX = "matrix"
"""Glyph of probes that get a panel of their own at each step."""


def draw_trace(
    algorithm: str | Algorithm,
    trace: Trace,
    *,
    steps: Sequence[int] | None = None,
    columns: int | None = None,
    spec: Spec | None = None,
) -> Any:
    """Draws the hints of a trace, a panel for each step, and its outputs in a last one.

    Nodes are placed on a circle, in a row, or at their coordinates, as in the viewer (`show_trace`). The
    first mask fills nodes, and further masks add dots next to them; one-hot masks are rings, pointers arrows,
    and numbers are below the nodes. Values of pairs of nodes are matrices below the nodes.

    Args:
      algorithm: the algorithm, or its name.
      trace: its trace, or a predicted one (`InferenceResult.trace`).
      steps: indices of the steps; by default at most `MAX_PANELS`, the first and the last among them.
      columns: number of panels in a row; by default four, or two where nodes stand in a row.
      spec: the spec of the trace, if it is not the algorithm's.

    Returns:
      A `matplotlib.figure.Figure`; notebooks show it, and its method `savefig` writes it, as PDF or SVG, too.

    Raises:
      ValueError: if the trace has more than `MAX_NODES` nodes, or a step or the number of columns is invalid.
    """
    algorithm = find_algorithm(algorithm) if isinstance(algorithm, str) else algorithm
    if columns is not None and columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")
    drawing = _Drawing.of(algorithm, spec or algorithm.spec, trace)
    shown = _default_steps(trace.length) if steps is None else list(steps)
    for step in shown:
        if not 0 <= step < trace.length:
            raise ValueError(f"step {step} does not exist: the trace has steps 0 to {trace.length - 1}")
    with plot_context():
        return _figure(drawing, shown, columns)


def draw_scores_by_size(
    scores: Mapping[str, Mapping[str, Mapping[str, float]]], metric: str = "score"
) -> Any:
    """Draws scores as a function of problem size, a line for each algorithm and graph family.

    Args:
      scores: algorithm -> size, perhaps with a family as in "16, grid" -> metric -> value in [0, 1], as
        `run.evaluate(sizes=...)` returns them.
      metric: the metric to draw.

    Returns:
      A `matplotlib.figure.Figure`.

    Raises:
      ValueError: if no algorithm has this metric.
    """
    import matplotlib.ticker

    lines = _lines_by_size(scores, metric)
    if not lines:
        known = sorted({name for sizes in scores.values() for one in sizes.values() for name in one})
        raise ValueError(f"there are no scores {metric!r}; known: {', '.join(known) or 'none'}")
    with plot_context():
        figure = notebook_figure((5, 3.4))
        axes = figure.subplots()
        for number, (label, points) in enumerate(lines.items()):
            style: Any = {"marker": "o", "color": series(number), "label": escape_matplotlib(label)}
            axes.plot(list(points), [100 * value for value in points.values()], **style)
        sizes = sorted({size for points in lines.values() for size in points})
        axes.set(xscale="log", xlabel="n", ylabel=escape_matplotlib(f"{metric} (%)"), ylim=(0, 102))
        axes.set_xticks(sizes, labels=[str(size) for size in sizes])
        axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        ncols = legend_columns(lines, 5)
        figure.legend(loc="outside lower center", ncols=ncols, frameon=False, fontsize=9)
    return figure


def _lines_by_size(
    scores: Mapping[str, Mapping[str, Mapping[str, float]]], metric: str
) -> dict[str, dict[int, float]]:
    lines: dict[str, dict[int, float]] = {}
    for task, sizes in scores.items():
        for label, values in sizes.items():
            size, _, family = label.partition(", ")
            if metric in values:
                lines.setdefault(f"{task}, {family}" if family else task, {})[int(size)] = values[metric]
    return {label: dict(sorted(points.items())) for label, points in lines.items()}


def _default_steps(length: int) -> list[int]:
    """At most `MAX_PANELS` - 1 steps, so that the outputs complete a row."""
    return sorted({round(step) for step in np.linspace(0, length - 1, min(length, MAX_PANELS - 1))})


@dataclasses.dataclass(frozen=True)
class _Drawing:
    """The parts of a drawing that all panels share.

    Attributes:
      trace: the trace.
      plan: see `draw_plan`.
      places: [N, 2], coordinates of the nodes.
      labels: text inside each node.
      hints: the hints of the trace.
      outputs: its outputs.
      palette: color of each probe by name.
    """

    trace: Trace
    plan: Mapping[str, Any]
    places: np.ndarray
    labels: Sequence[str]
    hints: Sequence[Probe]
    outputs: Sequence[Probe]
    palette: Mapping[str, str]

    @classmethod
    def of(cls, algorithm: Algorithm, spec: Spec, trace: Trace) -> "_Drawing":
        plan = draw_plan(algorithm.name, spec, trace)
        located = next(p for p in spec.inputs if rank(p) or p.kind is Kind.MASK_ONE)
        num_nodes = np.shape(trace.inputs[located.name])[0]
        if num_nodes > MAX_NODES:
            raise ValueError(f"at most {MAX_NODES} nodes can be drawn, the trace has {num_nodes}")
        names = trace.nodes or range(num_nodes)
        labels = [str(name) for name in names]
        if plan["label"]:
            label = spec[plan["label"]]
            labels = [f"{value:.2g}" for value in read(label, trace.inputs[label.name])]
        return cls(
            trace,
            plan,
            _places(plan, num_nodes),
            labels,
            [probe for probe in spec.per_step if probe.name in trace.hints],
            [probe for probe in spec.outputs if probe.name in trace.outputs],
            {name: series(number) for name, number in colors(spec).items()},
        )


def _places(plan: Mapping[str, Any], num_nodes: int) -> np.ndarray:
    """Coordinates [N, 2] of the nodes."""
    if plan["shape"] == "circle":
        angles = 2 * np.pi * np.arange(num_nodes) / max(num_nodes, 1)
        return np.stack([np.sin(angles), np.cos(angles)], axis=1)
    if plan["shape"] == "plane":
        places = np.stack([np.asarray(plan["x"], float), np.asarray(plan["y"], float)], axis=1)
        spread = max(np.ptp(places, axis=0).max(), 1e-9)
        return 2 * (places - places.min(axis=0)) / spread - 1
    rows = np.asarray(plan["row"] or np.zeros(num_nodes), int)
    column = np.zeros(num_nodes)
    for row in np.unique(rows):
        column[rows == row] = np.linspace(-1, 1, max((rows == row).sum(), 2))[: (rows == row).sum()]
    return np.stack([column, -0.8 * rows.astype(float)], axis=1)


def _figure(drawing: _Drawing, steps: Sequence[int], columns: int | None) -> Any:
    panels = len(steps) + bool(drawing.outputs)
    is_row = drawing.plan["shape"] in ("row", "rows")
    columns = min(columns or (2 if is_row else 4), panels)
    rows = math.ceil(panels / columns)
    height = 1 + max(len(_matrices(drawing.hints)), len(_matrices(drawing.outputs)))
    heights = [0.6 if is_row else 1.0] + [0.8] * (height - 1)
    size = (_PANEL * (2 if is_row else 1) * columns, _PANEL * sum(heights) * rows + 0.5)
    figure = notebook_figure(size)
    grid = figure.subplots(rows * height, columns, squeeze=False, height_ratios=heights * rows)
    for axes in grid.ravel():
        axes.set_axis_off()
    for panel in range(panels):
        row, column = divmod(panel, columns)
        below = list(grid[row * height : (row + 1) * height, column])
        if panel < len(steps):
            step = steps[panel]
            values = {probe.name: drawing.trace.hints[probe.name][step] for probe in drawing.hints}
            _draw_step(below, drawing, f"step {step}", drawing.hints, values)
        else:
            _draw_step(below, drawing, "output", drawing.outputs, drawing.trace.outputs)
    _add_legend(figure, drawing)
    return figure


def _matrices(probes: Sequence[Probe]) -> list[Probe]:
    return [probe for probe in probes if GLYPHS[probe.location, probe.kind] == _MATRIX]


def _draw_step(
    below: Sequence[Any],
    drawing: _Drawing,
    title: str,
    probes: Sequence[Probe],
    values: Mapping[str, np.ndarray],
) -> None:
    """Draws the nodes into the first panel, and a matrix into each of the others."""
    _draw_panel(below[0], drawing, title, probes, values)
    for axes, probe in zip(below[1:], _matrices(probes), strict=False):
        matrix = read(probe, values[probe.name])
        if matrix.ndim == 1:  # One entry of each row.
            matrix = (matrix[:, None] == np.arange(len(matrix))).astype(float)
        shown = np.where(matrix == MASKED, np.nan, matrix)
        axes.imshow(shown, cmap="Blues", vmin=0, vmax=_largest(probe, drawing.trace))
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
        axes.set_xlabel(escape_matplotlib(probe.name), fontsize=8)


def _largest(probe: Probe, trace: Trace) -> float:
    """The largest value of a probe over all steps, and at least 1, so that colors mean the same at each."""
    values = read(probe, (trace.hints if probe.name in trace.hints else trace.outputs)[probe.name])
    return max(1.0, float(np.max(values, initial=0)))


def _draw_panel(
    axes: Any, drawing: _Drawing, title: str, probes: Sequence[Probe], values: Mapping[str, np.ndarray]
) -> None:
    readable = {probe.name: read(probe, values[probe.name]) for probe in probes}
    by_glyph: dict[str, list[Probe]] = {}
    for probe in probes:
        by_glyph.setdefault(GLYPHS[probe.location, probe.kind], []).append(probe)
    numbers = [f"{p.name} = {format_number(float(readable[p.name]))}" for p in by_glyph.get("value", ())]
    axes.set_title(
        "\n".join([title, *([escape_matplotlib(", ".join(numbers))] if numbers else [])]), fontsize=9
    )
    size = 14 * min(1.0, (12 / len(drawing.places)) ** 0.5) if len(drawing.places) > 6 else 16.0
    _draw_lines(axes, drawing, size)
    for number, probe in enumerate(by_glyph.get("arrow", ())):
        _draw_arrows(axes, drawing, probe, readable[probe.name], size, 0.18 + 0.14 * number)
    _draw_nodes(axes, drawing, by_glyph.get("fill", ()), readable, size)
    for number, probe in enumerate(by_glyph.get("ring", ())):
        index = int(readable[probe.name])
        if index != MASKED:
            style = {"markeredgecolor": drawing.palette[probe.name], "markerfacecolor": "none", "zorder": 5}
            ring = size + 4 + 4 * number
            x, y = drawing.places[index]
            axes.plot(x, y, marker="o", markersize=ring, markeredgewidth=1.6, **style)
    for number, probe in enumerate(by_glyph.get("number", ())):
        _draw_numbers(axes, drawing, probe, readable[probe.name], size, number)
    low, high = drawing.places.min(axis=0), drawing.places.max(axis=0)
    margin = 0.35
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin - 0.1 * len(by_glyph.get("number", ())), high[1] + margin)
    if drawing.plan["shape"] in ("circle", "plane"):
        axes.set_aspect("equal")


def _draw_lines(axes: Any, drawing: _Drawing, size: float) -> None:
    """The edges of the graph, with weights if they are few."""
    lines = drawing.plan["lines"]
    for i, j, weight in lines:
        style = {"color": color("rule"), "linewidth": 1.0, "zorder": 1}
        if drawing.plan["directed"]:
            ends = {"shrinkA": size / 2, "shrinkB": size / 2, "arrowstyle": "->"}
            places = {"xy": drawing.places[j], "xytext": drawing.places[i]}
            axes.annotate("", **places, arrowprops={**style, **ends})
        else:
            axes.plot(*drawing.places[[i, j]].T, **style)
        if weight != "" and len(lines) <= 16:
            place = 0.6 * drawing.places[i] + 0.4 * drawing.places[j]
            text = format_number(weight)
            axes.text(*place, text, fontsize=5.5, ha="center", va="center", zorder=2, bbox=_TEXT_BOX)


def _draw_arrows(
    axes: Any, drawing: _Drawing, probe: Probe, targets: np.ndarray, size: float, bend: float
) -> None:
    """An arrow from each node that points at another one; graph pointers are values."""
    for node, target in enumerate(np.asarray(targets, int)):
        if target not in (node, MASKED):
            arrow = {
                "arrowstyle": "-|>",
                "color": drawing.palette[probe.name],
                "linewidth": 1.2,
                "shrinkA": size / 2,
                "shrinkB": size / 2,
                "connectionstyle": f"arc3,rad={bend}",
            }
            ends = {"xy": drawing.places[target], "xytext": drawing.places[node]}
            axes.annotate("", **ends, arrowprops=arrow, zorder=3)


def _draw_nodes(
    axes: Any, drawing: _Drawing, fills: Sequence[Probe], readable: Mapping[str, np.ndarray], size: float
) -> None:
    """Nodes with their labels, the first probe as their fill and the others as dots next to them."""
    for node, (place, label) in enumerate(zip(drawing.places, drawing.labels, strict=True)):
        fill, ink = "white", color("ink")
        for number, probe in enumerate(fills):
            value = readable[probe.name][node]
            if value in (0, MASKED):
                continue
            shade = drawing.palette[probe.name] if value == 1 else color("ink")
            if number == 0:
                fill, ink = shade, "white"
            else:
                dot = {"xytext": (size * (0.1 + 0.35 * number), size * 0.62), "textcoords": "offset points"}
                axes.annotate("●", place, **dot, color=shade, fontsize=5, ha="center", va="center", zorder=6)
        style = {"markerfacecolor": fill, "markeredgecolor": color("ink"), "markeredgewidth": 0.8}
        axes.plot(*place, marker="o", markersize=size, zorder=4, **style)
        points = size * (0.5 if len(label) < 3 else 0.5 * 2.6 / len(label))
        text = escape_matplotlib(label)
        axes.text(*place, text, ha="center", va="center", fontsize=points, color=ink, zorder=7)


def _draw_numbers(
    axes: Any, drawing: _Drawing, probe: Probe, values: np.ndarray, size: float, number: int
) -> None:
    """Numbers below the nodes, a line for each probe, where they are not 0."""
    points = max(4.0, size * 0.36)
    for place, value in zip(drawing.places, values, strict=True):
        if value != 0:
            below = {"xytext": (0, -size * 0.75 - points * number), "textcoords": "offset points"}
            style = {"color": drawing.palette[probe.name], "fontsize": points, "bbox": _TEXT_BOX}
            axes.annotate(format_number(value), place, **below, **style, ha="center", va="center", zorder=6)


def _add_legend(figure: Any, drawing: _Drawing) -> None:
    from matplotlib.lines import Line2D

    keys = {
        "fill": {"marker": "o", "linestyle": ""},
        "ring": {"marker": "o", "linestyle": "", "markerfacecolor": "none"},
        "arrow": {"marker": ">", "linestyle": "-", "markersize": 4},
        "number": {"marker": "$1$", "linestyle": ""},
    }
    handles = {}
    for probe in (*drawing.hints, *drawing.outputs):
        glyph = GLYPHS[probe.location, probe.kind]
        if glyph in keys:
            style = {"color": drawing.palette[probe.name], **keys[glyph]}
            handles[probe.name] = Line2D([], [], label=escape_matplotlib(probe.name), **style)
    if handles:
        columns = legend_columns(handles, figure.get_figwidth(), most=8)
        style = {"frameon": False, "fontsize": 9, "ncols": columns}
        figure.legend(handles=list(handles.values()), loc="outside lower center", **style)
