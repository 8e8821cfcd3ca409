"""All trackers by name, and those that a config names."""

import dataclasses
import importlib
import inspect
import pathlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from nar.plugins import load_attribute
from nar.training.trackers.base import OpenTracker, Session, Tracker
from nar.training.trackers.fault_tolerant import FaultTolerantTracker
from nar.training.trackers.mlflow import MLflow
from nar.training.trackers.tensorboard import TensorBoard
from nar.training.trackers.weights_and_biases import WeightsAndBiases

TENSORBOARD = "tensorboard"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A tracker of the table.

    Attributes:
      open: opens it.
      needs: an attribute, as `module:NAME`, of the package that it is for; None if that is always there.
    """

    open: OpenTracker
    needs: str | None = None


TRACKERS: Mapping[str, Entry] = MappingProxyType(
    {
        TENSORBOARD: Entry(TensorBoard),
        "wandb": Entry(WeightsAndBiases, "wandb:init"),
        "mlflow": Entry(MLflow, "mlflow:MlflowClient"),
    }
)
"""By name. Their packages are the extras of the same names."""


def check_trackers(names: str | Sequence[str], options: Mapping[str, Any]) -> None:
    """Checks what a config says of trackers, and that their packages are there; nothing is opened.

    Args:
      names: of trackers, or `module:ATTRIBUTE` for your own.
      options: by name; of your own, by the attribute.

    Raises:
      ValueError: if a tracker is unknown or named twice, its package is missing, or options are of none.
    """
    known = _several(names)
    for name in known:
        _find(name)
    short = [_short(name) for name in known]
    if len(set(short)) < len(short):
        raise ValueError(f"training.trackers must name each tracker once, got {', '.join(known)}")
    for name, values in options.items():
        if name not in short or name == TENSORBOARD:
            takers = ", ".join(one for one in short if one != TENSORBOARD)
            raise ValueError(
                f"training.tracker_options: none of the trackers takes options as {name!r}; "
                f"those that do: {takers or 'none'}"
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

    TensorBoard's events are files of the workdir, and fail as those do. All others may fail without harm.

    Args:
      names: as `check_trackers` takes them.
      options: likewise.
      workdir: folder of the run.
      start: steps that were taken before.
      config: of the run.
      versions: of what its result depends on.

    Raises:
      ValueError: if one is unknown, its package missing, or it refuses its options.
    """
    opened: list[Tracker] = []
    try:
        for name in _several(names):
            session = Session(workdir, start, config, versions, options.get(_short(name), {}))
            open_one = _find(name)
            opened.append(
                open_one(session) if name == TENSORBOARD else FaultTolerantTracker(name, open_one, session)
            )
    except BaseException:
        for tracker in opened:
            tracker.close()
        raise
    return opened


def _several(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _short(name: str) -> str:
    return name.rpartition(":")[2]


def _find(name: Any) -> OpenTracker:
    if isinstance(name, str) and ":" in name:
        return load_attribute(name, "tracker", _opens)
    if name not in TRACKERS:
        raise ValueError(
            f"unknown tracker {name!r}; known: {', '.join(TRACKERS)}, or module:ATTRIBUTE for your own"
        )
    entry = TRACKERS[name]
    if entry.needs is not None:
        module, _, attribute = entry.needs.partition(":")
        _check_package(name, module, attribute)
    return entry.open


def _opens(value: Any) -> bool:
    """Whether it may be a class, or a function, that opens a tracker."""
    return callable(value) and not inspect.ismodule(value)


def _check_package(name: str, module: str, attribute: str) -> None:
    """The attribute tells the package from a folder of its name, such as wandb writes beside its runs."""
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        found, why = None, f" ({error})"
    else:
        why = ""
    if not hasattr(found, attribute):
        raise ValueError(f"tracker {name!r} needs the extra `{name}`: pip install -e '.[{name}]'{why}")
