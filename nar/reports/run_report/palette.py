"""The colors of the pages, for what matplotlib draws."""

import functools
import importlib.resources
import re

_SERIES = (0, 1, 2, 3, 5, 6, 7, 4)
"""Of the colors c0, c1, ... those of lines and bars, in their order."""

NUM_SERIES = len(_SERIES)


@functools.cache
def light() -> dict[str, str]:
    """Name of each color -> its light value, as `palette.css` has it."""
    text = importlib.resources.files("nar.reports").joinpath("assets", "palette.css").read_text("utf-8")
    return dict(re.findall(r"--([\w-]+): (#\w+);", text.split("@media")[0]))


def color(name: str) -> str:
    """The light value of a color."""
    return light()[name]


def series(number: int) -> str:
    """The color of the line or bar of this number."""
    return color(f"c{_SERIES[number % len(_SERIES)]}")
