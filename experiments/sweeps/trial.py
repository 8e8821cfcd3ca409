"""Trials of a sweep: made from a base config and overrides, and checked before any of them starts.

ROOT/sweep.json          names and overrides of the trials
ROOT/table.*             scores
ROOT/configs/NAME.json   config of a trial
ROOT/trials/NAME/        its workdir, like that of any run
ROOT/logs/NAME.log       output of its processes

A trial is named after its overrides, so that existing trials keep their directories when a sweep grows.
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

from experiments.cli.config_files import find_file
from experiments.sweeps import hyper, trial_config
from nar.atomic_io import temporary_files, write_json, write_text
from nar.ownership import HOLDER, LOCK, check_owned
from nar.runs.build import build_run, check_startup, resolve_config
from nar.runs.config import RunConfig
from nar.runs.files import read_sweep as read_sweep_record
from nar.runs.plugin_record import check_plugins, plugin_record
from nar.runs.run import Run
from nar.runs.warm_start import open_init_run
from nar.runs.workdir import Workdir
from nar.training import Devices

SEED = "training.seed"
"""Trials that differ only in this key are repetitions of one setting."""

RECORD = "sweep.json"
TABLES = ("table.txt", "table.md", "table.json")
_FOLDERS = ("configs", "trials", "logs")
"""Names in the directory of a sweep."""

_FILES = re.compile("|".join(map(re.escape, (RECORD, *TABLES))))

_SECTIONS = {
    name: dataclasses.fields(section)[0].name
    for name, section in vars(RunConfig()).items()
    if dataclasses.is_dataclass(section)
}
"""Sections of a config, and the first key of each."""

_MAX_NAME_LENGTH = 100
_INVALID = re.compile(r"[^\w.,=+-]+", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    Attributes:
      name: name of its files.
      overrides: config key -> value.
      config: the base config with the overrides, as the process that trains it reads it from its file.
      root: directory of the sweep.
    """

    name: str
    overrides: Mapping[str, Any]
    config: Mapping[str, Any]
    root: pathlib.Path

    @property
    def workdir(self) -> Workdir:
        """Directory of the run."""
        return Workdir(self.root / "trials" / self.name)

    @property
    def log(self) -> pathlib.Path:
        """Log of the output of its processes."""
        return self.root / "logs" / f"{self.name}.log"

    @property
    def steps(self) -> int:
        """Number of training steps."""
        return self.config["training"]["steps"]

    def command(self) -> list[str]:
        """Command that trains or resumes it, after `prepare`."""
        # What follows the first colon is the argument of `get_config`, so that the path may have colons.
        config = f"{trial_config.__file__}:{self.root / 'configs' / f'{self.name}.json'}"
        return [
            sys.executable,
            "-m",
            "experiments.train",
            f"--config={config}",
            f"--workdir={self.workdir.path}",
        ]

    def prepare(self) -> None:
        """Writes its config, and creates directories, unless the directory of the sweep is lost."""
        check_owned(self.root)
        for folder in _FOLDERS:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        write_text(self.root / "configs" / f"{self.name}.json", trial_config.as_text(self.config))


