"""Checks of arrays that a user brings, and input probes that several problems share."""

import reprlib
from typing import Any

import numpy as np
from numba.extending import register_jitable

from nar.problems.options import LARGEST, NO_BOUND
from nar.problems.problem import Array

# ---------------------------------------------------------------------------------------------------
# Checks


def real_array(name: str, value: Any, rank: int) -> Array:
    """The value as a non-empty array of finite floats; ValueError if it is none of this rank."""
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be an array of real numbers, got {reprlib.repr(value)}")
    if array.ndim != rank or not array.size:
        raise ValueError(f"{name} must be a non-empty array of rank {rank}, got shape {array.shape}")
    array = array.astype(np.float64)
    valid = np.abs(array) <= LARGEST
    if not valid.all():
        raise ValueError(f"{name} must hold numbers of at most {LARGEST:g} in size, got {array[~valid][0]:g}")
    return array


def real_number(name: str, value: Any) -> float:
    """The value as a finite float; ValueError if it is none."""
    try:
        return float(real_array(name, value, rank=0))
    except ValueError:
        raise ValueError(
            f"{name} must be a number of at most {LARGEST:g} in size, got {reprlib.repr(value)}"
        ) from None


def integer_array(name: str, value: Any, low: int, high: int) -> Array:
    """The value as an array of rank 1 of integers from `low` to `high`; ValueError if it is none."""
    array = real_array(name, value, rank=1)
    if (array != np.round(array)).any() or (array < low).any() or (array > high).any():
        wrong = array[(array != np.round(array)) | (array < low) | (array > high)][0]
        bounds = f"of at least {low}" if high == NO_BOUND else f"from {low} to {high}"
        raise ValueError(f"{name} must hold integers {bounds}, got {wrong:g}")
    return array.astype(np.int64)


def same_length(**arrays: Array) -> None:
    """Raises ValueError unless all arrays have one length."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the arguments must have one length, got {lengths}")


def square_matrix(name: str, value: Any) -> Array:
    """The value as a matrix [N, N] of finite floats; ValueError if it is none."""
    matrix = real_array(name, value, rank=2)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be a square matrix, got shape {matrix.shape}")
    return matrix


def integer(name: str, value: Any, low: int, high: int, what: str = "an integer") -> int:
    """The value as an integer from `low` to `high`; ValueError, naming `what` is wanted, if it is none."""
    try:
        number = float(real_array(name, value, rank=0))
    except ValueError:
        number = np.nan
    if isinstance(value, bool | np.bool_) or number not in range(low, high + 1):
        raise ValueError(f"{name} must be {what} from {low} to {high}, got {reprlib.repr(value)}")
    return int(number)


def node_index(name: str, value: Any, num_nodes: int) -> int:
    """The value as one of the nodes 0 ... num_nodes - 1; ValueError if it is none."""
    return integer(name, value, 0, num_nodes - 1, "a node, an integer")


# ---------------------------------------------------------------------------------------------------
# Input probes


@register_jitable
def positions(num_nodes):
    """i / n for each of the n nodes."""
    return np.arange(num_nodes) / num_nodes
