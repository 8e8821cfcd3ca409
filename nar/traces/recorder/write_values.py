"""Writes values in compact form (see `nar.algorithms.Algorithm`) to the arrays of a batch.

A value is written as it is, or as one-hot vectors where the array has one axis more than the value.
Every function exists twice: in plain Python, and as a numba overload for given types.
"""

from typing import Any

import numba
import numpy as np
from numba.extending import overload, register_jitable

from nar.specs import MASKED

Arrays = tuple[np.ndarray, ...]


class InvalidClassError(ValueError):
    """A class index is out of range; arguments: number of the probe, class index, number of classes."""


class ShapeMismatchError(ValueError):
    """A value does not have the shape of its array; argument: number of the probe."""


def write(arrays: Arrays, leading: tuple[int, ...], values: tuple[Any, ...], first: int) -> None:
    """Writes each value (a number or an array) to `array[leading]`, where the array must be zero.

    Args:
      arrays: arrays of a batch.
      leading: leading indices into each array: (row,) or (step, row).
      values: one value per array.
      first: number of the first probe, for error messages.

    Raises:
      InvalidClassError: if the class of a one-hot vector is out of range.
      ShapeMismatchError: if the shape of a value does not match.
    """
    for number, (array, value) in enumerate(zip(arrays, values, strict=True), first):
        write_value(array, leading, value, number)


def write_value(array: np.ndarray, leading: tuple[int, ...], value: Any, number: int) -> None:
    """Writes one value; see `write`."""
    value = np.asarray(value)
    shape = array.shape[len(leading) :]
    if len(shape) == value.ndim:
        if shape != value.shape:
            raise ShapeMismatchError(number)
        array[leading] = value
        return
    if shape[:-1] != value.shape:
        raise ShapeMismatchError(number)
    for index in np.ndindex(value.shape):
        class_index = int(value[index])
        array[(*leading, *index, class_index)] = one_hot_entry(class_index, shape[-1], number)


def one_hot_entry(class_index: int, num_classes: int, number: int) -> int:
    """Entry of a one-hot vector at its class index: 1, or MASKED at index MASKED (-1, so the last class).

    Raises:
      InvalidClassError: if the index is neither MASKED nor one of the classes.
    """
    if not MASKED <= class_index < num_classes:
        raise InvalidClassError(number, class_index, num_classes)
    return MASKED if class_index == MASKED else 1


def clear(arrays: Arrays) -> None:
    """Sets arrays to zero."""
    for array in arrays:
        array[...] = 0


# ---------------------------------------------------------------------------------------------------
# numba overloads

_one_hot_entry = register_jitable(one_hot_entry)


def _for_each(header: str, line: str, count: int, **scope: Any) -> Any:
    """A function that repeats a line for k = 0 ... count - 1: numba cannot loop over heterogeneous tuples."""
    lines = [f"def function({header}):", *(f"    {line.format(k=k)}" for k in range(count)), "    return"]
    exec("\n".join(lines), scope)
    return scope["function"]


@overload(write, inline="always")
def _compiled_write(arrays, leading, values, first):
    line = "write_value(arrays[{k}], leading, values[{k}], first + {k})"
    return _for_each("arrays, leading, values, first", line, len(values), write_value=write_value)


@overload(clear, inline="always")
def _compiled_clear(arrays):
    return _for_each("arrays", "arrays[{k}][...] = 0", len(arrays))


@overload(write_value, inline="always")
def _compiled_write_value(array, leading, value, number):
    ndim = value.ndim if isinstance(value, numba.types.Array) else 0
    one_hot = array.ndim - len(leading) - ndim
    if isinstance(value, numba.types.Array) and ndim == 2 and one_hot == 0 and value.layout == "C":
        return _write_contiguous_matrix
    if isinstance(value, numba.types.Array) and ndim == 0:
        return lambda array, leading, value, number: write_value(array, leading, value[()], number)
    return _WRITERS[ndim, one_hot]


def _write_number(array, leading, value, number):
    array[leading] = value


def _write_vector(array, leading, value, number):
    row = array[leading]
    if len(row) != len(value):
        raise ShapeMismatchError(number)
    for i in range(len(row)):
        row[i] = value[i]


def _write_matrix(array, leading, value, number):
    row = array[leading]
    if row.shape != value.shape:
        raise ShapeMismatchError(number)
    for i in range(row.shape[0]):
        for j in range(row.shape[1]):
            row[i, j] = value[i, j]


def _write_vectors_of_pairs(array, leading, value, number):
    row = array[leading]
    if row.shape != value.shape:
        raise ShapeMismatchError(number)
    for i in range(row.shape[0]):
        for j in range(row.shape[1]):
            for k in range(row.shape[2]):
                row[i, j, k] = value[i, j, k]


def _write_contiguous_matrix(array, leading, value, number):
    row = array[leading]
    if row.shape != value.shape:
        raise ShapeMismatchError(number)
    flat, values = row.reshape(-1), value.reshape(-1)
    for k in range(len(flat)):
        flat[k] = values[k]


def _write_class(array, leading, value, number):
    row = array[leading]
    class_index = int(value)
    row[class_index] = _one_hot_entry(class_index, len(row), number)


def _write_classes(array, leading, value, number):
    rows = array[leading]
    if len(rows) != len(value):
        raise ShapeMismatchError(number)
    for i in range(len(value)):
        class_index = int(value[i])
        rows[i, class_index] = _one_hot_entry(class_index, rows.shape[1], number)


def _write_classes_of_pairs(array, leading, value, number):
    rows = array[leading]
    if rows.shape[:2] != value.shape:
        raise ShapeMismatchError(number)
    for i in range(value.shape[0]):
        for j in range(value.shape[1]):
            class_index = int(value[i, j])
            rows[i, j, class_index] = _one_hot_entry(class_index, rows.shape[2], number)


_WRITERS = {
    (0, 0): _write_number,
    (1, 0): _write_vector,
    (2, 0): _write_matrix,
    (3, 0): _write_vectors_of_pairs,
    (0, 1): _write_class,
    (1, 1): _write_classes,
    (2, 1): _write_classes_of_pairs,
}
"""Writers by the number of axes of the value, and of axes added by one-hot encoding (0 or 1)."""
