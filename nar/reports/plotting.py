"""Files of plots, drawn by matplotlib (extra `plots`). A plot that fails costs nothing else."""

import contextlib
import importlib.util
import io
import logging
import pathlib
import textwrap
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from nar.atomic_io import atomic_write
from nar.caching import set_matplotlib_folder

_logger = logging.getLogger(__name__)

LETTER = 0.0095
"""Width of a letter of the font, in inches per point of its size."""

LEGEND_KEY = 0.75
"""Width of a key of a legend and of the spaces around it, in inches."""

_SAFE_SETTINGS = {"text.usetex": False, "axes.formatter.use_mathtext": False}
"""Settings that must not be those of a user's `matplotlibrc`: labels are escaped for them."""


@contextlib.contextmanager
def plot_context(settings: Mapping[str, Any] = MappingProxyType({})) -> Iterator[None]:
    """Context of drawing: settings of matplotlib, and no warnings of letters that its font lacks."""
    set_matplotlib_folder()
    import matplotlib

    context: Any = {**_SAFE_SETTINGS, **settings}
    with matplotlib.rc_context(context), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def legend_columns(labels: Collection[str], width: float, *, most: int = 4, points: float = 9) -> int:
    """Number of columns in which the labels of a legend fit.

    Args:
      labels: its labels.
      width: width of the figure, in inches.
      most: most columns.
      points: size of the font.
    """
    letters = max((len(line) for label in labels for line in label.splitlines()), default=0)
    return max(1, min(most, len(labels), int(width / (letters * points * LETTER + LEGEND_KEY))))


def wrap_label(label: str, width: float, *, points: float = 9) -> str:
    """A label of a legend in lines that fit in a figure of `width` inches."""
    letters = max(8, int((width - LEGEND_KEY) / (points * LETTER)))
    return "\n".join(textwrap.wrap(label, letters, break_on_hyphens=False))


def is_matplotlib_installed() -> bool:
    """True if plots can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def notebook_figure(size: tuple[float, float]) -> Any:
    """A new `matplotlib.figure.Figure` that notebooks show as a picture, also without pyplot.

    Args:
      size: width and height in inches.
    """
    import matplotlib.figure

    class NotebookFigure(matplotlib.figure.Figure):
        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            with plot_context():
                self.savefig(buffer, format="png")
            return buffer.getvalue()

    return NotebookFigure(figsize=size, layout="constrained")


def save_plot(make_figure: Callable[[], Any], path: pathlib.Path, *, dpi: int = 120) -> bool:
    """Draws a figure and writes it, as PNG or SVG by the suffix of the path, atomically.

    Args:
      make_figure: makes the figure; it may import matplotlib.
      path: file to write.
      dpi: resolution of a PNG file.

    Returns:
      False if matplotlib is not installed, or if the plot failed, in which case a warning says why.
    """
    if not is_matplotlib_installed():
        return False
    try:
        buffer = io.BytesIO()
        with plot_context():
            make_figure().savefig(buffer, format=path.suffix[1:], dpi=dpi)
        with atomic_write(path) as file:
            file.write(buffer.getvalue())
    except Exception as error:
        _logger.warning("no plot %s: %s: %s", path, type(error).__name__, error)
        return False
    return True
