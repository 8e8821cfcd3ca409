"""Truncation of the numbers of a problem to fewer decimals, before an algorithm runs on it."""

from typing import Any

import numba
import numpy as np
from numba.extending import overload, register_jitable

from nar.problems.options import MAX_DECIMALS
from nar.problems.problem import Arguments

POWERS_OF_TEN = np.array([float(10**k) for k in range(MAX_DECIMALS + 1)])
"""Powers of ten as floats; those up to 10**22 are exact."""


def truncate_arguments(arguments: Arguments, decimals: int | None) -> Arguments:
    """Truncates all floats among an algorithm's arguments to a number of decimals; keeps integers.

    Numbers are truncated toward 0 as in dm-clrs's samplers: `trunc(x * 10**decimals) / 10**decimals`. So 0.29
    with two decimals becomes 0.28.

    Args:
      arguments: arguments of an algorithm; compiled code changes arrays in place.
      decimals: at most `MAX_DECIMALS`; None or 0 changes nothing.
    """
    return tuple(truncate(argument, decimals) for argument in arguments) if decimals else arguments


def truncate(value: Any, decimals: int) -> Any:
    """Truncates a float or float array to a number of decimals; if decimals is 0, returns it unchanged."""
    if not decimals or (not isinstance(value, float) and getattr(value, "dtype", np.dtype(int)).kind != "f"):
        return value
    power = POWERS_OF_TEN[decimals]
    return np.trunc(value * power) / power


# ---------------------------------------------------------------------------------------------------
# Compiled code


@register_jitable
def truncate_in_place(array, decimals):
    """Truncates a float array to a number of decimals, in place."""
    power = POWERS_OF_TEN[decimals]
    for index in np.ndindex(array.shape):
        array[index] = np.trunc(array[index] * power) / power


@overload(truncate)
def _compiled_cut(value, decimals):
    if isinstance(value, numba.types.Float):

        def number(value, decimals):
            power = POWERS_OF_TEN[decimals]
            return np.trunc(value * power) / power if decimals else value

        return number
    if isinstance(value, numba.types.Array) and isinstance(value.dtype, numba.types.Float):

        def numbers(value, decimals):
            if decimals:
                truncate_in_place(value, decimals)
            return value

        return numbers
    return lambda value, decimals: value


@overload(truncate_arguments)
def _compiled_truncated(arguments, decimals):
    if not isinstance(decimals, numba.types.Integer):
        return lambda arguments, decimals: arguments
    # Numba cannot loop over heterogeneous tuples, so the loop is unrolled.
    values = "".join(f"truncate(arguments[{k}], decimals), " for k in range(len(arguments)))
    scope: dict[str, Any] = {"truncate": truncate}
    exec(f"def function(arguments, decimals):\n    return ({values})", scope)
    return scope["function"]
