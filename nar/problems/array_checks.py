"""Validation of user-provided arrays, and the input probe `pos` that all problems share."""

import reprlib
from typing import Any

import numpy as np
from numba.extending import register_jitable

from nar.problems.exact_numbers import MAX_EXACT_INTEGER, to_float_array
from nar.problems.options import MAX_MAGNITUDE

Array = np.ndarray

# ---------------------------------------------------------------------------------------------------
# Checks


def real_array(name: str, value: Any, rank: int) -> Array:
    """Converts a value to a non-empty float array; raises ValueError if its rank or numbers are invalid."""
    array = to_float_array(name, value)
    if array.ndim != rank or not array.size:
        raise ValueError(f"{name} must be a non-empty array of rank {rank}, got shape {array.shape}")
    valid = np.abs(array) <= MAX_MAGNITUDE
    if not valid.all():
        raise ValueError(
            f"{name} must contain numbers of magnitude at most {MAX_MAGNITUDE:g}, got {array[~valid][0]:g}"
        )
    return array


def real_number(name: str, value: Any) -> float:
    """Converts a value to a finite float; raises ValueError if it is not a number."""
    expected = f"a number of magnitude at most {MAX_MAGNITUDE:g}"
    array = to_float_array(name, value, expected)
    if array.ndim or not abs(array) <= MAX_MAGNITUDE:
        raise ValueError(f"{name} must be {expected}, got {reprlib.repr(value)}")
    return float(array)


def integer_array(name: str, value: Any, low: int, high: int) -> Array:
    """Converts a value to an int array of rank 1 with entries from `low` to `high`, or raises ValueError."""
    array = real_array(name, value, rank=1)
    if (array != np.round(array)).any() or (array < low).any() or (array > high).any():
        invalid = array[(array != np.round(array)) | (array < low) | (array > high)][0]
        bounds = f"of at least {low}" if high == MAX_EXACT_INTEGER else f"from {low} to {high}"
        raise ValueError(f"{name} must contain integers {bounds}, got {invalid:g}")
    return array.astype(np.int64)


def check_same_length(**arrays: Array) -> None:
    """Raises ValueError unless all arrays have the same length."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the arguments must have the same length, got {lengths}")


def square_matrix(name: str, value: Any) -> Array:
    """Converts a value to a float matrix [N, N], or raises ValueError."""
    matrix = real_array(name, value, rank=2)
    if matrix.shape[0] != matrix.shape[1]:
        hint = "; pass a list of edges as edges=..." if matrix.shape[1] in (2, 3) else ""
        raise ValueError(f"{name} must be a square matrix, got shape {matrix.shape}{hint}")
    return matrix


def integer(name: str, value: Any, low: int, high: int, what: str = "an integer") -> int:
    """Converts a value to an int from `low` to `high`, or raises ValueError (`what` describes it there)."""
    try:
        number = float(real_array(name, value, rank=0))
    except ValueError:
        number = np.nan
    if isinstance(value, bool | np.bool_) or number not in range(low, high + 1):
        raise ValueError(f"{name} must be {what} from {low} to {high}, got {reprlib.repr(value)}")
    return int(number)


def node_index(name: str, value: Any, num_nodes: int) -> int:
    """Converts a value to a node index from 0 to num_nodes - 1, or raises ValueError."""
    return integer(name, value, 0, num_nodes - 1, "a node, an integer")


# ---------------------------------------------------------------------------------------------------
# Input probes


@register_jitable
def positions(num_nodes):
    """Normalized position i / N of each node, [N]."""
    return np.arange(num_nodes) / num_nodes
