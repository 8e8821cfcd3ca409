"""Reading of the metrics file, `metrics.jsonl`: a JSON object per line, with `step` and metrics by name."""

import contextlib
import math
import pathlib
from collections.abc import Iterator
from typing import Any

from nar.reading import parse_json, read_bytes

MAX_STEP = 2**31 - 1

Line = dict[str, float]


def read_metrics(path: pathlib.Path) -> list[Line]:
    """Reads a metrics file; an incomplete last line, which is still being written, is ignored.

    Raises:
      ValueError: if it is no regular file or a line is damaged; the message has its number.
      OSError: if it cannot be read.
    """
    lines = []
    texts = read_bytes(path).split(b"\n")
    for number, text in enumerate(texts, start=1):
        try:
            lines.append(parse_line(text))
        except ValueError as error:
            if number < len(texts):
                raise ValueError(f"{path} is damaged: line {number}: {error}") from None
    return lines


def intact_lines(path: pathlib.Path) -> Iterator[tuple[str, Line]]:
    """Yields the text and the content of each undamaged line of a metrics file.

    Raises:
      ValueError: if it is no regular file.
      OSError: if it cannot be read.
    """
    for text in read_bytes(path).split(b"\n"):
        with contextlib.suppress(ValueError):
            yield text.decode(), parse_line(text)


def parse_line(text: bytes) -> Line:
    """Parses one line.

    Raises:
      ValueError: if it is not an object with an integer `step` and finite numbers only.
    """
    line = parse_json(text.decode())
    if not isinstance(line, dict):
        raise ValueError("it is not an object")
    step = line.get("step")
    if type(step) is not int or not 0 <= step <= MAX_STEP:
        raise ValueError("it has no step")
    for name, value in line.items():
        if not is_number(value):
            raise ValueError(f"{name[:100]} is not a finite number")
    return line


def is_number(value: Any) -> bool:
    """Returns True for a finite integer or float; False for all else, Booleans included."""
    if type(value) is int:
        return abs(value) < 2**63
    return type(value) is float and math.isfinite(value)
