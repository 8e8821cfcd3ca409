"""The palette of the pages, for matplotlib."""

import functools
import importlib.resources
import re

_SERIES = (0, 1, 2, 3, 5, 6, 7, 4)
"""Indices of the colors c0, c1, ... that lines and bars use, in order."""

NUM_SERIES = len(_SERIES)


@functools.cache
def light() -> dict[str, str]:
    """Color name -> its value in the light scheme, from `palette.css`."""
    text = importlib.resources.files("nar.reports").joinpath("assets", "palette.css").read_text("utf-8")
    return dict(re.findall(r"--([\w-]+): (#\w+);", text.split("@media")[0]))


def color(name: str) -> str:
    """Value of a color in the light scheme."""
    return light()[name]


def series(number: int) -> str:
    """Color of the line or bar with this number."""
    return color(f"c{_SERIES[number % len(_SERIES)]}")
