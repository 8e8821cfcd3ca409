"""Cache folders, and machine code that numba caches there.

Files are in `$NAR_CACHE`, by default `nar` in the user's cache directory. numba chooses the folder of machine
code: `$NUMBA_CACHE_DIR`, or else `__pycache__` of the package, or the user's cache directory. Where none can
be written to, as for a user without a home in a container, both are in `$NAR_CACHE` if that is set, or else
in a private folder among the system's temporary ones. Where nothing can be written, nothing is cached.
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

from nar.atomic_io import local_path

_LOCK = threading.Lock()
"""Held while numba's setting `CACHE_DIR` is changed."""


def cache_folder() -> pathlib.Path | None:
    """`$NAR_CACHE`, by default a folder for this user; None if it is set but empty, or there is none.

    For the home directory itself (`~`) it is `nar` in it, so that the cache is not among the user's folders.

    Raises:
      ValueError: if `$NAR_CACHE` begins with ~ and there is no such home, or it is an address (gs://...).
    """
    return None if os.environ.get("NAR_CACHE") == "" else user_cache_folder()


def user_cache_folder() -> pathlib.Path | None:
    """Like `cache_folder`, but there is one also if `$NAR_CACHE` is empty."""
    path = os.environ.get("NAR_CACHE")
    if not path:
        return _default_folder()
    try:
        folder = local_path(path)
    except ValueError as error:
        raise ValueError(f"NAR_CACHE={path}: {str(error).removeprefix(f'{path}: ')}") from None
    return folder / "nar" if folder == _home() else folder


def _default_folder() -> pathlib.Path | None:
    """`nar` in the user's cache directory, or a private temporary folder if that cannot be written to."""
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    path = os.environ.get(variable)
    if path and pathlib.Path(path).is_absolute():  # Relative ones are invalid, as the standard has it.
        folder = pathlib.Path(path)
    else:
        home = _home()
        folder = home and (home if sys.platform == "win32" else home / ".cache")
    if folder is not None and _is_writable(folder):
        return folder / "nar"
    return temporary_folder()


@functools.cache
def temporary_folder() -> pathlib.Path | None:
    """A folder that only this user can write to, among the system's temporary ones; warns when it is chosen.

    Other users could otherwise place files there, and machine code is executed.

    Returns:
      The folder; None if there is nowhere to write.
    """
    folder = _make_temporary_folder()
    caches = "nothing is cached" if folder is None else f"caches are in {folder}"
    warnings.warn(
        f"this user has no cache directory that can be written to: {caches}; set NAR_CACHE to choose one",
        stacklevel=2,
    )
    return folder


def _make_temporary_folder() -> pathlib.Path | None:
    user = getattr(os, "getuid", lambda: "user")()
    try:
        folder = pathlib.Path(tempfile.gettempdir(), f"nar-{user}")
        folder.mkdir(mode=0o700, exist_ok=True)
        if _is_private(folder) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    except OSError:
        pass
    try:
        return pathlib.Path(tempfile.mkdtemp(prefix="nar-"))
    except OSError:
        return None


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


def set_matplotlib_folder() -> None:
    """Lets matplotlib keep its list of fonts among the other caches if it has no folder of its own."""
    home = _home()
    variables = ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    if any(os.environ.get(name) for name in variables) or (home is not None and _is_writable(home)):
        return
    folder = user_cache_folder()
    if folder is not None:
        os.environ["MPLCONFIGDIR"] = str(folder / "matplotlib")


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
    folder = user_cache_folder()
    try:
        with _LOCK:
            return _compile_in(folder / "numba", compile, function) if folder else _compile(function)
    except (OSError, RuntimeError):
        return _compile(function)


def _compile(function: Callable[..., Any]) -> Any:
    return numba.njit(nogil=True)(function)


def _compile_in(folder: pathlib.Path, compile: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """Wraps a function with numba's cache in a folder, which numba chooses then, not when it compiles."""
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    try:
        return compile(function)
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]
