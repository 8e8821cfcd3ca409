"""From a config and a sweep to trials, each with a folder of its own, all checked before any starts.

ROOT/sweep.json          the trials, by name
ROOT/configs/NAME.py     the config of a trial
ROOT/trials/NAME/        its workdir, as any run has one
ROOT/logs/NAME.log       what its processes printed

A trial is named after what it overrides, so that a sweep may grow: those that were there keep their folders.
"""

import dataclasses
import hashlib
import importlib.util
import pathlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from experiments.cli.run_kinds import assemble_kind
from experiments.cli.status import check_workdir
from experiments.sweeps import hyper
from nar.atomic_io import write_text
from nar.runs.workdir import Workdir
from nar.training import Devices, write_json

SEED = "training.seed"
"""Trials that differ in this key alone are repetitions of one setting."""

_LONGEST_NAME = 100
_OTHER = re.compile(r"[^\w.,=+-]+", re.ASCII)
_CONFIG_FILE = '''"""A trial of a sweep: {name}."""

from ml_collections import ConfigDict


def get_config():
    return ConfigDict({config!r})
'''


@dataclasses.dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    Attributes:
      name: of its files.
      overrides: config key -> value.
      config: as it was resolved.
      root: folder of the sweep.
    """

    name: str
    overrides: Mapping[str, Any]
    config: Mapping[str, Any]
    root: pathlib.Path

    @property
    def workdir(self) -> Workdir:
        """Folder of the run."""
        return Workdir(self.root / "trials" / self.name)

    @property
    def log(self) -> pathlib.Path:
        """What its processes printed."""
        return self.root / "logs" / f"{self.name}.log"

    @property
    def steps(self) -> int:
        """How many steps it trains."""
        return self.config["training"]["steps"]

    def command(self) -> list[str]:
        """What trains it, or goes on with it, after `prepare`."""
        config = self.root / "configs" / f"{self.name}.py"
        return [
            sys.executable,
            "-m",
            "experiments.train",
            f"--config={config}",
            f"--workdir={self.workdir.path}",
        ]

    def prepare(self) -> None:
        """Writes its config, and makes the folders of what others write."""
        for folder in ("configs", "trials", "logs"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        text = _CONFIG_FILE.format(name=self.name, config=self.config)
        write_text(self.root / "configs" / f"{self.name}.py", text)


def read_sweep(path: str) -> list[hyper.Overrides]:
    """The list that a file's `get_sweep(hyper)` returns.

    Raises:
      ValueError: if the file cannot be read, or returns something else.
    """
    file = pathlib.Path(path)
    if not file.is_file():
        raise ValueError(f"--sweep: {path} is no file")
    spec = importlib.util.spec_from_file_location("sweep_of_trials", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"--sweep: {path} is no file of Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        trials = list(module.get_sweep(hyper))
    except Exception as error:  # It is the user's code: whatever is wrong with it is said in a line.
        raise ValueError(f"--sweep: {path}: {type(error).__name__}: {error}") from error
    if not trials:
        raise ValueError(f"--sweep: {path} has no trials")
    for overrides in trials:
        if not isinstance(overrides, dict) or not all(isinstance(key, str) for key in overrides):
            raise ValueError(f"--sweep: {path}: a trial is a dict of config keys, not {overrides!r}")
    return trials


def make_trials(config: ConfigDict, sweep: Sequence[hyper.Overrides], root: pathlib.Path) -> list[Trial]:
    """The trials in the order of the sweep; their values are not checked yet.

    Raises:
      ValueError: if one sets a key that the config does not have, or a value of another type, or two are the
        same.
    """
    trials: dict[str, Trial] = {}
    for index, overrides in enumerate(sweep):
        try:
            resolved = override(config, overrides)
        except ValueError as error:
            raise ValueError(f"trial {index}: {error}") from None
        name = _name(overrides)
        if name in trials:
            raise ValueError(f"trial {index} is a trial that the sweep has already: {overrides}")
        trials[name] = Trial(name, dict(overrides), resolved, root)
    return list(trials.values())


def check_trials(trials: Sequence[Trial], devices: Devices) -> None:
    """Checks configs and folders of all trials; nothing is written.

    Args:
      trials: of a sweep.
      devices: for which parts are assembled.

    Raises:
      ValueError: naming the first trial that cannot run, and why.
    """
    assembled = set()
    for trial in trials:
        try:
            seedless = repr(_without_seed(trial.config))
            if seedless not in assembled:
                assemble_kind(trial.config, devices)
                assembled.add(seedless)
            check_workdir(trial.workdir, trial.config)
        except ValueError as error:
            raise ValueError(f"trial {trial.name}: {error}") from None


def record_trials(trials: Sequence[Trial], config: Mapping[str, Any], root: pathlib.Path) -> None:
    """Writes `sweep.json`."""
    listed = [{"name": trial.name, "overrides": trial.overrides} for trial in trials]
    root.mkdir(parents=True, exist_ok=True)
    write_json(root / "sweep.json", {"config": config, "trials": listed})


def override(config: ConfigDict, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The config with other values, as plain dictionaries.

    Raises:
      ValueError: on a key that the config does not have, or a value of another type than it has.
    """
    changed = config.copy_and_resolve_references().lock()
    for key, value in overrides.items():
        *path, last = key.split(".")
        try:
            node: Any = changed
            for part in path:
                node = node[part]
            node[last] = ConfigDict(value) if isinstance(value, Mapping) else value
        except (AttributeError, KeyError, TypeError) as error:
            words = str(error.args[0] if error.args else error).strip()
            raise ValueError(f"config key {key}: {' '.join(words.split())}") from None
    return changed.to_dict()


def _without_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    return {**config, "training": {**config["training"], "seed": 0}}


def _name(overrides: hyper.Overrides) -> str:
    """Short keys and values, as far as they make a file name; what that loses is told apart by a digest."""
    lasts = [key.rpartition(".")[2] for key in overrides]
    keys = [last if lasts.count(last) == 1 else key for key, last in zip(overrides, lasts, strict=True)]
    said = ",".join(f"{key}={value}" for key, value in zip(keys, overrides.values(), strict=True))
    name = _OTHER.sub("_", said)
    if said != name or len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(repr(sorted(overrides.items())).encode()).hexdigest()[:8]
        name = f"{name[:_LONGEST_NAME]}-{digest}"
    return name if overrides else "as_configured"
