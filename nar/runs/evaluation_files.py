"""Files of an evaluation in the workdir of its run: NAME.json, NAME.csv and, for arrays, the folder NAME."""

import dataclasses
import itertools
import os
import pathlib
import re
from collections.abc import Collection, Iterable, Iterator

from nar.atomic_io import local_path, read_json
from nar.ownership import check_owned

RUN_FILES = (
    "checkpoints",
    "config",
    "curves",
    "metrics",
    "plugins",
    "result",
    "start",
    "tensorboard",
    "trackers",
    "versions",
    "weights",
)
"""Names in a workdir that belong to the run itself, without suffixes."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=,+-]{0,199}")
"""With the suffixes of its files it is shorter than the longest name on most systems."""

_DEVICES = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")
"""Names of devices on Windows, also with a suffix."""


@dataclasses.dataclass(frozen=True)
class EvaluationFiles:
    """Paths of an evaluation.

    Attributes:
      workdir: directory of the run.
      name: name of the evaluation.
    """

    workdir: pathlib.Path
    name: str

    @property
    def scores(self) -> pathlib.Path:
        """All measurements, as JSON."""
        return self.workdir / f"{self.name}.json"

    @property
    def table(self) -> pathlib.Path:
        """A number per line, as CSV."""
        return self.workdir / f"{self.name}.csv"

    @property
    def arrays(self) -> pathlib.Path:
        """The folder of predictions."""
        return self.workdir / self.name

    def existing(self) -> Iterator[pathlib.Path]:
        """The paths that exist."""
        return (path for path in (self.scores, self.table, self.arrays) if os.path.lexists(path))

    def other_arrays(self, kept: Collection[str]) -> list[pathlib.Path]:
        """The arrays of the evaluation that is there, except for some, by path in the workdir."""
        if not _is_evaluation(self.scores):
            return []
        names = {str(name) for name in read_json(self.scores).get("arrays", ())} - set(kept)
        paths = (self.workdir / name for name in sorted(names))
        return [path for path in paths if path.parent == self.arrays and path.suffix == ".npz"]

    @staticmethod
    def remove(arrays: Iterable[pathlib.Path]) -> None:
        """Removes arrays of an evaluation that was replaced."""
        for path in arrays:
            check_owned(path)
            path.unlink(missing_ok=True)

    def unused(self) -> "EvaluationFiles":
        """These files, or NAME_2, NAME_3, ... if any of them has come into existence."""
        names = itertools.chain([self.name], (f"{self.name}_{number}" for number in itertools.count(2)))
        candidates = (EvaluationFiles(self.workdir, name) for name in names)
        return next(files for files in candidates if not any(files.existing()))


def evaluation_files(
    workdir: str | os.PathLike[str], name: str, *, overwrite: bool = False
) -> EvaluationFiles:
    """The files of a new evaluation; none of them exists, unless those of an evaluation may be overwritten.

    Args:
      workdir: directory of the run.
      name: name of the evaluation: at most 200 letters, digits and `_.=,+-`.
      overwrite: whether to replace an earlier evaluation of this name.

    Raises:
      ValueError: if the name is invalid or belongs to the run itself, or if a file of this name exists and is
        not to be overwritten, or is not that of an evaluation.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            "--name must be a name of at most 200 letters, digits and _.=,+-, without folders, got "
            f"{name[:300]!r}"
        )
    if _DEVICES.fullmatch(name.split(".")[0].lower()):
        raise ValueError(f"--name must not be that of a device on Windows, got {name!r}")
    if name.split(".")[0].lower() in RUN_FILES:
        raise ValueError(
            f"--name must not be that of a file of the run ({', '.join(RUN_FILES)}), got {name!r}"
        )
    files = EvaluationFiles(local_path(workdir), name)
    for path in files.existing():
        if not overwrite:
            raise ValueError(f"{path} exists: choose another --name, or pass --overwrite to replace it")
        if not (path.is_dir() if path == files.arrays else path.is_file()):
            kind = "a directory" if path.is_dir() else "a file" if path.is_file() else "a special file"
            raise ValueError(f"{path} is {kind}, and is not overwritten; choose another --name")
        if path != files.arrays and not _is_evaluation(files.scores):
            raise ValueError(f"{path} is not an evaluation, and is not overwritten; choose another --name")
    return files


def _is_evaluation(path: pathlib.Path) -> bool:
    try:
        return {"measurements", "summary"} <= set(read_json(path))
    except (OSError, ValueError):
        return False
