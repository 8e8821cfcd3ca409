"""Canonical splits kept on disk, under a digest of all that they are made from, so that none is ever stale.

They lie in `$NAR_CACHE/traces`, by default in the user's cache folder; `NAR_CACHE=` (empty) turns this off.
The folder may be removed at any time. Processes may share it: a file is there whole or not at all.
"""

import hashlib
import os
import pathlib
import platform
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from nar.algorithms import BUILT_IN, Algorithm
from nar.traces.io import load_traces, save_traces
from nar.traces.trace import TraceBatch

_PACKAGES = ("plugins", "specs", "problems", "algorithms", "traces")
"""All sources that decide on a trace; what one registers may come from anywhere, and is not kept."""


def cache_folder() -> pathlib.Path | None:
    """`$NAR_CACHE`, by default `nar` in the user's cache folder; None if it is empty."""
    chosen = os.environ.get("NAR_CACHE")
    if chosen is not None:
        return pathlib.Path(chosen) if chosen else None
    if sys.platform == "win32":
        return pathlib.Path(os.environ.get("LOCALAPPDATA") or pathlib.Path.home()) / "nar"
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "nar"


def load_or_make(algorithm: Algorithm, key: str, make: Callable[[], TraceBatch], **origin: Any) -> TraceBatch:
    """What `make` makes, from disk if it was made before.

    Args:
      algorithm: whose traces these are; those of a registered one are made anew each time.
      key: name of the file, unique for the algorithm and the origin.
      make: makes the traces.
      **origin: how they are made; written into the file and checked.
    """
    folder = cache_folder()
    if folder is None or not _DIGEST or algorithm not in BUILT_IN:
        return make()
    path = folder / "traces" / _DIGEST / f"{key}.npz"
    kept = _load(path, algorithm, origin)
    if kept is not None:
        return kept
    batch = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_traces(path, batch, name=algorithm.name, **origin)
    except OSError as error:
        warnings.warn(f"traces are not kept: {error}", stacklevel=3)
    return batch


def _load(path: pathlib.Path, algorithm: Algorithm, origin: dict[str, Any]) -> TraceBatch | None:
    try:
        stored = load_traces(path)
        if (stored.name, stored.spec, stored.origin) != (algorithm.name, algorithm.spec, origin):
            raise ValueError(f"{path} holds other traces, of {stored.name}, {stored.origin}")
    except FileNotFoundError:
        return None
    except ValueError as error:
        warnings.warn(f"traces are made again: {error}", stacklevel=4)
        return None
    return stored.batch


def _sources() -> list[pathlib.Path]:
    package = pathlib.Path(__file__).parents[1]
    return sorted(
        path
        for room in _PACKAGES
        for path in (package / f"{room}.py", *(package / room).rglob("*.py"))
        if path.is_file()
    )


def _digest() -> str:
    """Digest of the sources and of what runs them; '' if there are no sources to read."""
    sources = _sources()
    versions = f"{np.__version__} {numba.__version__} {platform.machine()}"
    text = b"\0".join([versions.encode(), *(source.read_bytes() for source in sources)])
    return hashlib.blake2b(text, digest_size=8).hexdigest() if sources else ""


_DIGEST = _digest()
"""Taken when the sources are imported: later they may no longer be those that run."""
