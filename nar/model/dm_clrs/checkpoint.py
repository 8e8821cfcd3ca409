"""Safe reader of dm-clrs 2.0.3 checkpoints, which are pickles.

`BaselineModel.save_model` pickles a dictionary of parameters and optimizer state, and a pickle can call any
function. This reader admits only the functions that build arrays, which it replaces by functions of this
file, and types of optax, which it replaces by an empty placeholder; any other name is an error.
"""

import codecs
import io
import pathlib
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np


class _Placeholder(tuple):
    """Placeholder for optimizer state: accepts any arguments and stores nothing."""

    def __new__(cls, *arguments: Any) -> "_Placeholder":
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        del state


def _empty_array(kind: Any, shape: Any, code: Any) -> np.ndarray:
    """Makes an array that unpickling fills in later."""
    del kind, shape, code
    return np.empty(0)


def _from_buffer(buffer: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


def _scalar(dtype: np.dtype, data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype=dtype, count=1).reshape(())


def _jax_array(build: Any, arguments: Any, state: Any, aval_state: Any) -> np.ndarray:
    """Rebuilds a pickled jax array as the numpy array that it contains."""
    del aval_state
    array = build(*arguments)
    if state is not None:
        array.__setstate__(state)
    return array


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return codecs.encode(text, encoding)


_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("jax._src.array", "_reconstruct_array"): _jax_array,
    ("haiku._src.data_structures", "FlatMapping"): dict,
    ("_codecs", "encode"): _encode,
}
"""(module, name) -> replacement, or the object itself if it is harmless."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        """Looks up the replacement of a global name in the file."""
        if module_name.split(".")[0] == "optax":
            return _Placeholder
        # numpy._core was numpy.core before numpy 2.
        key = (module_name.replace("numpy.core.", "numpy._core."), global_name)
        if key not in _ALLOWED:
            raise pickle.UnpicklingError(
                f"the global {module_name}.{global_name} is not allowed: only arrays can be read"
            )
        return _ALLOWED[key]


def read_checkpoint(path: str | pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    """Reads the parameters of a checkpoint written by `BaselineModel.save_model` of dm-clrs.

    Returns:
      Module path -> parameter name -> array, with the names of dm-clrs; see `convert_parameters`. The
      optimizer state is dropped.

    Raises:
      ValueError: if it is not such a file, or if it contains anything but arrays.
      OSError: if the file cannot be read.
    """
    content = pathlib.Path(path).read_bytes()
    try:
        checkpoint = _Unpickler(io.BytesIO(content)).load()
        params = {str(module): dict(leaves) for module, leaves in checkpoint["params"].items()}
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise ValueError(
            f"{path} is not a dm-clrs checkpoint, a pickle with arrays under 'params'; {reason}"
        ) from None
    for module, leaves in params.items():
        for name, leaf in leaves.items():
            kind = getattr(leaf, "dtype", type(leaf).__name__)
            if not isinstance(leaf, np.ndarray) or not np.issubdtype(leaf.dtype, np.floating):
                raise ValueError(f"{path}: {module}/{name} must be a floating-point array, got {kind}")
    return params
