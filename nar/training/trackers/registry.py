"""Registry of trackers, and opening of those in a config."""

import dataclasses
import importlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from nar.plugins import Registry, takes
from nar.training.trackers.base import OpenTracker, Session, Tracker
from nar.training.trackers.fault_tolerant import FaultTolerantTracker
from nar.training.trackers.mlflow import MLflow
from nar.training.trackers.tensorboard import TensorBoard
from nar.training.trackers.weights_and_biases import WeightsAndBiases

TENSORBOARD = "tensorboard"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A tracker in the registry.

    Attributes:
      open: opens the tracker.
      requires: `module:NAME` of an attribute of the package that it needs; None if that is always installed.
    """

    open: OpenTracker
    requires: str | None = None


TRACKERS: Registry[Entry] = Registry(
    "tracker",
    {
        TENSORBOARD: Entry(TensorBoard),
        "wandb": Entry(WeightsAndBiases, "wandb:init"),
        "mlflow": Entry(MLflow, "mlflow:MlflowClient"),
    },
    is_valid=takes(1),
    convert=Entry,
)
"""Trackers by name; optional packages are extras of the same name."""


def check_trackers(names: str | Sequence[str], options: Mapping[str, Any]) -> None:
    """Checks the trackers of a config and their packages, without opening them.

    Args:
      names: names of trackers, or `module:ATTRIBUTE` for your own.
      options: options by name of the tracker; for your own, by the attribute.

    Raises:
      ValueError: if a tracker is unknown or given twice, its package is missing, or options belong to none.
    """
    names = _as_tuple(names)
    for name in names:
        _find(name)
    short_names = [_short_name(name) for name in names]
    if len(set(short_names)) < len(short_names):
        raise ValueError(f"training.trackers must name each tracker once, got {', '.join(names)}")
    for name, values in options.items():
        if name not in short_names or name == TENSORBOARD:
            with_options = ", ".join(one for one in short_names if one != TENSORBOARD)
            raise ValueError(
                f"training.tracker_options: {name!r} is not a tracker of this run that takes options; "
                f"those that do: {with_options or 'none'}"
            )
        if not isinstance(values, Mapping):
            raise ValueError(f"training.tracker_options.{name} must be a dict, got {values!r}")


def open_trackers(
    names: str | Sequence[str],
    options: Mapping[str, Any],
    workdir: pathlib.Path,
    start: int,
    config: Mapping[str, Any],
    versions: Mapping[str, str],
) -> list[Tracker]:
    """Opens trackers.

    TensorBoard's event files are part of the workdir, so errors in writing them are raised. Failures of other
    trackers do not end the training.

    Args:
      names: see `check_trackers`.
      options: see `check_trackers`.
      workdir: run directory.
      start: number of steps taken in earlier sessions.
      config: resolved config of the run.
      versions: versions of the software that the result depends on, by name.

    Raises:
      ValueError: if a tracker is unknown, its package is missing, or its options are not valid.
    """
    opened: list[Tracker] = []
    try:
        for name in _as_tuple(names):
            session = Session(workdir, start, config, versions, options.get(_short_name(name), {}))
            open_one = _find(name)
            opened.append(
                open_one(session) if name == TENSORBOARD else FaultTolerantTracker(name, open_one, session)
            )
    except BaseException:
        for tracker in opened:
            tracker.close()
        raise
    return opened


def _as_tuple(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _short_name(name: str) -> str:
    return name.rpartition(":")[2]


def _find(name: Any) -> OpenTracker:
    entry = TRACKERS.find(name)
    if entry.requires is not None:
        module, _, attribute = entry.requires.partition(":")
        _check_package(name, module, attribute)
    return entry.open


def _check_package(name: str, module: str, attribute: str) -> None:
    """Raises ValueError unless the package is installed.

    The attribute distinguishes it from a namespace package: wandb makes a folder `wandb` for its runs.
    """
    try:
        package = importlib.import_module(module)
    except ImportError as error:
        package, reason = None, f" ({error})"
    else:
        reason = ""
    if not hasattr(package, attribute):
        raise ValueError(f"tracker {name!r} needs the extra `{name}`: pip install -e '.[{name}]'{reason}")
