"""Checkpoints of a run of several processes."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nar.training.checkpointing.store import (
    CheckpointStore,
    RestoredCheckpoint,
    with_plain_key,
    with_random_key,
)
from nar.training.devices.processes import is_first_process, run_on_all, run_on_first
from nar.training.state import TrainState


class SharedCheckpoints:
    """A store for a run of several processes, of which only the first accesses the files.

    All processes must call `restore`, `best`, `check_best` and `all_steps`, in the same order, and receive
    the same result; errors are raised in all. `save` may be called in the first process alone, and does
    nothing in the others.
    """

    def __init__(self, open_store: Callable[[], CheckpointStore]) -> None:
        """Opens the store in the first process.

        Args:
          open_store: opens it, e.g. `lambda: Checkpoints(folder)`.

        Raises:
          ProcessFailedError: if it fails and there are several processes; so do `restore` and `best`.
        """
        self._store = run_on_all(lambda: open_store() if is_first_process() else None)

    def save(
        self, state: TrainState, score: float | Sequence[float] | None, metadata: Mapping[str, Any]
    ) -> None:
        """Saves a state, in the first process."""
        if self._store is not None:
            self._store.save(state, score, metadata)

    def restore(self, template: TrainState, *, scored_only: bool = False) -> RestoredCheckpoint | None:
        """Restores the latest intact checkpoint; None if there are no checkpoints."""
        return self._on_all(lambda store: store.restore(template, scored_only=scored_only))

    def best(
        self, template: TrainState, seed_index: int = 0, *, step: int | None = None, fallback: bool = False
    ) -> RestoredCheckpoint:
        """Restores the checkpoint with the highest score, the latest in case of ties."""
        restored = self._on_all(lambda store: store.best(template, seed_index, step=step, fallback=fallback))
        assert restored is not None
        return restored

    def check_best(self, *, fallback: bool = False) -> None:
        """Checks that the best checkpoints are intact."""
        run_on_first(lambda: self._store and self._store.check_best(fallback=fallback))

    def all_steps(self) -> list[int]:
        """Steps with a checkpoint, in ascending order."""
        return run_on_first(lambda: [] if self._store is None else self._store.all_steps())

    def _on_all(
        self, read: Callable[[CheckpointStore], RestoredCheckpoint | None]
    ) -> RestoredCheckpoint | None:
        """The result of `read(store)` in the first process, in all processes."""

        def read_plain() -> RestoredCheckpoint | None:
            restored = None if self._store is None else read(self._store)
            return restored and dataclasses.replace(restored, state=with_plain_key(restored.state))

        restored = run_on_first(read_plain)
        return restored and dataclasses.replace(restored, state=with_random_key(restored.state))
