"""Files that are whole or not there: they are renamed when they are on disk. And JSON that checks itself."""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

_CHECKSUM = "sha256"
_PART = ".part"


@contextlib.contextmanager
def path_in_errors(path: pathlib.Path) -> Iterator[None]:
    """Makes every OSError inside name the file: those of writing do not."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


@contextlib.contextmanager
def atomic_write(path: pathlib.Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` in one moment, if all went well.

    Raises:
      OSError: naming `path`, which is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_PART}")
    with path_in_errors(path):
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def remove_temporary_files(folder: pathlib.Path) -> None:
    """Removes what `atomic_write` left behind in a process that was killed."""
    for path in filter(is_temporary_file, folder.iterdir()):
        path.unlink(missing_ok=True)


def is_temporary_file(path: pathlib.Path) -> bool:
    """Whether a file is one that `atomic_write` was writing."""
    return path.name.startswith(".") and path.suffix == _PART


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file, whole or not at all."""
    with atomic_write(path) as file:
        file.write(text.encode())


def write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON object and the checksum of what it says, whole or not at all."""
    content = json.loads(json.dumps(content))
    write_text(path, json.dumps({**content, _CHECKSUM: _checksum(content)}, indent=2) + "\n")


def read_json(path: pathlib.Path) -> Any:
    """The object in a JSON file, without its checksum.

    Raises:
      ValueError: if it is not JSON, or not what was written.
      OSError: if there is no such file.
    """
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it is no JSON object")
    expected = content.pop(_CHECKSUM, None)
    if expected is not None and expected != _checksum(content):
        raise ValueError(
            f"{path} is damaged: its content does not match its {_CHECKSUM} "
            f"(if you changed it by hand, remove the entry {_CHECKSUM})"
        )
    return content


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
