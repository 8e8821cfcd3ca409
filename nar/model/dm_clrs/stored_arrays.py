"""Arrays in a pickle: the few functions of numpy and jax that dm-clrs checkpoints call, on checked arguments.

Nothing of numpy, jax or optax is called while a file is read. A function gets its arguments as read, checks
them and returns a description; `StoredArray.to_numpy` makes an array of it.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

DTYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
"""Dtypes that can be read; integers and booleans occur in optimizer state only."""

_MAX_DIMENSIONS = 8
_BYTE_ORDERS = ("<", ">", "|", "=")


class Global(NamedTuple):
    """Name of a function or class in a pickle; it is never imported."""

    module: str
    name: str


OPTIMIZER_STATE = object()
"""Placeholder for any object of optax, whose contents are dropped."""


class StoredDtype:
    """Dtype in a pickle, of native byte order until its state is read."""

    def __init__(self, code: str) -> None:
        """Creates the dtype of a code in `DTYPES`."""
        self.dtype = np.dtype(code)

    def set_state(self, state: Any) -> None:
        """Sets the byte order, the only part of the state that differs between these dtypes."""
        match state:
            case (3, str() as order, None, None, None, -1, -1, 0) if order in _BYTE_ORDERS:
                self.dtype = self.dtype.newbyteorder(order)
            case _:
                raise ValueError("a dtype must have a byte order and no fields, subarray or flags")


@dataclasses.dataclass(eq=False)
class StoredArray:
    """Array in a pickle; it has no data until its state is read.

    Attributes:
      data: content, or None.
      dtype: dtype of the content.
      shape: shape of the content, before the transposition to `axes`.
      order: memory layout, "C" or "F".
      axes: permutation of the axes, or None.
    """

    data: bytes | None = None
    dtype: np.dtype = dataclasses.field(default_factory=lambda: np.dtype("f4"))
    shape: tuple[int, ...] = ()
    order: str = "C"
    axes: tuple[int, ...] | None = None

    def set_state(self, state: Any) -> None:
        """Fills an empty array with the state that numpy pickles."""
        match state:
            case (1, shape, StoredDtype() as kind, bool() as is_fortran, bytes() as data):
                if self.data is not None:
                    raise ValueError("an array must not be filled twice")
                self.fill(data, kind, shape, "F" if is_fortran else "C")
            case _:
                raise ValueError("the state of an array must be its shape, dtype, memory layout and bytes")

    def fill(self, data: bytes, kind: StoredDtype, shape: Any, order: str) -> None:
        """Sets the content, whose size must be that of the shape."""
        self.shape, self.dtype, self.order = _checked_shape(shape), kind.dtype, order
        expected = math.prod(self.shape) * self.dtype.itemsize
        if len(data) != expected:
            raise ValueError(
                f"an array of {self.dtype} {self.shape} must have {expected} bytes, got {len(data)}"
            )
        self.data = data

    def to_numpy(self) -> np.ndarray:
        """The array, in native byte order.

        Raises:
          ValueError: if it has no data.
        """
        if self.data is None:
            raise ValueError("an array must have a state, its shape, dtype and bytes")
        array = np.frombuffer(self.data, self.dtype).reshape(self.shape, order=self.order)  # pyright: ignore[reportCallIssue, reportArgumentType]
        array = array if self.axes is None else array.transpose(self.axes)
        return array.astype(self.dtype.newbyteorder("="), copy=False)


def _checked_shape(shape: Any) -> tuple[int, ...]:
    """A tuple of at most 8 positive integers."""
    if type(shape) is not tuple or len(shape) > _MAX_DIMENSIONS:
        raise ValueError(f"a shape must be a tuple of at most {_MAX_DIMENSIONS} integers")
    if not all(type(size) is int and size > 0 for size in shape):
        raise ValueError("the sizes of a shape must be positive integers")
    return shape


# ---------------------------------------------------------------------------------------------------
# Functions


def _dtype(arguments: tuple[Any, ...]) -> StoredDtype:
    match arguments:
        case (str() as code, bool(), bool()) if code in DTYPES:
            return StoredDtype(code)
        case (str() as code, *_):
            raise ValueError(f"the dtype {code[:20]!r} is not allowed; known: {', '.join(DTYPES)}")
    raise ValueError("a dtype must be named")


def _reconstruct(arguments: tuple[Any, ...]) -> StoredArray:
    match arguments:
        case (Global("numpy", "ndarray"), (0,), b"b"):
            return StoredArray()
    raise ValueError("an array must be made empty before it is filled")


def _from_buffer(arguments: tuple[Any, ...]) -> StoredArray:
    array = StoredArray()
    match arguments:
        case (bytes() as data, StoredDtype() as kind, shape, "C" | "F" as order):
            array.fill(data, kind, shape, order)
        case (bytes() as data, StoredDtype() as kind, shape, "K", tuple() as axes):
            array.fill(data, kind, shape, "C")
            if not all(type(axis) is int for axis in axes) or sorted(axes) != list(range(len(array.shape))):
                raise ValueError("the order of axes must be a permutation")
            array.axes = axes
        case _:
            raise ValueError("an array must be made of bytes, a dtype, a shape and an order of C, F or K")
    return array


def _scalar(arguments: tuple[Any, ...]) -> StoredArray:
    match arguments:
        case (StoredDtype() as kind, bytes() as data):
            array = StoredArray()
            array.fill(data, kind, (), "C")
            return array
    raise ValueError("a scalar must be made of a dtype and bytes")


def _jax_array(arguments: tuple[Any, ...]) -> StoredArray:
    match arguments:
        case (Global("numpy._core.multiarray", "_reconstruct"), tuple() as its_arguments, state, _):
            array = _reconstruct(its_arguments)
            array.set_state(state)
            return array
    raise ValueError("a jax array must contain a numpy array")


def _flat_mapping(arguments: tuple[Any, ...]) -> dict[str, Any]:
    match arguments:
        case (dict() as mapping,):
            return mapping
    raise ValueError("a FlatMapping must contain a dict")


FUNCTIONS: Mapping[Global, Callable[[tuple[Any, ...]], Any]] = {
    Global("numpy", "dtype"): _dtype,
    Global("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    Global("numpy._core.multiarray", "scalar"): _scalar,
    Global("numpy._core.numeric", "_frombuffer"): _from_buffer,
    Global("jax._src.array", "_reconstruct_array"): _jax_array,
    Global("haiku._src.data_structures", "FlatMapping"): _flat_mapping,
}
"""Function in a pickle -> its replacement, which gets the tuple of arguments."""
