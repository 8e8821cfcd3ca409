"""Functions `(path, random)` that damage a file; those that change its bytes leave an empty file empty.

`random` is a `numpy.random.Generator`.
"""

import pathlib

import numpy as np


def truncated(path: pathlib.Path, random: np.random.Generator) -> None:
    """Truncates the file."""
    path.write_bytes(path.read_bytes()[: random.integers(max(1, path.stat().st_size))])


def flipped(path: pathlib.Path, random: np.random.Generator) -> None:
    """Flips one to three bits of the file."""
    content = bytearray(path.read_bytes())
    for index in random.integers(max(1, len(content)), size=random.integers(1, 4)):
        if content:
            content[index] ^= 1 << random.integers(8)
    path.write_bytes(content)


def overwritten(path: pathlib.Path, random: np.random.Generator) -> None:
    """Overwrites up to 200 bytes of the file by noise."""
    content = bytearray(path.read_bytes())
    start = int(random.integers(max(1, len(content))))
    noise = random.bytes(int(random.integers(1, 200)))
    content[start : start + len(noise)] = noise[: len(content) - start]
    path.write_bytes(content)


def emptied(path: pathlib.Path, random: np.random.Generator) -> None:
    """Empties the file."""
    path.write_bytes(b"")


def replaced_by_a_folder(path: pathlib.Path, random: np.random.Generator) -> None:
    """Replaces the file by a folder."""
    path.unlink()
    (path / "inside").mkdir(parents=True)


def lengthened(path: pathlib.Path, random: np.random.Generator) -> None:
    """Appends noise."""
    path.write_bytes(path.read_bytes() + random.bytes(100))


DAMAGES = (truncated, flipped, overwritten, emptied, replaced_by_a_folder, lengthened)
