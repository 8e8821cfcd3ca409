"""Checkpoints of a run, one file each: the last two, the last one that was scored, and the best.

A checkpoint is renamed into place once it is complete on disk, and it is used only if its checksum is right,
so the process may be killed, or the disk be full, at any moment.
"""

import dataclasses
import logging
import math
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from nar.atomic_io import path_in_errors, remove_temporary_files, set_aside, temporary_files
from nar.ownership import check_owned
from nar.training.checkpointing.best_checkpoints import Best, BestRecord, LostCheckpointError
from nar.training.checkpointing.checkpoint_file import Arrays, read_checkpoint, write_checkpoint
from nar.training.checkpointing.store import RestoredCheckpoint, with_plain_key, with_random_key
from nar.training.state import TrainState

_logger = logging.getLogger(__name__)

KEPT_LAST = 2
FALLBACK_HINT = (
    "Put its file back; or continue with the best of the intact ones, by training.checkpoint_fallback of the "
    "config, --checkpoint_fallback of other commands, or load_run(..., checkpoint_fallback=True)"
)
_NAME = re.compile(r"step_(\d{1,18})\.npz")
_WRITTEN = re.compile(rf"{_NAME.pattern}|config\.json")
"""Names of the files that a run writes to its folder of checkpoints."""


def checkpoint_path(folder: pathlib.Path, step: int) -> pathlib.Path:
    """The checkpoint file of a step."""
    return folder / f"step_{step}.npz"


def read_arrays(folder: pathlib.Path, step: int) -> Arrays:
    """Reads the arrays of a checkpoint by name, e.g. `params/processor/mpnn/norm/scale`, without a template.

    Raises:
      Exception: of any type, if there is no intact checkpoint of the step.
    """
    return read_checkpoint(checkpoint_path(folder, step))[0]


def partial_files(folder: pathlib.Path) -> set[str]:
    """Names of checkpoint files that are being written, or were when their process was killed."""
    return {path.name for path in temporary_files(folder, _NAME)} if folder.is_dir() else set()


