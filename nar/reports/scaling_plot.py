"""What something costs as something else grows, on logarithmic axes. Needs matplotlib (extra `plots`)."""

import pathlib
from collections.abc import Mapping

from nar.atomic_io import atomic_write

FORMATS = (".png", ".svg")


def draw_scaling(
    lines: Mapping[str, Mapping[str, Mapping[int, float]]], cost: str, picture: pathlib.Path
) -> bool:
    """Draws a panel for each thing that grows.

    Args:
      lines: what grows -> label of a line -> value -> cost.
      cost: what is measured, with its unit.
      picture: PNG or SVG file, by its suffix; replaced as a whole.

    Returns:
      False if matplotlib is not installed and nothing was drawn.

    Raises:
      ValueError: if the suffix is another one.
    """
    check_plot_path(picture)
    try:
        import matplotlib.figure
        import matplotlib.ticker
    except ImportError:
        return False
    figure = matplotlib.figure.Figure(figsize=(2.8 * len(lines) + 0.6, 3.4), layout="constrained")
    grid = figure.subplots(1, len(lines), squeeze=False, sharey=True)[0]
    for axes, (what, of_labels) in zip(grid, lines.items(), strict=True):
        for label, points in of_labels.items():
            axes.plot(list(points), list(points.values()), marker="o", linewidth=1.4, label=label)
        axes.set(xscale="log", yscale="log")
        values = sorted({value for points in of_labels.values() for value in points})
        axes.set_xticks(values, labels=[str(value) for value in values])
        axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        axes.set_xlabel(what)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_ylabel(cost)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    with atomic_write(picture) as file:
        figure.savefig(file, format=picture.suffix[1:], dpi=120)
    return True


def check_plot_path(picture: pathlib.Path) -> None:
    """Raises ValueError unless a picture can be written in the format of this suffix."""
    if picture.suffix not in FORMATS:
        raise ValueError(f"a picture must end in {' or '.join(FORMATS)}, got {str(picture)!r}")
    if not picture.parent.is_dir():
        raise ValueError(f"there is no folder {str(picture.parent)!r} for the picture")
