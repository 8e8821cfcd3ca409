"""Writing what algorithms deal in (the compact form, see `nar.algorithms.Algorithm`) into arrays of a batch.

A value goes to its place as it is, or as one-hot vectors where the array has one axis more than the value.
Everything exists twice: as plain Python, and as what numba compiles for given types.
"""

from typing import Any

import numba
import numpy as np
from numba.extending import overload, register_jitable

from nar.specs import MASKED

Arrays = tuple[np.ndarray, ...]


class NotAClass(ValueError):
    """A one-hot vector cannot be made; arguments: number of the probe, the would-be class, their number."""


class AnotherShape(ValueError):
    """A value does not have the shape of its place; argument: number of the probe."""


def write(arrays: Arrays, place: tuple[int, ...], values: tuple[Any, ...], first: int) -> None:
    """Writes each value (a number or an array) into its array at a place; the arrays are zero there.

    Args:
      arrays: of a batch.
      place: the leading indices, into each array.
      values: as many as arrays.
      first: number of the first probe, for errors.

    Raises:
      NotAClass: if a one-hot vector cannot be made.
      AnotherShape: if a value does not fit.
    """
    for number, (array, value) in enumerate(zip(arrays, values, strict=True), first):
        write_value(array, place, value, number)


def write_value(array: np.ndarray, place: tuple[int, ...], value: Any, number: int) -> None:
    """Writes one value; see `write`."""
    value = np.asarray(value)
    shape = array.shape[len(place) :]
    if len(shape) == value.ndim:
        if shape != value.shape:
            raise AnotherShape(number)
        array[place] = value
        return
    if shape[:-1] != value.shape:
        raise AnotherShape(number)
    for index in np.ndindex(value.shape):
        chosen = int(value[index])
        array[(*place, *index, chosen)] = entry_of(chosen, shape[-1], number)


def entry_of(chosen: int, num_classes: int, number: int) -> int:
    """What stands in the chosen class of a one-hot vector: 1, or MASKED, which is the last class too.

    Raises:
      NotAClass: if it is neither MASKED nor one of the classes.
    """
    if not MASKED <= chosen < num_classes:
        raise NotAClass(number, chosen, num_classes)
    return MASKED if chosen == MASKED else 1


def clear(arrays: Arrays) -> None:
    """Sets arrays to zero."""
    for array in arrays:
        array[...] = 0


# ---------------------------------------------------------------------------------------------------
# Compiled

_entry_of = register_jitable(entry_of)


def _for_each(header: str, line: str, count: int, **scope: Any) -> Any:
    """A function that repeats a line for k = 0 ... count - 1: tuples of different types have no loops."""
    lines = [f"def function({header}):", *(f"    {line.format(k=k)}" for k in range(count)), "    return"]
    exec("\n".join(lines), scope)
    return scope["function"]


@overload(write, inline="always")
def _compiled_write(arrays, place, values, first):
    line = "write_value(arrays[{k}], place, values[{k}], first + {k})"
    return _for_each("arrays, place, values, first", line, len(values), write_value=write_value)


@overload(clear, inline="always")
def _compiled_clear(arrays):
    return _for_each("arrays", "arrays[{k}][...] = 0", len(arrays))


@overload(write_value, inline="always")
def _compiled_write_value(array, place, value, number):
    ndim = value.ndim if isinstance(value, numba.types.Array) else 0
    one_hot = array.ndim - len(place) - ndim
    if isinstance(value, numba.types.Array) and ndim == 2 and one_hot == 0 and value.layout == "C":
        return _write_contiguous_matrix
    if isinstance(value, numba.types.Array) and ndim == 0:
        return lambda array, place, value, number: write_value(array, place, value[()], number)
    return _WRITERS[ndim, one_hot]


def _write_number(array, place, value, number):
    array[place] = value


def _write_vector(array, place, value, number):
    row = array[place]
    if len(row) != len(value):
        raise AnotherShape(number)
    for i in range(len(row)):
        row[i] = value[i]


def _write_matrix(array, place, value, number):
    row = array[place]
    if row.shape != value.shape:
        raise AnotherShape(number)
    for i in range(row.shape[0]):
        for j in range(row.shape[1]):
            row[i, j] = value[i, j]


def _write_contiguous_matrix(array, place, value, number):
    row = array[place]
    if row.shape != value.shape:
        raise AnotherShape(number)
    flat, values = row.reshape(-1), value.reshape(-1)
    for k in range(len(flat)):
        flat[k] = values[k]


def _write_class(array, place, value, number):
    row = array[place]
    chosen = int(value)
    row[chosen] = _entry_of(chosen, len(row), number)


def _write_classes(array, place, value, number):
    rows = array[place]
    if len(rows) != len(value):
        raise AnotherShape(number)
    for i in range(len(value)):
        chosen = int(value[i])
        rows[i, chosen] = _entry_of(chosen, rows.shape[1], number)


def _write_classes_of_pairs(array, place, value, number):
    rows = array[place]
    if rows.shape[:2] != value.shape:
        raise AnotherShape(number)
    for i in range(value.shape[0]):
        for j in range(value.shape[1]):
            chosen = int(value[i, j])
            rows[i, j, chosen] = _entry_of(chosen, rows.shape[2], number)


_WRITERS = {
    (0, 0): _write_number,
    (1, 0): _write_vector,
    (2, 0): _write_matrix,
    (0, 1): _write_class,
    (1, 1): _write_classes,
    (2, 1): _write_classes_of_pairs,
}
"""By the number of axes of the value, and of axes that a one-hot vector adds."""
