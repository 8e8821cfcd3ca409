"""Disk cache of the canonical splits, keyed by a digest of all sources they depend on: it is never stale.

Files are in `$NAR_CACHE/traces` (see `nar.caching`); `NAR_CACHE=` (empty) disables the cache. The directory
can be removed at any time. Processes can share it, since files are written atomically.
"""

import hashlib
import pathlib
import platform
import warnings
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from nar.algorithms import BUILT_IN, Algorithm
from nar.atomic_io import remove_abandoned_files
from nar.caching import cache_folder
from nar.traces.io import load_traces, save_traces
from nar.traces.trace import TraceBatch

PACKAGES = (
    *("atomic_io", "caching", "ownership", "plugins", "kinds", "machine", "reading"),
    *("rich_display", "specs"),
    *("problems", "algorithms", "traces"),
)
"""Modules and packages that determine a trace; registered algorithms may use others, so are not cached."""


def load_or_make(algorithm: Algorithm, key: str, make: Callable[[], TraceBatch], **origin: Any) -> TraceBatch:
    """Loads traces from the cache, or generates them and caches them.

    Args:
      algorithm: the algorithm of the traces; only those of built-in algorithms are cached.
      key: file name, unique for the algorithm and the origin.
      make: generates the traces.
      **origin: how they are generated (size, seed, ...); stored in the file and checked when loading.
    """
    folder = cache_folder()
    if folder is None or not SOURCE_DIGEST or algorithm not in BUILT_IN:
        return make()
    path = folder / "traces" / SOURCE_DIGEST / f"{key}.npz"
    cached = _load(path, algorithm, origin)
    if cached is not None:
        return cached
    batch = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned_files(path.parent)
        save_traces(path, batch, name=algorithm.name, **origin)
    except (OSError, ValueError) as error:  # ValueError: there is something other than a file.
        warnings.warn(f"cannot cache traces: {error}", stacklevel=3)
    return batch


def _load(path: pathlib.Path, algorithm: Algorithm, origin: dict[str, Any]) -> TraceBatch | None:
    try:
        stored = load_traces(path)
        if (stored.name, stored.spec, stored.origin) != (algorithm.name, algorithm.spec, origin):
            raise ValueError(f"{path} contains other traces: {stored.name}, {stored.origin}")
    except FileNotFoundError:
        return None
    except ValueError as error:
        warnings.warn(f"regenerating cached traces: {error}", stacklevel=4)
        return None
    return stored.batch


def _sources() -> list[pathlib.Path]:
    package = pathlib.Path(__file__).parents[1]
    return sorted(
        path
        for name in PACKAGES
        for path in (package / f"{name}.py", *(package / name).rglob("*.py"))
        if path.is_file()
    )


def _digest() -> str:
    """Digest of the sources and of the versions that run them; '' if no sources are installed."""
    sources = _sources()
    versions = f"{np.__version__} {numba.__version__} {platform.machine()}"
    text = b"\0".join([versions.encode(), *(source.read_bytes() for source in sources)])
    return hashlib.blake2b(text, digest_size=8).hexdigest() if sources else ""


SOURCE_DIGEST = _digest()
"""Computed at import, since the files may later differ from the code that runs."""
