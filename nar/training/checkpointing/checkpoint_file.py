"""Checkpoint file: a NumPy archive (.npz) of arrays by name, JSON metadata and a checksum.

It can be read without nar: `numpy.load(path)["params/processor/mpnn/norm/scale"]`.
"""

import json
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from nar.atomic_io import atomic_write
from nar.reading import check_archive_size, open_regular, parse_json
from nar.training.state import digest

_METADATA, _CHECKSUM = "metadata", "sha256"

Arrays = dict[str, np.ndarray]


def write_checkpoint(
    path: pathlib.Path,
    arrays: Mapping[str, np.ndarray],
    metadata: Mapping[str, Any],
    *,
    compressed: bool = False,
) -> None:
    """Writes a checkpoint file atomically.

    Args:
      path: the file, replaced if it exists.
      arrays: arrays by name.
      metadata: JSON-serializable metadata.
      compressed: whether to compress the file, which is slow for large ones.

    Raises:
      OSError: if the file cannot be written; the message names it.
    """
    content = {name: _as_read(array) for name, array in arrays.items()}
    content[_METADATA] = _to_bytes(json.dumps(metadata))
    save = np.savez_compressed if compressed else np.savez
    with atomic_write(path) as file:
        save(file, allow_pickle=False, **content, **{_CHECKSUM: _to_bytes(digest(content))})


def read_checkpoint(path: pathlib.Path) -> tuple[Arrays, dict[str, Any]]:
    """Reads and verifies a checkpoint file.

    Returns:
      Arrays by name, and metadata. Arrays of extension types such as bfloat16 are read as raw bytes.

    Raises:
      Exception: of any type, if the file is damaged in any way.
    """
    _check_archive(path)
    with open_regular(path) as file, np.load(file, allow_pickle=False) as archive:
        content = dict(archive)
    expected = content.pop(_CHECKSUM).tobytes().decode()
    if digest(content) != expected:
        raise ValueError("its content does not match its checksum")
    metadata = _parse_metadata(content.pop(_METADATA))
    return content, metadata


def _check_archive(path: pathlib.Path) -> None:
    """Raises unless it fits in memory, and all CRCs are right, so that no damaged array header is parsed."""
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        check_archive_size(archive)
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} in it is damaged")


def _as_read(array: np.ndarray) -> np.ndarray:
    """The array as NumPy will read it: extension types such as bfloat16 become raw bytes."""
    return array.view(np.dtype((np.void, array.dtype.itemsize))) if array.dtype.kind == "V" else array


def _to_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def _parse_metadata(content: np.ndarray) -> dict[str, Any]:
    metadata = parse_json(content.tobytes())
    if not isinstance(metadata, dict):
        raise ValueError("its metadata are not an object")
    return metadata
