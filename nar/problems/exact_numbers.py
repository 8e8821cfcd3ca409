"""Conversion of user-provided numbers to float64 without a change of their order.

Algorithms run in float64. Integers are converted exactly or refused. Other numbers (decimals, fractions, long
doubles) are rounded like literals of Python, but refused if two different ones would become equal.
"""

import decimal
import numbers
import reprlib
from collections.abc import Iterable
from typing import Any

import numpy as np

MAX_EXACT_INTEGER = 2**53
"""Bound below which all integers are exact as floats."""

_NAME = "an array of real numbers"


def to_float_array(name: str, value: Any, expected: str = _NAME) -> np.ndarray:
    """Converts numbers to a float64 array of any shape.

    Args:
      name: name of the argument, for error messages.
      value: a number, nested sequences of numbers, or an array or series of them.
      expected: noun phrase for valid values, for error messages.

    Raises:
      ValueError: if values are missing (masked), are not real numbers, or cannot be represented.
    """
    check_unmasked(name, value)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):  # nested sequences of different lengths
        array = np.asarray(None)
    if array.dtype.kind == "O":
        return _from_objects(name, value, array, expected)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be {expected}, got {reprlib.repr(value)}")
    if array.dtype.kind == "f" and isinstance(value, list | tuple):
        # numpy converts integers to floats if the sequence also has floats, or both int64 and uint64.
        _check_integers(name, _large_integers(map(_item, np.asarray(value, dtype=object).flat)))
    if array.dtype.kind in "iu":
        large = (array > MAX_EXACT_INTEGER) | (array < -MAX_EXACT_INTEGER)
        _check_integers(name, array[large].tolist())
    with np.errstate(over="ignore"):
        floats = array.astype(np.float64)
    if array.dtype.kind == "f" and array.dtype.itemsize > floats.dtype.itemsize:
        _check_distinct(name, len(np.unique(array)), len(np.unique(floats)))
    return floats


def to_float(value: Any) -> float | None:
    """Converts one number to a float; None if it is no real number, or an integer that would be rounded."""
    if type(value) is float:
        return value
    value = _item(value)
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, decimal.Decimal)):
        return None
    number = _rounded(value)
    return None if isinstance(value, numbers.Integral) and number != value else number


def check_told_apart(name: str, *values: Any) -> None:
    """Raises ValueError if different ones of several valid numbers or arrays would become equal as floats."""
    items = [_item(item) for value in values for item in np.asarray(value, dtype=object).ravel().tolist()]
    _check_distinct(name, len(set(items)), len({_rounded(item) for item in items}))


def check_unmasked(name: str, value: Any) -> None:
    """Raises ValueError if an array, or one of a sequence of arrays, has masked entries."""
    parts = value if isinstance(value, list | tuple) else [value]
    for part in parts:
        if part is np.ma.masked or (isinstance(part, np.ma.MaskedArray) and np.ma.getmaskarray(part).any()):
            raise ValueError(f"{name} must not have masked entries; fill them or leave them out")


def _from_objects(name: str, value: Any, array: np.ndarray, expected: str) -> np.ndarray:
    items = [_item(item) for item in array.ravel().tolist()]
    for item in items:
        if not isinstance(item, numbers.Real | decimal.Decimal):
            raise ValueError(f"{name} must be {expected}, got {reprlib.repr(value)}")
    _check_integers(name, _large_integers(items))
    floats = [_rounded(item) for item in items]
    _check_distinct(name, len(set(items)), len(set(floats)))
    return np.array(floats, np.float64).reshape(array.shape)


def _item(value: Any) -> Any:
    """The Python object that a scalar of numpy, or an array of one number of any library, holds."""
    is_scalar = hasattr(value, "item") and getattr(value, "ndim", None) == 0
    return value.item() if is_scalar else value  # a long double stays one


def _rounded(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else -float("inf")
    except ValueError:  # a signaling NaN of `decimal`
        return float("nan")


def _large_integers(items: Iterable[Any]) -> list[Any]:
    return [item for item in items if isinstance(item, int) and abs(item) > MAX_EXACT_INTEGER]


def _check_integers(name: str, integers: Iterable[int]) -> None:
    for integer in integers:
        if _rounded(integer) != integer:
            raise ValueError(
                f"{name} must contain numbers that float64 represents, got the integer {_shown(integer)}; "
                f"integers are exact up to 2**53: subtract a common offset, or divide by a common factor"
            )


def _shown(integer: int) -> str:
    return str(integer) if abs(integer) < 10**40 else "of more than 40 digits"


def _check_distinct(name: str, num_exact: int, num_floats: int) -> None:
    if num_floats < num_exact:
        raise ValueError(
            f"{name} must contain numbers that float64 tells apart, got different numbers that it rounds to "
            "the same one"
        )
