"""The folder of a run: which config it belongs to, and files that are never half-written.

config.json        the resolved config
versions.json      of nar, jax, numpy, Python and the git commit, at the start of the run
metrics.jsonl      a line a log interval
tensorboard/       the same for TensorBoard
checkpoints/       last and best
result.json        scores, when the run is finished
start.json         what was loaded from another run, if the run started from one
curves.png         learning curves, if matplotlib is installed
"""

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
from collections.abc import Mapping
from typing import Any

import nar


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

    def claim(self, config: Mapping[str, Any], *, prolongable: bool = True) -> None:
        """Makes the folder for this config, or checks that it belongs to it.

        Args:
          config: of the run.
          prolongable: whether `training.steps` may be larger than it was.

        Raises:
          ValueError: if the folder belongs to another config, or holds something else.
        """
        config = json.loads(json.dumps(config))
        if self.config.exists():
            self._check_config(read_json(self.config), config, prolongable)
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ValueError(f"{self.path} is not empty and not the workdir of a run; choose another")
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / "versions.json").exists():
            write_json(self.path / "versions.json", versions())
        write_json(self.config, config)

    def _check_config(self, old: Mapping[str, Any], new: Mapping[str, Any], prolongable: bool) -> None:
        before, now = _flat(old), _flat(new)
        changed = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
        steps = "training.steps"
        if changed == [steps] and now[steps] > before[steps]:
            if prolongable:
                return
            raise ValueError(
                f"{self.path} cannot be prolonged from {before[steps]} to {now[steps]} steps, since the "
                "learning rate of its steps so far followed from their number; choose another workdir"
            )
        if changed:
            lines = [f"  {key}: {before.get(key)!r} there, {now.get(key)!r} now" for key in changed]
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


def read_json(path: pathlib.Path) -> Any:
    """The content of a JSON file.

    Raises:
      ValueError: if it is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes a JSON file under a temporary name and renames it."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file under a temporary name and renames it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