class Checkpoints:
    """A `CheckpointStore` of one `.npz` file a checkpoint, for one process."""

    def __init__(
        self, folder: pathlib.Path, config: Mapping[str, Any] | None = None, *, read_only: bool = False
    ) -> None:
        """Opens the checkpoint folder of a run.

        Args:
          folder: created if missing, unless `read_only`.
          config: JSON values of the run's config by key, kept in each checkpoint: one that has another value
            is that of another run, and counts as damaged.
          read_only: for reading while another process may be training the run.

        Raises:
          ValueError: if `folder` is not a folder.
        """
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is not a folder; remove it to start over")
        if not read_only:
            with path_in_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                remove_temporary_files(folder, _WRITTEN)
        self._folder = folder
        self._config = dict(config or {})
        self._read_only = read_only
        self._saved: set[int] = set()
        self._damaged: dict[int, str] = {}
        self._scores: dict[int, tuple[float, ...]] = {}
        self._record: BestRecord | None = None

    def all_steps(self) -> list[int]:
        """Steps with a checkpoint, in ascending order."""
        names = [path.name for path in self._folder.glob("step_*.npz")]
        return sorted({int(match[1]) for match in map(_NAME.fullmatch, names) if match})

    def save(
        self, state: TrainState, score: float | Sequence[float] | None, metadata: Mapping[str, Any]
    ) -> None:
        """Saves a state; keeps the last two checkpoints, the last scored one and the best of each seed.

        A step that this object has already saved is not saved again.
        """
        step = int(state.step)
        if step in self._saved:
            return
        scores = _as_tuple(score)
        best = self._best_record().with_scores(step, scores)
        record = {
            "metadata": dict(metadata),
            "score": list(scores),
            "best": best.as_json(),
            "config": self._config,
        }
        write_checkpoint(self._path(step), _to_arrays(state), record)
        self._saved.add(step)
        self._damaged.pop(step, None)
        self._scores[step], self._record = scores, best
        for other in set(self.all_steps()) - self._kept():
            check_owned(self._path(other))
            if self._path(other).is_file():  # Anything else is not a checkpoint, and stays.
                self._path(other).unlink(missing_ok=True)

    def restore(self, template: TrainState, *, scored_only: bool = False) -> RestoredCheckpoint | None:
        """Restores the latest intact checkpoint; None if there are no checkpoints.

        Damaged checkpoints are skipped, with a warning, and renamed unless `read_only`, since the run will
        write their steps again. If this raises an error, nothing is renamed.
        """
        if not self.all_steps():
            return None
        steps = [step for step in self.all_steps() if not scored_only or self._is_regular(step)]
        restored = self._first_intact(reversed(steps), template)
        if not self._read_only:
            self._record = restored.best
            for step in [step for step in steps if step > int(restored.state.step)]:
                self._set_aside(step)
        return restored

    def best(
        self, template: TrainState, seed_index: int = 0, *, step: int | None = None, fallback: bool = False
    ) -> RestoredCheckpoint:
        """Restores the checkpoint with the highest score, the latest in case of ties."""
        is_known = self._record is not None or step is not None
        record = self._best_record()
        if not is_known and self._damaged:  # These are later than what it is the record of.
            newer = [Best(one, math.nan) for one in sorted(self._damaged)]
            self._report_lost(newer, fallback, "the best checkpoint may be lost")
            record = dataclasses.replace(record, lost=(*record.lost, *newer))
        expected = Best(step, math.nan) if step is not None else None
        if len(record.best) > seed_index and step in (None, record.best[seed_index].step):
            expected = record.best[seed_index]
        if expected is None:
            latest = self._first_intact(reversed(self.all_steps()), template)
            return dataclasses.replace(latest, best=record)
        content = self._read(expected.step)
        if content is not None:
            return dataclasses.replace(self._restored(expected.step, content, template), best=record)
        self._report_lost([expected], fallback)
        ranked = sorted(self._intact(), key=lambda one: (self._score(one, seed_index), one), reverse=True)
        lost = dataclasses.replace(record, lost=(*record.lost, expected))
        return dataclasses.replace(self._first_intact(ranked, template), best=lost)

    def check_best(self, *, fallback: bool = False) -> None:
        """Checks that the best checkpoints are intact, or with `fallback` replaces those that are not."""
        record = self._best_record()
        lost = [one for one in dict.fromkeys(record.best) if self._read(one.step) is None]
        if not lost:
            return
        self._report_lost(lost, fallback)
        self._record = BestRecord((), (*record.lost, *lost))
        for step in self._intact():
            self._record = self._record.with_scores(step, self._scores[step])

    def _report_lost(
        self, lost: Sequence[Best], fallback: bool, problem: str = "the best checkpoint is lost"
    ) -> None:
        """Says which checkpoints are lost: a warning with `fallback`, otherwise an error."""
        files = [
            f"{one}: {self._path(one.step)} "
            + (f"is damaged ({self._damaged[one.step]})" if self._path(one.step).exists() else "is missing")
            for one in lost
        ]
        message = f"{problem}: {'; '.join(files)}. Intact: {self._intact() or 'none'}"
        if not fallback:
            raise LostCheckpointError(f"{message}. {FALLBACK_HINT}")
        _logger.warning("%s, of which the best takes its place", message)

    def _first_intact(self, steps: Iterable[int], template: TrainState) -> RestoredCheckpoint:
        for step in steps:
            content = self._read(step)
            if content is not None:
                return self._restored(step, content, template)
        reason = f"damaged: {self.all_steps()}" if self.all_steps() else "there are none"
        raise ValueError(
            f"no intact checkpoint in {self._folder} ({reason}); remove the folder to start over"
        )

    def _restored(
        self, step: int, content: tuple[Arrays, dict[str, Any]], template: TrainState
    ) -> RestoredCheckpoint:
        arrays, record = content
        state = _from_arrays(arrays, template, self._path(step))
        return RestoredCheckpoint(state, record["metadata"], BestRecord.from_json(record["best"]))

    def _intact(self) -> list[int]:
        return [step for step in self.all_steps() if self._read(step) is not None]

    def _best_record(self) -> BestRecord:
        """The record of this object's last step, or else of the latest intact checkpoint."""
        if self._record is None:
            contents = (self._read(step) for step in reversed(self.all_steps()))
            latest = next((content for content in contents if content is not None), None)
            self._record = BestRecord() if latest is None else BestRecord.from_json(latest[1]["best"])
        return self._record

    def _read(self, step: int) -> tuple[Arrays, dict[str, Any]] | None:
        """Arrays and record of a checkpoint; None if it is damaged or missing."""
        if not self._read_only:
            check_owned(self._folder)  # Otherwise it may be another run's.
        try:
            arrays, record = read_checkpoint(self._path(step))
            if arrays["step"] != step:
                raise ValueError(f"it is the checkpoint of step {arrays['step']}")
            if not isinstance(record["metadata"], dict):
                raise ValueError("it has no metadata")
            self._check_config(record.get("config", {}))
            BestRecord.from_json(record["best"])
            self._scores[step] = _as_tuple(record["score"])
            return arrays, record
        except FileNotFoundError:
            return None
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:200]
            if step not in self._damaged:
                _logger.warning("checkpoint %s is damaged and skipped: %s", self._path(step), reason)
            self._damaged[step] = reason
            return None

    def _check_config(self, config: Mapping[str, Any]) -> None:
        for key in sorted({*self._config} & {*config}):
            if config[key] != self._config[key]:
                raise ValueError(f"it is the checkpoint of a run with another {key}: {config[key]!r}")

    def _kept(self) -> set[int]:
        steps = self.all_steps()
        regular = [step for step in steps if self._is_regular(step)]
        return {*steps[-KEPT_LAST:], *regular[-1:], *self._best_record().steps()}

    def _is_regular(self, step: int) -> bool:
        """Returns whether uninterrupted runs save this step too: it has a score, or is step 0."""
        if step not in self._scores and step not in self._damaged:
            self._read(step)
        return step == 0 or len(self._scores.get(step, ())) > 0

    def _score(self, step: int, seed_index: int) -> float:
        """Score of a seed; below all others if there is none, or it is NaN."""
        score = dict(enumerate(self._scores[step])).get(seed_index, -math.inf)
        return -math.inf if math.isnan(score) else score

    def _set_aside(self, step: int) -> None:
        path = self._path(step)
        set_aside(path, f"damaged_{path.name}")

    def _path(self, step: int) -> pathlib.Path:
        return checkpoint_path(self._folder, step)


