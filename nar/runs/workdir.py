"""The run directory: its files, the check of its config, and its lock.

config.json        the resolved config; checkpoints/ has a backup copy
plugins.json       modules of its plug-ins, and digests of their source
versions.json      versions of nar, jax, numpy and Python, and the git commit, at the start of the run
metrics.jsonl      one line per log interval
tensorboard/       the same for TensorBoard, unless other trackers are chosen
trackers/          run ids of other trackers
checkpoints/       the last checkpoints and the best one
.lock              locked by the process that writes to the directory
.lock_holder       names that process
result.json        scores of the finished run
start.json         parameters loaded from another run, if `training.init_from` is set
curves.png         learning curves, if matplotlib is installed

An exported run (`nar.runs.export`) has the weights of its best checkpoint instead of checkpoints and metrics:

weights.npz        float16 parameters
evaluation.json    scores at other sizes
"""

import dataclasses
import importlib.metadata
import json
import logging
import os
import pathlib
import platform
import re
import subprocess
from collections.abc import Mapping
from typing import Any

import nar
from nar.atomic_io import (
    check_writable,
    path_in_errors,
    read_json,
    remove_temporary_files,
    temporary_files,
    write_json,
)
from nar.ownership import HOLDER, LOCK
from nar.redaction import without_secrets
from nar.runs.files import read_result
from nar.runs.lock import Lock
from nar.runs.optimization_config import OptimizationConfig
from nar.training import Checkpoints
from nar.training.optim import depends_on_length
from nar.training.trackers.nested import flatten

_logger = logging.getLogger(__name__)

Config = Mapping[str, Any]

MUTABLE_KEYS = tuple(f"training.{key.path}" for key in OptimizationConfig().describe() if key.mutable)
"""Config keys that may change when a run is resumed."""

_WRITTEN = re.compile(
    r"(config|versions|plugins|start|result|evaluation)\.json|metrics\.jsonl|curves\.png|evaluation\.csv"
)
"""Names of files that are written to a workdir."""

_MAX_SHOWN = 200
"""Characters of a config value in a message."""

_MOVE_AWAY = "move it away, then run the same command to resume"


