"""Pretrained networks, which are part of the package: `nar.pretrained("bfs")`.

weights/NAME_seedSEED/    an exported run (`nar.runs.export`), with the name of its algorithm or `generalist`
"""

import pathlib
import re
from collections.abc import Mapping

from nar.plugins import UnknownNameError, unknown_name
from nar.runs.run import Run, load_run

PRETRAINED = pathlib.Path(__file__).parent / "weights"
"""The folder of the pretrained networks."""

PREFIX = "pretrained:"
"""Prefix of a reference to a pretrained network where a workdir can be named, too."""

_FOLDER = re.compile(r"(.+)_seed(\d+)")


def pretrained(name: str, seed: int = 0) -> Run:
    """Loads a pretrained network: `nar.pretrained("bfs").predict("bfs", edges=[(0, 1), (1, 2)], s=0)`.

    Nothing is downloaded. Its `result` has the scores of its weights, which are stored in float16, and how
    they were trained and selected; `processor` is its processor alone.

    Args:
      name: an algorithm, or `generalist`.
      seed: seed of its training.

    Raises:
      ValueError: if there is no such network, or its files are damaged.
    """
    return load_run(find_pretrained(name, seed))


def pretrained_seeds() -> dict[str, tuple[int, ...]]:
    """Name of each pretrained network -> the seeds that it was trained with, in ascending order."""
    return {name: tuple(sorted(folders)) for name, folders in sorted(_folders().items())}


def find_pretrained(name: str, seed: int = 0) -> pathlib.Path:
    """The folder of a pretrained network.

    Raises:
      UnknownNameError: if there is none of this name.
      ValueError: if there is none of this seed.
    """
    folders = _folders()
    if name not in folders:
        raise UnknownNameError(unknown_name("pretrained network", name, sorted(folders)))
    if isinstance(seed, bool) or seed not in folders[name]:
        known = ", ".join(map(str, sorted(folders[name])))
        raise ValueError(f"there is no pretrained network {name!r} of seed {seed!r}; seeds: {known}")
    return folders[name][seed]


def parse_reference(reference: str) -> tuple[str, int]:
    """Name and seed of a reference `NAME` or `NAME:SEED`, such as `bfs` or `bfs:1`.

    Raises:
      ValueError: if the seed is not a number.
    """
    name, colon, seed = reference.partition(":")
    if colon and not seed.isdecimal():
        raise ValueError(f"pretrained network {reference!r} is not of the form NAME or NAME:SEED")
    return name, int(seed or 0)


def run_name(path: str | pathlib.Path) -> str:
    """Name of a run on a page: its workdir, or `pretrained NAME` or `pretrained NAME:SEED`."""
    folder = pathlib.Path(path)
    match = _FOLDER.fullmatch(folder.name)
    if folder.parent != PRETRAINED or match is None:
        return str(path)
    return f"pretrained {match[1]}" + (f":{match[2]}" if int(match[2]) else "")


def open_run(reference: str, *, checkpoint_fallback: bool = False, trust: bool = False) -> Run:
    """Loads a run from its workdir, or a pretrained network from `pretrained:NAME` or `pretrained:NAME:SEED`.

    Args:
      reference: what to load.
      checkpoint_fallback: see `nar.load_run`.
      trust: whether code outside nar that the config of a workdir names may be imported and called.

    Raises:
      ValueError: as `nar.load_run` and `pretrained` do.
    """
    if reference.startswith(PREFIX):
        return pretrained(*parse_reference(reference.removeprefix(PREFIX)))
    return load_run(reference, checkpoint_fallback=checkpoint_fallback, trust=trust)


def _folders() -> Mapping[str, dict[int, pathlib.Path]]:
    """Name -> seed -> folder."""
    found: dict[str, dict[int, pathlib.Path]] = {}
    for path in sorted(PRETRAINED.glob("*/")) if PRETRAINED.is_dir() else ():
        match = _FOLDER.fullmatch(path.name)
        if match:
            found.setdefault(match[1], {})[int(match[2])] = path
    return found