def read_sweep(path: str) -> list[hyper.Overrides]:
    """Loads the list of trials that a file's `get_sweep(hyper)` returns.

    Raises:
      ValueError: if the file cannot be loaded, or does not return a list of trials.
    """
    file = pathlib.Path(find_file(path, "configs/sweeps"))
    if not file.is_file():
        raise ValueError(f"--sweep: {path} is not a file")
    spec = importlib.util.spec_from_file_location("sweep_of_trials", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"--sweep: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        trials = list(module.get_sweep(hyper))
    except (Exception, SystemExit) as error:  # Any error of the user's code is reported in one line.
        raise ValueError(f"--sweep: {path}: {type(error).__name__}: {error}") from error
    if not trials:
        raise ValueError(f"--sweep: {path} has no trials")
    for overrides in trials:
        if not isinstance(overrides, dict) or not all(isinstance(key, str) for key in overrides):
            raise ValueError(f"--sweep: {path}: a trial must be a dict of config keys, got {overrides!r}")
    return trials


def make_trials(config: ConfigDict, sweep: Sequence[hyper.Overrides], root: pathlib.Path) -> list[Trial]:
    """Makes the trials, in the order of the sweep, without validating their values.

    Raises:
      ValueError: if an override has an unknown key or a value of the wrong type, or if two trials are equal.
    """
    trials: dict[str, Trial] = {}
    for index, overrides in enumerate(sweep):
        try:
            _check_keys(overrides)
            overrides = trial_config.plain(overrides)
            resolved = trial_config.parse(trial_config.as_text(override(config, overrides)))
        except ValueError as error:
            raise ValueError(f"trial {index}: {error}") from None
        name = _name(overrides)
        if name in trials:
            raise ValueError(f"trial {index} is a duplicate: {overrides}")
        trials[name] = Trial(name, dict(overrides), resolved, root)
    return list(trials.values())


def check_root(root: pathlib.Path) -> None:
    """Raises ValueError unless the directory of a sweep is missing, empty or that of a sweep.

    Trials that were started by `--sweep_index` have no `sweep.json`.
    """
    if not root.exists():
        return
    if not root.is_dir():
        raise ValueError(f"{root} is not a directory; choose another workdir")
    try:
        read_sweep_record(root / RECORD)
    except (OSError, ValueError):
        names = {path.name for path in {*root.iterdir()} - {*temporary_files(root, _FILES)}} - {LOCK, HOLDER}
        if names and not (names <= {RECORD, *TABLES, *_FOLDERS} and (root / "trials").is_dir()):
            raise ValueError(
                f"{root} is not empty and is not the directory of a sweep; choose another workdir"
            ) from None


def check_trials(
    trials: Sequence[Trial], devices: Devices, *, check_sources: bool = True, trained_here: bool = True
) -> None:
    """Checks configs and directories of all trials, without writing anything.

    Args:
      trials: trials of a sweep.
      devices: devices for which runs are built.
      check_sources: whether the runs of `training.init_from` are loaded, for trials that have not started.
      trained_here: whether callbacks, trackers and metrics must be there, as on the machine that trains.

    Raises:
      ValueError: if a trial cannot run; the message names the first such trial.
    """
    assembled = set()
    for trial in trials:
        try:
            seedless = repr(_without_seed(trial.config))
            if seedless not in assembled:
                components = build_run(trial.config, devices)
                run = Run(trial.workdir, resolve_config(trial.config))
                if trained_here:
                    check_startup(run.config, components)
                if check_sources:
                    open_init_run(run, components)
                assembled.add(seedless)
            trial.workdir.check(trial.config)
            check_plugins(trial.workdir, plugin_record(trial.config))
        except ValueError as error:
            raise ValueError(f"trial {trial.name}: {error}") from None


def record_trials(trials: Sequence[Trial], config: Mapping[str, Any], root: pathlib.Path) -> None:
    """Writes `sweep.json`."""
    listed = [{"name": trial.name, "overrides": trial.overrides} for trial in trials]
    root.mkdir(parents=True, exist_ok=True)
    write_json(root / RECORD, {"config": config, "trials": listed})


def _check_keys(overrides: hyper.Overrides) -> None:
    for key in overrides:
        if key in _SECTIONS:
            raise ValueError(
                f"config key {key} is a section: override its keys, such as {key}.{_SECTIONS[key]}"
            )


def override(config: ConfigDict, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Applies overrides to a config, and returns it as plain dictionaries.

    Raises:
      ValueError: if a key is unknown, or a value has the wrong type.
    """
    changed = config.copy_and_resolve_references().lock()
    for key, value in overrides.items():
        *path, last = key.split(".")
        try:
            node: Any = changed
            for name in path:
                node = node[name]
            node[last] = ConfigDict(value) if isinstance(value, Mapping) else value
        except (AttributeError, KeyError, TypeError) as error:
            message = str(error.args[0] if error.args else error).strip()
            raise ValueError(f"config key {key}: {' '.join(message.split())}") from None
    return changed.to_dict()


def _without_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    return {**config, "training": {**config["training"], "seed": 0}}


def _name(overrides: hyper.Overrides) -> str:
    """File name made of short keys and values, with a digest if sanitizing or truncation changed it."""
    lasts = [key.rpartition(".")[2] for key in overrides]
    keys = [last if lasts.count(last) == 1 else key for key, last in zip(overrides, lasts, strict=True)]
    text = ",".join(f"{key}={value}" for key, value in zip(keys, overrides.values(), strict=True))
    name = _INVALID.sub("_", text)
    if text != name or len(name) > _MAX_NAME_LENGTH:
        digest = hashlib.sha256(repr(sorted(overrides.items())).encode()).hexdigest()[:8]
        name = f"{name[:_MAX_NAME_LENGTH]}-{digest}"
    return name if overrides else "as_configured"
