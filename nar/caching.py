"""Cache folders, and machine code that numba caches there.

Files are in `$NAR_CACHE`, by default `nar` in the user's cache directory. numba chooses the folder of machine
code: `$NUMBA_CACHE_DIR`, or else `__pycache__` of the package, or the user's cache directory. Where none can
be written to, as for a user without a home in a container, both are in a private folder among the system's
temporary ones.
"""

import functools
import inspect
import os
import pathlib
import stat
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numba

_LOCK = threading.Lock()
"""Held while numba's setting `CACHE_DIR` is changed."""


def cache_folder() -> pathlib.Path | None:
    """`$NAR_CACHE`, by default a folder for this user; None if it is set but empty.

    Raises:
      ValueError: if `$NAR_CACHE` begins with ~ and the user has no home.
    """
    path = os.environ.get("NAR_CACHE")
    if path is None:
        return user_cache_folder()
    if not path:
        return None
    try:
        return pathlib.Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"NAR_CACHE={path} needs a home directory, but this user has none") from None


def user_cache_folder() -> pathlib.Path:
    """`nar` in the user's cache directory, or a private temporary folder if that cannot be written to."""
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    path = os.environ.get(variable)
    if path:
        folder = pathlib.Path(path)
    else:
        home = _home()
        folder = home and (home if sys.platform == "win32" else home / ".cache")
    if folder is not None and _is_writable(folder):
        return folder / "nar"
    return temporary_folder()


@functools.cache
def temporary_folder() -> pathlib.Path:
    """A folder that only this user can write to, among the system's temporary ones; warns when it is chosen.

    Other users could otherwise place files there, and machine code is executed.
    """
    user = getattr(os, "getuid", lambda: "user")()
    folder = pathlib.Path(tempfile.gettempdir(), f"nar-{user}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _is_private(folder):
            raise FileExistsError
    except OSError:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="nar-"))
    warnings.warn(
        f"this user has no cache directory that can be written to: caches are in {folder}; set NAR_CACHE and "
        "NUMBA_CACHE_DIR to choose other folders",
        stacklevel=2,
    )
    return folder


def _is_private(folder: pathlib.Path) -> bool:
    status = folder.lstat()
    if not hasattr(os, "getuid"):
        return stat.S_ISDIR(status.st_mode)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


def _home() -> pathlib.Path | None:
    try:
        return pathlib.Path.home()
    except RuntimeError:  # neither $HOME nor an entry for this user in the system's list
        return None


def _is_writable(folder: pathlib.Path) -> bool:
    """True if the folder, or else the closest folder above it that exists, can be written to."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), None)
    return existing is not None and existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


# ---------------------------------------------------------------------------------------------------
# Machine code


def compile_on_disk(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function by numba at its first call, and caches the machine code on disk if possible."""
    compile = numba.njit(cache=True, nogil=True)
    if numba.config.CACHE_DIR or _home() is not None:  # type: ignore[attr-defined]
        try:
            return compile(function)
        except RuntimeError:  # no folder can be written to
            pass
    elif _is_writable(pathlib.Path(inspect.getfile(function)).parent / "__pycache__"):
        return compile(function)
    try:
        with _LOCK:
            return _compile_in(temporary_folder() / "numba", compile, function)
    except (OSError, RuntimeError):
        return numba.njit(nogil=True)(function)


def _compile_in(folder: pathlib.Path, compile: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """numba chooses the folder when it wraps a function, not when it compiles it."""
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    try:
        return compile(function)
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]
