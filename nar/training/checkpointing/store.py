"""The interface of checkpoints."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from nar.training.checkpointing.best_checkpoints import BestRecord
from nar.training.state import TrainState


@dataclasses.dataclass(frozen=True)
class RestoredCheckpoint:
    """A verified checkpoint.

    Attributes:
      state: the saved state, on the host.
      metadata: the metadata that were saved with it.
      best: the best checkpoints so far, and those of them that were lost.
    """

    state: TrainState
    metadata: dict[str, Any]
    best: BestRecord = BestRecord()


class CheckpointStore(Protocol):
    """The checkpoints of one run."""

    def save(
        self, state: TrainState, score: float | Sequence[float] | None, metadata: Mapping[str, Any]
    ) -> None:
        """Saves a state, and removes checkpoints that are no longer needed.

        Args:
          state: the state.
          score: validation score, which alone decides which checkpoint is best; a sequence of one score per
            seed if there are several; None if this step has none.
          metadata: JSON-serializable metadata to save with it.

        Raises:
          OSError: if it cannot be written; the message names the file, and earlier checkpoints are kept.
        """
        ...

    def restore(self, template: TrainState, *, scored_only: bool = False) -> RestoredCheckpoint | None:
        """Restores the latest intact checkpoint; None if there are no checkpoints.

        Args:
          template: a state of the same shapes.
          scored_only: whether only checkpoints with a score, and that of step 0, are considered: those that
            uninterrupted runs have, too.

        Raises:
          ValueError: if all are damaged, or if the latest intact one does not match the template.
        """
        ...

    def best(
        self, template: TrainState, seed_index: int = 0, *, step: int | None = None, fallback: bool = False
    ) -> RestoredCheckpoint:
        """Restores the checkpoint with the highest score, the latest in case of ties.

        Which it is, is recorded in all later checkpoints.

        Args:
          template: a state of the same shapes.
          seed_index: index of the seed whose score decides, if there are several.
          step: its step, if it is known from elsewhere.
          fallback: whether the best of the intact checkpoints may take its place; `best.lost` says so.

        Raises:
          LostCheckpointError: if it is damaged or missing.
          ValueError: if there is none, or if it does not match the template.
        """
        ...

    def check_best(self, *, fallback: bool = False) -> None:
        """Checks that the best checkpoints of all seeds are intact.

        Args:
          fallback: whether the best of the intact checkpoints may take the place of lost ones, from now on.

        Raises:
          LostCheckpointError: if one of them is damaged or missing.
        """
        ...

    def all_steps(self) -> list[int]:
        """Steps with a checkpoint, in ascending order."""
        ...


def with_plain_key(state: TrainState) -> TrainState:
    """The state with its PRNG key replaced by the key data."""
    # This process's copy, since other processes do not take part.
    return dataclasses.replace(state, key=np.asarray(jax.random.key_data(state.key.addressable_data(0))))


def with_random_key(state: TrainState) -> TrainState:
    """Inverse of `with_plain_key`."""
    return dataclasses.replace(state, key=jax.random.wrap_key_data(jnp.asarray(state.key)))
