"""Cost as a function of one or more growing quantities, on log axes. Needs matplotlib (extra `plots`)."""

import pathlib
from collections.abc import Mapping

from nar.atomic_io import atomic_write

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
      False if matplotlib is not installed and nothing was drawn.

    Raises:
      ValueError: if the suffix is not one of `FORMATS`, or the parent folder does not exist.
    """
    check_plot_path(path)
    try:
        import matplotlib.figure
        import matplotlib.ticker
    except ImportError:
        return False
    figure = matplotlib.figure.Figure(figsize=(2.8 * len(lines) + 0.6, 3.4), layout="constrained")
    grid = figure.subplots(1, len(lines), squeeze=False, sharey=True)[0]
    for axes, (quantity, by_label) in zip(grid, lines.items(), strict=True):
        for label, points in by_label.items():
            axes.plot(list(points), list(points.values()), marker="o", linewidth=1.4, label=label)
        axes.set(xscale="log", yscale="log")
        values = sorted({value for points in by_label.values() for value in points})
        axes.set_xticks(values, labels=[str(value) for value in values])
        axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        axes.set_xlabel(quantity)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_ylabel(cost)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    with atomic_write(path) as file:
        figure.savefig(file, format=path.suffix[1:], dpi=120)
    return True


def check_plot_path(path: pathlib.Path) -> None:
    """Raises ValueError unless the suffix is one of `FORMATS` and the parent folder exists."""
    if path.suffix not in FORMATS:
        raise ValueError(f"a plot's file name must end in {' or '.join(FORMATS)}, got {str(path)!r}")
    if not path.parent.is_dir():
        raise ValueError(f"the folder {str(path.parent)!r} of the plot does not exist")