def _as_tuple(score: float | Sequence[float] | None) -> tuple[float, ...]:
    """Score of each seed; empty if there is none."""
    if score is None:
        return ()
    return tuple(map(float, score)) if isinstance(score, Sequence) else (float(score),)


def _to_arrays(state: TrainState) -> Arrays:
    """The arrays of a state by name; the PRNG key as its key data."""
    return _by_name(with_plain_key(state))


def _by_name(tree: Any) -> Arrays:
    return {_name(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _from_arrays(arrays: Arrays, template: TrainState, path: pathlib.Path) -> TrainState:
    expected_leaves = jax.tree_util.tree_leaves_with_path(with_plain_key(template))
    expected = {_name(path): (leaf.shape, leaf.dtype.itemsize) for path, leaf in expected_leaves}
    actual = {name: (array.shape, array.dtype.itemsize) for name, array in arrays.items()}
    differ = sorted(name for name in {*expected, *actual} if expected.get(name) != actual.get(name))
    if differ:
        raise ValueError(
            f"{path} does not match the run's config, or was written by another version of nar: "
            f"{len(differ)} arrays differ, e.g. {', '.join(differ[:3])}"
        )
    leaves = [arrays[_name(path)].view(leaf.dtype) for path, leaf in expected_leaves]
    state = jax.tree.unflatten(jax.tree.structure(with_plain_key(template)), leaves)
    return with_random_key(state)


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
