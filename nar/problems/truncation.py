"""Cutting decimals off the numbers of a problem, before an algorithm runs on it."""

from typing import Any

import numba
import numpy as np
from numba.extending import overload, register_jitable

from nar.problems.options import MOST_DECIMALS
from nar.problems.problem import Arguments

POWERS_OF_TEN = np.array([float(10**k) for k in range(MOST_DECIMALS + 1)])
"""Those up to 10**22 are exact."""


def truncated(arguments: Arguments, decimals: int | None) -> Arguments:
    """The arguments with so many decimals of each real number; whole numbers stay as they are.

    Numbers are cut towards 0, as dm-clrs's samplers do it: `trunc(x * 10**decimals) / 10**decimals`. So 0.29
    with two decimals is 0.28.

    Args:
      arguments: of an algorithm; compiled code changes arrays in place.
      decimals: at most `MOST_DECIMALS`; None or 0 changes nothing.
    """
    return tuple(cut(argument, decimals) for argument in arguments) if decimals else arguments


def cut(value: Any, decimals: int) -> Any:
    """A number or array with so many decimals, if it is of real numbers and decimals is not 0."""
    if not decimals or (not isinstance(value, float) and getattr(value, "dtype", np.dtype(int)).kind != "f"):
        return value
    power = POWERS_OF_TEN[decimals]
    return np.trunc(value * power) / power


# ---------------------------------------------------------------------------------------------------
# Compiled


@register_jitable
def cut_array(array, decimals):
    """Cuts the decimals of an array of real numbers off, in place."""
    power = POWERS_OF_TEN[decimals]
    for place in np.ndindex(array.shape):
        array[place] = np.trunc(array[place] * power) / power


@overload(cut)
def _compiled_cut(value, decimals):
    if isinstance(value, numba.types.Float):

        def number(value, decimals):
            power = POWERS_OF_TEN[decimals]
            return np.trunc(value * power) / power if decimals else value

        return number
    if isinstance(value, numba.types.Array) and isinstance(value.dtype, numba.types.Float):

        def numbers(value, decimals):
            if decimals:
                cut_array(value, decimals)
            return value

        return numbers
    return lambda value, decimals: value


@overload(truncated)
def _compiled_truncated(arguments, decimals):
    if not isinstance(decimals, numba.types.Integer):
        return lambda arguments, decimals: arguments
    # Tuples of different types have no loops.
    values = "".join(f"cut(arguments[{k}], decimals), " for k in range(len(arguments)))
    scope: dict[str, Any] = {"cut": cut}
    exec(f"def function(arguments, decimals):\n    return ({values})", scope)
    return scope["function"]
