"""Checkpoints of a run: the last two, the last and the best that were scored, each one file.

A checkpoint takes its name in one moment, when all of it is on disk, and is only believed if its checksum is
right. So a process may be killed, or a disk be full, at any moment.
"""

import dataclasses
import math
import pathlib
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from nar.atomic_io import path_in_errors, remove_temporary_files
from nar.training.checkpointing.checkpoint_file import (
    Arrays,
    read_checkpoint,
    read_metadata,
    write_checkpoint,
)
from nar.training.checkpointing.old_checkpoints import read_old_checkpoint, read_old_metadata
from nar.training.state import TrainState

KEPT_LAST = 2
_NAME = re.compile(r"step_(\d+)(?:\.npz)?")


@dataclasses.dataclass(frozen=True)
class RestoredCheckpoint:
    """A checkpoint that was read and found whole.

    Attributes:
      state: as it was saved, on the host.
      notes: what was saved beside it.
    """

    state: TrainState
    metadata: dict[str, Any]


class Checkpoints:
    """Checkpoints of one run."""

    def __init__(self, folder: pathlib.Path, *, read_only: bool = False) -> None:
        """Opens the folder of a run.

        Args:
          folder: made if missing.
          read_only: for scoring a run that another process may be training.

        Raises:
          ValueError: if it is no folder.
        """
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is damaged: it is no folder; remove it to start anew")
        if not read_only:
            with path_in_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                remove_temporary_files(folder)
        self._folder = folder
        self._saved: set[int] = set()
        self._damaged: set[int] = set()

    @property
    def steps(self) -> list[int]:
        """Steps of which there is a checkpoint, the latest last."""
        names = [path.name for path in self._folder.glob("step_*")]
        return sorted({int(found[1]) for found in map(_NAME.fullmatch, names) if found})

    def save(
        self, state: TrainState, score: float | Sequence[float] | None, metadata: Mapping[str, Any]
    ) -> None:
        """Saves a state, and removes those that need not be kept; a state that was saved already stays.

        Args:
          state: what to save.
          score: on validation, which alone decides what is best, of each replica if there are several; None
            if this step has none.
          notes: plain JSON to save beside it.

        Raises:
          OSError: naming the file, if it cannot be written; then all that was saved before is still there.
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
        """The latest checkpoint that is whole, or None if there is none at all.

        Damaged ones are set aside, with a warning: the run will write their steps again.

        Args:
          template: a state of the same shapes.

        Raises:
          ValueError: if there are checkpoints, but all are damaged, or if the latest whole one does not fit
            the template; then none is set aside.
        """
        steps = self.steps
        if not steps:
            return None
        restored = self._first_whole(reversed(steps), template)
        for step in [step for step in steps if self._read(step, template) is None]:
            self._set_aside(step)
        return restored

    def restore_last(self, template: TrainState) -> RestoredCheckpoint:
        """The latest whole checkpoint.

        Raises:
          ValueError: if there is none, or if it does not fit the template.
        """
        return self._first_whole(reversed(self.steps), template)

    def restore_scored(self, template: TrainState) -> RestoredCheckpoint:
        """The latest whole checkpoint that was scored, or that of step 0.

        Raises:
          ValueError: if there is none, or if it does not fit the template.
        """
        return self._first_whole(reversed([step for step in self.steps if self._is_regular(step)]), template)

    def restore_best(self, template: TrainState, seed_index: int = 0) -> RestoredCheckpoint:
        """The whole checkpoint with the highest score, the latest of equals.

        Args:
          template: a state of the same shapes.
          seed_index: whose score counts, if there are several.

        Raises:
          ValueError: if there is none, or if it does not fit the template.
        """
        best_first = sorted(self.steps, key=lambda step: (self._score(step, seed_index), step), reverse=True)
        return self._first_whole(best_first, template)

    def _first_whole(self, steps: Iterable[int], template: TrainState) -> RestoredCheckpoint:
        for step in steps:
            found = self._read(step, template)
            if found is not None:
                arrays, record = found
                return RestoredCheckpoint(
                    _from_arrays(arrays, template, self._path(step)), record["metadata"]
                )
        found = f"damaged: {self.steps}" if self.steps else "there are none"
        raise ValueError(f"no whole checkpoint in {self._folder} ({found}); remove the folder to start anew")

    def _read(self, step: int, template: TrainState) -> tuple[Arrays, dict[str, Any]] | None:
        path = self._path(step)
        try:
            if path.is_dir():
                fields, record = read_old_checkpoint(path, with_plain_key(template))
                return _by_name(fields), record
            return read_checkpoint(path)
        except Exception as error:
            if step not in self._damaged:
                reason = f"{type(error).__name__}: {error}"[:200]
                logging.warning("checkpoint %s is damaged and skipped: %s", self._path(step), reason)
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
        """Whether every run of this config makes it; those where one was interrupted have no score."""
        return step == 0 or len(self._scores(step)) > 0

    def _score(self, step: int, seed_index: int) -> float:
        return dict(enumerate(self._scores(step))).get(seed_index, -math.inf)

    def _scores(self, step: int) -> tuple[float, ...]:
        """Of each replica; empty if it was not scored, or is damaged."""
        try:
            path = self._path(step)
            score = (read_old_metadata if path.is_dir() else read_metadata)(path)["score"]
        except Exception:
            return ()
        return () if score is None else tuple(score) if isinstance(score, list) else (score,)

    def _set_aside(self, step: int) -> None:
        path = self._path(step)
        aside = path.with_name(f"damaged_{path.name}")
        _remove(aside)
        path.rename(aside)

    def _path(self, step: int) -> pathlib.Path:
        path = self._folder / f"step_{step}.npz"
        old = path.with_suffix("")
        return old if old.exists() and not path.exists() else path


def _remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _to_arrays(state: TrainState) -> Arrays:
    """The numbers of a state by name; of the random key those behind it."""
    return _by_name(with_plain_key(state))


def _by_name(tree: Any) -> Arrays:
    return {_name(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _from_arrays(arrays: Arrays, template: TrainState, path: pathlib.Path) -> TrainState:
    wanted = jax.tree_util.tree_leaves_with_path(with_plain_key(template))
    shapes = {_name(path): (leaf.shape, leaf.dtype.itemsize) for path, leaf in wanted}
    found = {name: (array.shape, array.dtype.itemsize) for name, array in arrays.items()}
    differ = sorted(name for name in {*shapes, *found} if shapes.get(name) != found.get(name))
    if differ:
        raise ValueError(
            f"{path} does not fit the run's config, or another version of nar wrote it: "
            f"{len(differ)} arrays differ, among them {', '.join(differ[:3])}"
        )
    leaves = [arrays[_name(path)].view(leaf.dtype) for path, leaf in wanted]
    state = jax.tree.unflatten(jax.tree.structure(with_plain_key(template)), leaves)
    return with_random_key(state)


def with_plain_key(state: TrainState) -> TrainState:
    """The state with the numbers behind its random key in place of that."""
    # Of this process's copy, since the others take no part.
    return dataclasses.replace(state, key=np.asarray(jax.random.key_data(state.key.addressable_data(0))))


def with_random_key(state: TrainState) -> TrainState:
    """The state with a random key in place of the numbers behind it."""
    return dataclasses.replace(state, key=jax.random.wrap_key_data(jnp.asarray(state.key)))


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
