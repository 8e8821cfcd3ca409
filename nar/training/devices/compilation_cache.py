"""JAX's persistent compilation cache, in the user's cache folder, without entries that cannot be read."""

import functools
import logging
import os
import pathlib
from collections.abc import Callable
from typing import Any

import jax

from nar.atomic_io import check_writable
from nar.caching import user_cache_folder

_logger = logging.getLogger(__name__)


def use_compilation_cache() -> None:
    """Turns on JAX's persistent compilation cache.

    It is in `$JAX_COMPILATION_CACHE_DIR`, or else in the user's cache folder, if there is one. A damaged
    entry, as a killed process leaves it, is removed with a warning, and written again.
    """
    variable = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    folder = user_cache_folder() if variable is None else None
    if folder is not None:
        jax.config.update("jax_compilation_cache_dir", str(folder / "jax"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    elif variable is not None and variable.startswith("~"):  # A shell expands it; others may not.
        jax.config.update("jax_compilation_cache_dir", os.path.expanduser(variable))
    _remove_damaged_entries()


def _remove_damaged_entries() -> None:
    """Wraps JAX's reader of entries, which keeps damaged ones and warns of them in every process."""
    try:
        from jax._src import compilation_cache

        read = compilation_cache.get_executable_and_time
    except (ImportError, AttributeError):  # Another version of JAX: its own behavior remains.
        return
    if not isinstance(read, _Reader):
        compilation_cache.get_executable_and_time = _Reader(read)


class _Reader:
    """JAX's reader of cache entries; an entry that it cannot read is removed, so that JAX writes it again."""

    def __init__(self, read: Callable[..., tuple[Any, int | None]]) -> None:
        functools.update_wrapper(self, read)
        self._read = read

    def __call__(self, cache_key: str, *arguments: Any) -> tuple[Any, int | None]:
        folder = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
        path = pathlib.Path(folder or ".", f"{cache_key}-cache")
        try:
            check_writable(path)  # JAX would wait for the writer of a pipe.
            return self._read(cache_key, *arguments)
        except Exception as error:
            try:
                path.unlink()
            except OSError:
                raise error from None  # JAX warns of it.
            _logger.warning("%s was damaged (%s): removed, and compiled again", path, type(error).__name__)
            return None, None