@dataclasses.dataclass(frozen=True)
class Workdir:
    """The files of a run directory."""

    path: pathlib.Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def config(self) -> pathlib.Path:
        """The resolved config."""
        return self.path / "config.json"

    @property
    def plugins(self) -> pathlib.Path:
        """The record of plug-ins."""
        return self.path / "plugins.json"

    @property
    def start(self) -> pathlib.Path:
        """The record of parameters loaded from another run."""
        return self.path / "start.json"

    @property
    def metrics(self) -> pathlib.Path:
        """The metrics, one line per log interval."""
        return self.path / "metrics.jsonl"

    @property
    def tensorboard(self) -> pathlib.Path:
        """The directory of TensorBoard events."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> pathlib.Path:
        """The directory of checkpoints."""
        return self.path / "checkpoints"

    @property
    def weights(self) -> pathlib.Path:
        """The parameters of an exported run."""
        return self.path / "weights.npz"

    @property
    def evaluation(self) -> pathlib.Path:
        """Scores at several sizes, by `experiments.evaluate` or in an exported run."""
        return self.path / "evaluation.json"

    @property
    def versions(self) -> pathlib.Path:
        """Versions at the start of the run."""
        return self.path / "versions.json"

    @property
    def result(self) -> pathlib.Path:
        """Scores of the finished run."""
        return self.path / "result.json"

    @property
    def curves(self) -> pathlib.Path:
        """The plot of learning curves."""
        return self.path / "curves.png"

    def artifacts(self) -> list[pathlib.Path]:
        """Files that document a finished run, without its parameters; some may not exist."""
        names = ("config.json", "versions.json", "metrics.jsonl", "result.json", "curves.png")
        return [self.path / name for name in names]

    def read_config(self) -> dict[str, Any]:
        """Reads the config of the run; falls back to the backup copy, with a warning, if it is damaged.

        Raises:
          ValueError: if the directory is not a workdir, or both files are damaged.
        """
        copy = self.checkpoints / self.config.name
        if not self.config.exists() and not copy.exists():
            raise ValueError(f"{self.path} is not the workdir of a run: it has no {self.config.name}")
        try:
            config = read_json(self.config)
        except (OSError, ValueError) as error:
            problem = error
        else:
            self._check_copy(config, copy)
            return config
        try:
            config = read_json(copy)
        except (OSError, ValueError):
            raise ValueError(
                f"{self.config} cannot be read, nor can its copy {copy}: {problem}. "
                "Put a copy of the config there, or choose another workdir"
            ) from None
        _logger.warning("%s cannot be read, its copy %s is used: %s", self.config, copy, problem)
        return config

    def _check_copy(self, config: Config, copy: pathlib.Path) -> None:
        """Raises ValueError if the checkpoints are those of a run with another config."""
        try:
            other = read_json(copy)
        except (OSError, ValueError):
            return
        before, now = _fixed_values(other), _fixed_values(config)
        lines = [
            f"  {key}: {_shown(now, key)} in {self.config}, {_shown(before, key)} in {copy}"
            for key in sorted({*before, *now})
            if before.get(key) != now.get(key)
        ]
        if lines:
            raise ValueError("\n".join([f"{self.checkpoints} has the checkpoints of another run:", *lines]))

    def open_checkpoints(self, *, read_only: bool = False) -> Checkpoints:
        """Opens the checkpoints of the run, among which those of a run with another config are damaged ones.

        Raises:
          ValueError: if the directory is not a workdir, or its config is damaged.
        """
        return Checkpoints(self.checkpoints, _fixed_values(self.read_config()), read_only=read_only)

    def check(self, config: Config) -> None:
        """Checks that a run with this config may use the directory; nothing is written.

        `training.steps` may be larger than before, unless the learning-rate schedule depends on it.

        Args:
          config: the config of the run.

        Raises:
          ValueError: if the directory belongs to a run with another config, or contains other files.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} is not a directory; choose another workdir")
        self._check_file_types()
        if self.weights.exists():
            raise ValueError(
                f"{self.path} is an exported run, which cannot be trained further; "
                "start another one with training.init_from"
            )
        if self._is_claimed():
            old, new = (json.loads(json.dumps(one)) for one in (self.read_config(), without_secrets(config)))
            self._check_config(old, new)
        elif self.path.exists() and set(self.path.iterdir()) - {
            *(self.path / name for name in (HOLDER, LOCK)),
            *temporary_files(self.path, _WRITTEN),
        }:
            raise ValueError(f"{self.path} is not empty and is not the workdir of a run; choose another")

    def is_finished(self, steps: int) -> bool:
        """Returns True if the run has the result of `steps` steps, or was stopped early."""
        if not self.result.exists():
            return False
        try:
            result = read_result(self.result)
        except (OSError, ValueError) as error:
            _logger.warning("the result is recomputed: %s", error)
            return False
        return result["steps"] >= steps or result["stopped_early"]

    def lock(self) -> Lock:
        """Creates the directory and returns its lock, a context manager.

        Raises:
          ValueError: on entry, if another process holds the lock.
        """
        with path_in_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        return Lock(self.path)

    def claim(self, config: Config) -> None:
        """Writes the config and versions; call it after `check`, holding the lock."""
        remove_temporary_files(self.path, _WRITTEN)
        config = without_secrets(config)
        # Written first: this file is what marks the directory as a workdir.
        write_json(self.config, config)
        with path_in_errors(self.checkpoints):
            self.checkpoints.mkdir(exist_ok=True)
        write_json(self.checkpoints / self.config.name, config)
        if not self.versions.exists():
            write_json(self.versions, versions())

    def _is_claimed(self) -> bool:
        return self.config.exists() or (self.checkpoints / self.config.name).exists()

    def _check_file_types(self) -> None:
        for path in (self.checkpoints, self.tensorboard):
            if os.path.lexists(path) and not path.is_dir():
                raise ValueError(f"{path} is damaged: it is not a directory; {_MOVE_AWAY}")
        files = (self.config, self.checkpoints / self.config.name, self.plugins, self.start, self.metrics)
        results = (self.result, self.curves)
        for path in (*files, *results, self.versions, self.path / LOCK, self.path / HOLDER):
            try:
                check_writable(path)
            except ValueError as error:
                raise ValueError(f"{error}; {_MOVE_AWAY}") from None

    def _check_config(self, old: Config, new: Config) -> None:
        before, now = flatten(old), flatten(new)
        keys = sorted(key for key in {*before, *now} if not _is_mutable(key))
        changed = [key for key in keys if before.get(key) != now.get(key)]
        steps = "training.steps"
        if changed == [steps] and type(before.get(steps)) is int and now[steps] > before[steps]:
            training = new["training"]
            if not depends_on_length(training["schedule"], training["schedule_options"]):
                return
            raise ValueError(
                f"{self.path} cannot be extended from {before[steps]} to {now[steps]} steps, since its "
                "learning-rate schedule depends on the number of steps; choose another workdir"
            )
        if changed:
            lines = [f"  {key}: {_shown(before, key)} saved, {_shown(now, key)} given" for key in changed]
            raise ValueError(
                "\n".join([f"{self.path} belongs to a run with another config:", *lines])
                + "\nChoose another workdir, or use that config."
            )


def _fixed_values(config: Config) -> dict[str, Any]:
    """Values that are the same in all sessions of a run, by key."""
    return {
        key: value
        for key, value in flatten(config).items()
        if key != "training.steps" and not _is_mutable(key)
    }


def _shown(values: Config, key: str) -> str:
    if key not in values:
        return "nothing"
    text = repr(values[key])
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _is_mutable(key: str) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in MUTABLE_KEYS)


def versions() -> dict[str, str]:
    """Versions of nar, Python and the packages that a result depends on, and the git commit."""
    packages = ("jax", "jaxlib", "dm-haiku", "optax", "numpy", "numba")
    installed = {name: importlib.metadata.version(name) for name in packages}
    return {"nar": nar.__version__, "git": _git_commit(), "python": platform.python_version(), **installed}


def _git_commit() -> str:
    package = pathlib.Path(nar.__file__).parent
    try:
        commit = subprocess.run(
            ["git", "-C", str(package), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.stdout.strip()
