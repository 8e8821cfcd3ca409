"""Rich display in notebooks: traces, batches and predictions as tables of named arrays, in HTML."""

import html
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

MAX_VALUES = 16
"""Values of an array that are shown; of longer ones only the shape and the dtype."""


def arrays_table(title: str, sections: Mapping[str, Mapping[str, Any]]) -> str:
    """A table with a row for each array: section, name, shape, dtype and, of short ones, the values.

    Args:
      title: the line above the table.
      sections: section, such as `inputs` -> arrays by name.
    """
    rows = [
        (section, name, *_describe(array))
        for section, arrays in sections.items()
        for name, array in arrays.items()
    ]
    return cells_table(title, ("", "probe", "shape", "dtype", "values"), rows)


def cells_table(title: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of text cells, which are escaped."""
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    caption = f'<caption style="caption-side: top; text-align: left">{html.escape(title)}</caption>'
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _describe(array: Any) -> tuple[str, str, str]:
    """Shape, dtype and values."""
    array = np.asarray(array)
    shape = " × ".join(map(str, array.shape)) or "scalar"
    values = np.array2string(array, precision=3, separator=", ") if array.size <= MAX_VALUES else ""
    return shape, str(array.dtype), values
