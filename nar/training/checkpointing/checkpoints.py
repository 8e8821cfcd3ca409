"""Checkpoints of a run, one file each: the last two, the last one that was scored, and the best.

A checkpoint is renamed into place once it is complete on disk, and it is used only if its checksum is right,
so the process may be killed, or the disk be full, at any moment.
"""

import dataclasses
import logging
import math
import pathlib
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nar.atomic_io import path_in_errors, remove_temporary_files
from nar.training.checkpointing.checkpoint_file import (
    Arrays,
    read_checkpoint,
    read_metadata,
    write_checkpoint,
)
from nar.training.devices.processes import run_on_first
from nar.training.state import TrainState

_logger = logging.getLogger(__name__)

KEPT_LAST = 2
_NAME = re.compile(r"step_(\d+)\.npz")


@dataclasses.dataclass(frozen=True)
class RestoredCheckpoint:
    """A verified checkpoint.

    Attributes:
      state: the saved state, on the host.
      metadata: the metadata that were saved with it.
    """

    state: TrainState
    metadata: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run: saving, retention and restoring."""

    def __init__(self, folder: pathlib.Path, *, read_only: bool = False) -> None:
        """Opens the checkpoint folder of a run.

        Args:
          folder: created if missing, unless `read_only`.
          read_only: for reading while another process may be training the run.

        Raises:
          ValueError: if `folder` is not a folder.
        """
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is not a folder; remove it to start over")
        if not read_only:
            with path_in_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                remove_temporary_files(folder)
        self._folder = folder
        self._saved: set[int] = set()
        self._damaged: set[int] = set()

    @property
    def steps(self) -> list[int]:
        """Steps with a checkpoint, in ascending order."""
        names = [path.name for path in self._folder.glob("step_*.npz")]
        return sorted({int(match[1]) for match in map(_NAME.fullmatch, names) if match})

    def save(
        self, state: TrainState, score: float | Sequence[float] | None, metadata: Mapping[str, Any]
    ) -> None:
        """Saves a state and removes superseded checkpoints; a step that was already saved is not saved again.

        Args:
          state: the state.
          score: validation score, which alone decides which checkpoint is best; a sequence of one score per
            seed if there are several; None if this step has none.
          metadata: JSON-serializable metadata to save with it.

        Raises:
          OSError: if the file cannot be written; the message names it, and earlier checkpoints are kept.
        """
        step = int(state.step)
        if step in self._saved:
            return
        record = {"metadata": dict(metadata), "score": list(score) if isinstance(score, Sequence) else score}
        write_checkpoint(self._path(step), _to_arrays(state), record)
        self._saved.add(step)
        for other in set(self.steps) - self._kept():
            _remove(self._path(other))

    def restore(self, template: TrainState) -> RestoredCheckpoint | None:
        """Restores the latest intact checkpoint; None if there are no checkpoints.

        Damaged checkpoints are renamed, with a warning, since the run will write their steps again.

        Args:
          template: a state of the same shapes.

        Raises:
          ValueError: if all checkpoints are damaged, or if the latest intact one does not match the template;
            nothing is renamed then.
        """
        steps = self.steps
        if not steps:
            return None
        restored = self._first_intact(reversed(steps), template)
        for step in [step for step in steps if self._read(step) is None]:
            self._set_aside(step)
        return restored

    def restore_last(self, template: TrainState) -> RestoredCheckpoint:
        """Restores the latest intact checkpoint.

        Raises:
          ValueError: if there is none, or if it does not match the template.
        """
        return self._first_intact(reversed(self.steps), template)

    def restore_scored(self, template: TrainState) -> RestoredCheckpoint:
        """Restores the latest intact checkpoint that was scored, or that of step 0.

        Raises:
          ValueError: if there is none, or if it does not match the template.
        """
        return self._first_intact(reversed([step for step in self.steps if self._is_regular(step)]), template)

    def restore_best(self, template: TrainState, seed_index: int = 0) -> RestoredCheckpoint:
        """Restores the intact checkpoint with the highest score, the latest in case of ties.

        Args:
          template: a state of the same shapes.
          seed_index: index of the seed whose score decides, if there are several.

        Raises:
          ValueError: if there is none, or if it does not match the template.
        """
        best_first = sorted(self.steps, key=lambda step: (self._score(step, seed_index), step), reverse=True)
        return self._first_intact(best_first, template)

    def _first_intact(self, steps: Iterable[int], template: TrainState) -> RestoredCheckpoint:
        for step in steps:
            content = self._read(step)
            if content is not None:
                arrays, record = content
                return RestoredCheckpoint(
                    _from_arrays(arrays, template, self._path(step)), record["metadata"]
                )
        reason = f"damaged: {self.steps}" if self.steps else "there are none"
        raise ValueError(
            f"no intact checkpoint in {self._folder} ({reason}); remove the folder to start over"
        )

    def _read(self, step: int) -> tuple[Arrays, dict[str, Any]] | None:
        try:
            return read_checkpoint(self._path(step))
        except Exception as error:
            if step not in self._damaged:
                reason = f"{type(error).__name__}: {error}"[:200]
                _logger.warning("checkpoint %s is damaged and skipped: %s", self._path(step), reason)
            self._damaged.add(step)
            return None

    def _kept(self) -> set[int]:
        steps = self.steps
        regular = [step for step in steps if self._is_regular(step)]
        scores = {step: self._scores(step) for step in steps}
        best = {
            max(steps, key=lambda step: (self._score(step, seed_index), step))
            for seed_index in range(max(1, *map(len, scores.values())))
        }
        return {*steps[-KEPT_LAST:], *regular[-1:], *best}

    def _is_regular(self, step: int) -> bool:
        """Returns whether uninterrupted runs save this step too: it has a score, or is step 0."""
        return step == 0 or len(self._scores(step)) > 0

    def _score(self, step: int, seed_index: int) -> float:
        return dict(enumerate(self._scores(step))).get(seed_index, -math.inf)

    def _scores(self, step: int) -> tuple[float, ...]:
        """Score of each seed; empty if the checkpoint was not scored or is damaged."""
        try:
            score = read_metadata(self._path(step))["score"]
        except Exception:
            return ()
        return () if score is None else tuple(score) if isinstance(score, list) else (score,)

    def _set_aside(self, step: int) -> None:
        path = self._path(step)
        aside = path.with_name(f"damaged_{path.name}")
        _remove(aside)
        path.rename(aside)

    def _path(self, step: int) -> pathlib.Path:
        return self._folder / f"step_{step}.npz"


def restore_on_all(read: Callable[[], RestoredCheckpoint | None]) -> RestoredCheckpoint | None:
    """Calls `read` in the first process, which alone accesses checkpoints, and returns the result in all.

    Raises:
      ProcessFailedError: if it fails and there are several processes.
    """

    def read_plain() -> RestoredCheckpoint | None:
        restored = read()
        return restored and dataclasses.replace(restored, state=_with_plain_key(restored.state))

    restored = run_on_first(read_plain)
    return restored and dataclasses.replace(restored, state=_with_random_key(restored.state))


def _remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _to_arrays(state: TrainState) -> Arrays:
    """The arrays of a state by name; the PRNG key as its key data."""
    return _by_name(_with_plain_key(state))


def _by_name(tree: Any) -> Arrays:
    return {_name(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _from_arrays(arrays: Arrays, template: TrainState, path: pathlib.Path) -> TrainState:
    expected_leaves = jax.tree_util.tree_leaves_with_path(_with_plain_key(template))
    expected = {_name(path): (leaf.shape, leaf.dtype.itemsize) for path, leaf in expected_leaves}
    actual = {name: (array.shape, array.dtype.itemsize) for name, array in arrays.items()}
    differ = sorted(name for name in {*expected, *actual} if expected.get(name) != actual.get(name))
    if differ:
        raise ValueError(
            f"{path} does not match the run's config, or was written by another version of nar: "
            f"{len(differ)} arrays differ, e.g. {', '.join(differ[:3])}"
        )
    leaves = [arrays[_name(path)].view(leaf.dtype) for path, leaf in expected_leaves]
    state = jax.tree.unflatten(jax.tree.structure(_with_plain_key(template)), leaves)
    return _with_random_key(state)


def _with_plain_key(state: TrainState) -> TrainState:
    """The state with its PRNG key replaced by the key data."""
    # This process's copy, since other processes do not take part.
    return dataclasses.replace(state, key=np.asarray(jax.random.key_data(state.key.addressable_data(0))))


def _with_random_key(state: TrainState) -> TrainState:
    """Inverse of `_with_plain_key`."""
    return dataclasses.replace(state, key=jax.random.wrap_key_data(jnp.asarray(state.key)))


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
