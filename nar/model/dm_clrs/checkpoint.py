"""Checkpoint files of dm-clrs 2.0.3, read without running what a pickle may hold.

`BaselineModel.save_model` pickles a dictionary of parameters and of the optimizer's state. A pickle can name
any function to be called. Here it can name those that build an array, for which functions of this file stand,
and types of optax, for which stands what holds nothing; at any other name reading ends.
"""

import codecs
import io
import pathlib
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np


class _Nothing(tuple):
    """Stands for a part of the optimizer's state: takes anything, keeps nothing."""

    def __new__(cls, *arguments: Any) -> "_Nothing":
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        del state


def _empty_array(kind: Any, shape: Any, code: Any) -> np.ndarray:
    """What numpy fills in later."""
    del kind, shape, code
    return np.empty(0)


def _from_buffer(buffer: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


def _scalar(dtype: np.dtype, data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype=dtype, count=1).reshape(())


def _jax_array(build: Any, arguments: Any, state: Any, about: Any) -> np.ndarray:
    """jax keeps the numpy array, in pieces, and facts about the device."""
    del about
    array = build(*arguments)
    if state is not None:
        array.__setstate__(state)
    return array


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return codecs.encode(text, encoding)


_ADMITTED: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("jax._src.array", "_reconstruct_array"): _jax_array,
    ("haiku._src.data_structures", "FlatMapping"): dict,
    ("_codecs", "encode"): _encode,
}
"""(module, name) -> what is called instead, or is harmless itself."""


class _Reader(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        """What stands for a name in the file."""
        if module_name.split(".")[0] == "optax":
            return _Nothing
        # Before version 2, numpy._core was numpy.core.
        place = (module_name.replace("numpy.core.", "numpy._core."), global_name)
        if place not in _ADMITTED:
            raise pickle.UnpicklingError(
                f"it names {module_name}.{global_name}, which is no part of an array"
            )
        return _ADMITTED[place]


def read_checkpoint(path: str | pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    """Parameters from a file that `BaselineModel.save_model` of dm-clrs wrote.

    Returns:
      Module path -> parameter name -> array, under their names; see `convert_parameters`. The optimizer's
      state is left out.

    Raises:
      ValueError: if it is not such a file, or if it holds anything but arrays.
      OSError: if the file cannot be read.
    """
    content = pathlib.Path(path).read_bytes()
    try:
        found = _Reader(io.BytesIO(content)).load()
        params = {str(module): dict(leaves) for module, leaves in found["params"].items()}
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise ValueError(
            f"{path} is no checkpoint of dm-clrs, which holds arrays under 'params'; {reason}"
        ) from None
    for module, leaves in params.items():
        for name, leaf in leaves.items():
            kind = getattr(leaf, "dtype", type(leaf).__name__)
            if not isinstance(leaf, np.ndarray) or not np.issubdtype(leaf.dtype, np.floating):
                raise ValueError(f"{path}: {module}/{name} is no array of real numbers, but of type {kind}")
    return params
