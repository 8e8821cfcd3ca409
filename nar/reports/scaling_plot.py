"""Cost as a function of one or more growing quantities, on log axes. Needs matplotlib (extra `plots`)."""

import pathlib
from collections.abc import Mapping
from typing import Any

from nar.reports.escape import escape_matplotlib
from nar.reports.plotting import legend_columns, save_plot, wrap_label

FORMATS = (".png", ".svg")


def draw_scaling(
    lines: Mapping[str, Mapping[str, Mapping[int, float]]], cost: str, path: pathlib.Path
) -> bool:
    """Draws a panel per growing quantity.

    Args:
      lines: quantity -> label of a line -> value of the quantity -> cost.
      cost: label of the cost axis, with its unit.
      path: PNG or SVG file to write, by its suffix; replaced atomically.

    Returns:
      False if nothing was drawn; see `save_plot`.

    Raises:
      ValueError: if the suffix is not one of `FORMATS`, or the parent folder does not exist.
    """
    check_plot_path(path)
    return save_plot(lambda: _figure(lines, cost), path)


def _figure(lines: Mapping[str, Mapping[str, Mapping[int, float]]], cost: str) -> Any:
    import matplotlib.figure
    import matplotlib.ticker

    figure = matplotlib.figure.Figure(figsize=(2.8 * len(lines) + 0.6, 3.4), layout="constrained")
    grid = figure.subplots(1, len(lines), squeeze=False, sharey=True)[0]
    for axes, (quantity, by_label) in zip(grid, lines.items(), strict=True):
        for label, points in by_label.items():
            style = {"marker": "o", "linewidth": 1.4, "label": escape_matplotlib(label)}
            axes.plot(list(points), list(points.values()), **style)
        axes.set(xscale="log", yscale="log")
        values = sorted({value for points in by_label.values() for value in points})
        axes.set_xticks(values, labels=[str(value) for value in values])
        axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        axes.set_xlabel(escape_matplotlib(quantity))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_ylabel(escape_matplotlib(cost))
    handles, labels = grid[0].get_legend_handles_labels()
    width = figure.get_figwidth()
    labels = [wrap_label(label, width, points=10) for label in labels]
    columns = legend_columns(labels, width, points=10)
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, frameon=False)
    return figure


def check_plot_path(path: pathlib.Path) -> None:
    """Raises ValueError unless the suffix is one of `FORMATS` and the parent folder exists."""
    if path.suffix not in FORMATS:
        raise ValueError(f"a plot's file name must end in {' or '.join(FORMATS)}, got {str(path)!r}")
    if not path.parent.is_dir():
        raise ValueError(f"the folder {str(path.parent)!r} of the plot does not exist")
