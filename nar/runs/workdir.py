"""The folder of a run: which config it belongs to, and which process may write to it.

config.json        the resolved config; checkpoints/ has a copy, in case it is damaged
versions.json      of nar, jax, numpy, Python and the git commit, at the start of the run
metrics.jsonl      a line a log interval
tensorboard/       the same for TensorBoard, unless other trackers are chosen
trackers/          what other trackers call the run
checkpoints/       last and best
.lock              says which process writes to the folder
result.json        scores, when the run is finished
start.json         what was loaded from another run, if the run started from one
curves.png         learning curves, if matplotlib is installed
"""

import dataclasses
import importlib.metadata
import json
import math
import pathlib
import platform
import re
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from absl import logging

import nar
from nar.atomic_io import is_temporary_file, path_in_errors, read_json, remove_temporary_files, write_json
from nar.runs.lock import LOCK, Lock
from nar.training.trackers.nested import flatten

Config = Mapping[str, Any]

MUTABLE_KEYS = re.compile(r"training\.(on_nonfinite|nonfinite_limit|trackers|tracker_options)(\.|$)")
"""Keys of a config that say nothing about the steps that were taken."""

_MOVE_AWAY = "move it away, then run the same command to resume"


@dataclasses.dataclass(frozen=True)
class Workdir:
    """Paths of a run."""

    path: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        """The resolved config."""
        return self.path / "config.json"

    @property
    def start(self) -> pathlib.Path:
        """What was loaded from another run."""
        return self.path / "start.json"

    @property
    def metrics(self) -> pathlib.Path:
        """A line a log interval."""
        return self.path / "metrics.jsonl"

    @property
    def tensorboard(self) -> pathlib.Path:
        """Folder of the events."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> pathlib.Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def result(self) -> pathlib.Path:
        """Scores of the finished run."""
        return self.path / "result.json"

    def artifacts(self) -> list[pathlib.Path]:
        """What says all of a finished run but its parameters, if it is there."""
        names = ("config.json", "versions.json", "metrics.jsonl", "result.json", "curves.png")
        return [self.path / name for name in names]

    def read_config(self) -> dict[str, Any]:
        """The config of the run; its copy beside the checkpoints, with a warning, if it is damaged.

        Raises:
          ValueError: if the folder is not that of a run, or both are damaged.
        """
        copy = self.checkpoints / self.config.name
        if not self.config.exists() and not copy.exists():
            raise ValueError(f"{self.path} is not the workdir of a run: it has no {self.config.name}")
        try:
            return read_json(self.config)
        except (OSError, ValueError) as error:
            problem = error
        try:
            config = read_json(copy)
        except (OSError, ValueError):
            raise ValueError(
                f"{self.config} cannot be read, and its copy in {copy} neither: {problem}. "
                "Put a copy of the config there, or choose another workdir"
            ) from None
        logging.warning("%s cannot be read, its copy %s is taken: %s", self.config, copy, problem)
        return config

    def check(
        self, config: Config, *, extendable: bool = True, complete: Callable[[Config], Config] = dict
    ) -> None:
        """Checks that the folder may be that of a run with this config; nothing is written.

        Args:
          config: of the run.
          extendable: whether `training.steps` may be larger than it was.
          complete: adds to the config of the folder what it lacks since an older version wrote it.

        Raises:
          ValueError: if the folder belongs to another config, or holds something else.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} is not a directory; choose another workdir")
        self._check_kinds()
        if self._is_claimed():
            old, new = (json.loads(json.dumps(one)) for one in (complete(self.read_config()), config))
            self._check_config(old, new, extendable)
        elif self.path.exists() and any(
            not (path.name == LOCK or is_temporary_file(path)) for path in self.path.iterdir()
        ):
            raise ValueError(f"{self.path} is not empty and not the workdir of a run; choose another")

    def lock(self) -> Lock:
        """Makes the folder; inside `with`, no other process writes to it.

        Raises:
          ValueError: if another process does.
        """
        with path_in_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        return Lock(self.path)

    def claim(self, config: Config) -> None:
        """Writes the config, once it was checked and the folder locked."""
        remove_temporary_files(self.path)
        # First of all, since it is what makes the folder that of a run.
        write_json(self.config, config)
        with path_in_errors(self.checkpoints):
            self.checkpoints.mkdir(exist_ok=True)
        write_json(self.checkpoints / self.config.name, config)
        if not (self.path / "versions.json").exists():
            write_json(self.path / "versions.json", versions())

    def _is_claimed(self) -> bool:
        return self.config.exists() or (self.checkpoints / self.config.name).exists()

    def _check_kinds(self) -> None:
        files = (self.config, self.checkpoints / self.config.name, self.start, self.metrics, self.result)
        for path in (*files, self.path / "versions.json", self.path / LOCK):
            if path.is_dir():
                raise ValueError(f"{path} is damaged: it is a directory; {_MOVE_AWAY}")
        for path in (self.checkpoints, self.tensorboard):
            if path.exists() and not path.is_dir():
                raise ValueError(f"{path} is damaged: it is not a directory; {_MOVE_AWAY}")

    def _check_config(self, old: Config, new: Config, extendable: bool) -> None:
        before, now = flatten(old), flatten(new)
        keys = sorted(key for key in {*before, *now} if not MUTABLE_KEYS.match(key))
        changed = [key for key in keys if before.get(key) != now.get(key)]
        steps = "training.steps"
        if changed == [steps] and now[steps] > before.get(steps, math.inf):
            if extendable:
                return
            raise ValueError(
                f"{self.path} cannot be extended from {before[steps]} to {now[steps]} steps, since the "
                "learning rate of its steps so far followed from their number; choose another workdir"
            )
        if changed:
            lines = [f"  {key}: {before.get(key)!r} saved, {now.get(key)!r} given" for key in changed]
            raise ValueError(
                "\n".join([f"{self.path} belongs to a run with another config:", *lines])
                + "\nChoose another workdir, or give that config."
            )


def versions() -> dict[str, str]:
    """Versions of all that a result depends on."""
    packages = ("jax", "jaxlib", "dm-haiku", "optax", "numpy", "numba")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"nar": nar.__version__, "git": _git_commit(), "python": platform.python_version(), **found}


def _git_commit() -> str:
    folder = pathlib.Path(nar.__file__).parent
    try:
        commit = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.stdout.strip()
