"""Checkpoints: the last two and the best, through orbax.

This module is the only one that knows orbax, whose next major version renames its interface.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from orbax.checkpoint.checkpoint_managers import preservation_policy

from nar.training.state import TrainState, digest

KEPT_LAST = 2
NO_SCORE = -1.0
"""Stands for the score of a checkpoint that was made between two validations."""


@dataclasses.dataclass(frozen=True)
class Restored:
    """A checkpoint that was read and found whole.

    Attributes:
      state: as it was saved, on the host.
      notes: what was saved beside it.
    """

    state: TrainState
    notes: dict[str, Any]


class Checkpoints:
    """Checkpoints of one run; use as a context manager, or call `close`."""

    def __init__(self, folder: pathlib.Path, *, read_only: bool = False) -> None:
        """Opens the folder of a run.

        Args:
          folder: made if missing.
          read_only: for scoring a run that another process may be training.
        """
        if not read_only:
            _drop_damaged_scores(folder)
        policy = preservation_policy.AnyPreservationPolicy(
            [
                preservation_policy.LatestN(KEPT_LAST),
                preservation_policy.BestN(get_metric_fn=_score, n=1),
            ]
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policy,
            best_fn=_score,
            cleanup_tmp_directories=not read_only,
            create=not read_only,
            step_prefix="step",
        )
        self._saved: set[int] = set()
        self._manager = ocp.CheckpointManager(folder.absolute(), options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Waits for what is being written."""
        self._manager.wait_until_finished()
        self._manager.close()

    @property
    def steps(self) -> list[int]:
        """Steps of which there is a checkpoint, the latest last."""
        return sorted(self._manager.all_steps())

    def save(self, state: TrainState, score: float | None, notes: Mapping[str, Any]) -> None:
        """Saves a state, in the background; a state that this object has saved already is left as it is.

        Args:
          state: what to save.
          score: on validation, which alone decides what is best; None if this step has none.
          notes: plain JSON to save beside it.
        """
        step = int(state.step)
        if step in self._saved:
            return
        self._saved.add(step)
        plain = _to_plain(state)
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(plain),
                notes=ocp.args.JsonSave({"notes": dict(notes), "sha256": digest(plain)}),
            ),
            metrics={"score": NO_SCORE if score is None else score},
            force=True,
        )

    def restore(self, template: TrainState) -> Restored | None:
        """The latest checkpoint that is whole, or None if there is none at all.

        Damaged ones after it are removed, with a warning, since the run will write those steps again.

        Args:
          template: a state of the same shapes.

        Raises:
          ValueError: if there are checkpoints, but all are damaged; then none is removed.
        """
        steps = self.steps
        if not steps:
            return None
        restored = self._first_whole(reversed(steps), template)
        for step in steps:
            if step > int(restored.state.step):
                self._manager.delete(step)
        return restored

    def restore_last(self, template: TrainState) -> Restored:
        """The latest whole checkpoint; nothing is removed.

        Raises:
          ValueError: if there is no whole checkpoint.
        """
        return self._first_whole(reversed(self.steps), template)

    def restore_best(self, template: TrainState) -> Restored:
        """The whole checkpoint with the highest score, the latest of equals.

        Raises:
          ValueError: if there is no whole checkpoint.
        """
        self._manager.wait_until_finished()
        best_first = sorted(self.steps, key=lambda step: (self._score_of(step), step), reverse=True)
        return self._first_whole(best_first, template)

    def _first_whole(self, steps: Iterable[int], template: TrainState) -> Restored:
        for step in steps:
            restored = self._try(step, template)
            if restored is not None:
                return restored
        folder = self._manager.directory
        found = f"damaged: {self.steps}" if self.steps else "there are none"
        raise ValueError(f"no whole checkpoint in {folder} ({found}); remove the folder to start anew")

    def _score_of(self, step: int) -> float:
        try:
            metrics = self._manager.metrics(step)
        except Exception:
            return NO_SCORE
        return NO_SCORE if metrics is None else metrics["score"]

    def _try(self, step: int, template: TrainState) -> Restored | None:
        try:
            return self._read(step, template)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:200]
            logging.warning("the checkpoint of step %d is damaged and skipped: %s", step, reason)
            return None

    def _read(self, step: int, template: TrainState) -> Restored:
        shapes = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), _to_plain(template))
        found: Any = self._manager.restore(
            step,
            args=ocp.args.Composite(state=ocp.args.StandardRestore(shapes), notes=ocp.args.JsonRestore()),
        )
        if digest(found.state) != found.notes["sha256"]:
            raise ValueError("its content does not match its checksum")
        return Restored(_from_plain(found.state), found.notes["notes"])


def _drop_damaged_scores(folder: pathlib.Path) -> None:
    """Removes score files that are not JSON, on which orbax would stop; checkpoints then have no score."""
    for path in folder.glob("step_*/metrics/metrics"):
        try:
            json.loads(path.read_text())
        except (OSError, ValueError) as error:
            logging.warning("the score of checkpoint %s is damaged and ignored: %s", path.parts[-3], error)
            path.unlink(missing_ok=True)


def _score(info: Any) -> float:
    return info["score"]


def _to_plain(state: TrainState) -> dict[str, Any]:
    """What a state holds as a dictionary of numpy arrays; the random key as the numbers behind it."""
    fields = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    fields = {name: value for name, value in fields.items() if value is not None}
    fields["key"] = jax.random.key_data(state.key)
    # Copies: the next step reuses the memory of this state while it is still being written.
    return jax.tree.map(lambda leaf: np.array(leaf, copy=True), fields)


def _from_plain(fields: Mapping[str, Any]) -> TrainState:
    return TrainState(**{**fields, "key": jax.random.wrap_key_data(jnp.asarray(fields["key"]))})
