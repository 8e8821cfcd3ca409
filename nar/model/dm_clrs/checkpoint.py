"""Safe reader of dm-clrs 2.0.3 checkpoints, which are pickles.

`BaselineModel.save_model` pickles a dictionary of parameters and optimizer state, and a pickle can call any
function. This reader interprets the file itself (`pickle_reader.py`) and accepts only what dm-clrs writes.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from nar.model.dm_clrs.pickle_reader import PickleReader
from nar.model.dm_clrs.stored_arrays import StoredArray
from nar.reading import open_regular

MAX_SIZE = 2**31
"""Maximum size of a file in bytes; a checkpoint of all 30 algorithms with H = 128 has 0.03 of them."""


def read_checkpoint(path: str | pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    """Reads the parameters of a checkpoint written by `BaselineModel.save_model` of dm-clrs.

    Returns:
      Module path -> parameter name -> array, with the names of dm-clrs; see `convert_parameters`. The
      optimizer state is dropped. Arrays may be read-only.

    Raises:
      ValueError: if it is not such a file, or if it contains anything but arrays.
      OSError: if the file cannot be read.
    """
    path = pathlib.Path(path)
    try:
        checkpoint = PickleReader(_content(path)).read()
        modules = checkpoint.get("params") if isinstance(checkpoint, dict) else None
        if not isinstance(modules, dict) or not all(isinstance(leaves, dict) for leaves in modules.values()):
            raise ValueError("'params' must be a dictionary of dictionaries")
        _check_not_shared(modules)
    except ValueError as error:
        raise ValueError(
            f"{path} is not a dm-clrs checkpoint, a pickle with arrays under 'params'; {error}"
        ) from None
    return {
        module: {name: _parameter(f"{path}: {module}/{name}", value) for name, value in leaves.items()}
        for module, leaves in modules.items()
    }


def _check_not_shared(modules: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises ValueError if a dictionary or array has two names: few bytes could mean billions of arrays."""
    seen = set[int]()
    for module, leaves in modules.items():
        _add_new(seen, module, leaves)
        for name, value in leaves.items():
            if isinstance(value, StoredArray):
                _add_new(seen, f"{module}/{name}", value)


def _add_new(seen: set[int], name: str, value: Any) -> None:
    if id(value) in seen:
        raise ValueError(f"{name} must not be the same object as another entry of 'params'")
    seen.add(id(value))


def _content(path: pathlib.Path) -> bytes:
    """The content of a file of at most `MAX_SIZE`."""
    with open_regular(path) as file:
        content = file.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise ValueError(f"it has more than {MAX_SIZE} bytes")
    return content


def _parameter(where: str, value: Any) -> np.ndarray:
    kind = value.dtype if isinstance(value, StoredArray) else type(value).__name__
    if not isinstance(value, StoredArray) or not np.issubdtype(value.dtype, np.floating):
        raise ValueError(f"{where} must be a floating-point array, got {kind}")
    try:
        return value.to_numpy()
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
