"""One checkpoint as one file: arrays by name in an archive of numpy's (.npz), notes and a checksum.

`numpy.load(path)["params/processor/mpnn/norm/scale"]` reads it without nar.
"""

import json
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from nar.atomic_io import atomic_write
from nar.training.state import digest

_METADATA, _CHECKSUM = "metadata", "sha256"

Arrays = dict[str, np.ndarray]


def write_checkpoint(
    path: pathlib.Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]
) -> None:
    """Writes a checkpoint, whole or not at all.

    Args:
      path: of the file, which may exist.
      arrays: by name.
      notes: plain JSON.

    Raises:
      OSError: naming the file, if it cannot be written.
    """
    content = {name: _as_read(array) for name, array in arrays.items()}
    content[_METADATA] = _to_bytes(json.dumps(metadata))
    with atomic_write(path) as file:
        np.savez(file, allow_pickle=False, **content, **{_CHECKSUM: _to_bytes(digest(content))})


def read_checkpoint(path: pathlib.Path) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and notes as they were written; of types that are not numpy's, the bytes.

    Raises:
      Exception: of whatever kind, if anything in the file is not as it was written.
    """
    _check_archive(path)
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        content = dict(archive)
    expected = content.pop(_CHECKSUM).tobytes().decode()
    if digest(content) != expected:
        raise ValueError("its content does not match its checksum")
    metadata = json.loads(content.pop(_METADATA).tobytes())
    return content, metadata


def read_metadata(path: pathlib.Path) -> dict[str, Any]:
    """The notes alone.

    Raises:
      Exception: of whatever kind, if they cannot be read.
    """
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return json.loads(archive[_METADATA].tobytes())


def _check_archive(path: pathlib.Path) -> None:
    """Raises unless the checksum of each part is right: so that no array is made of a damaged header."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} in it is damaged")


def _as_read(array: np.ndarray) -> np.ndarray:
    """As numpy will read it: of types that are not its own, such as bfloat16, it keeps the bytes."""
    return array.view(np.dtype((np.void, array.dtype.itemsize))) if array.dtype.kind == "V" else array


def _to_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)
