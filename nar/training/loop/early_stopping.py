"""Early stopping: when validation has not got better for some time."""

import math
from collections.abc import Mapping
from typing import Any


class EarlyStopping:
    """Counts validations without a better score than the best so far.

    Its memory is what `notes` says, which is saved with each checkpoint, so that a resumed run stops where an
    undisturbed one does.
    """

    def __init__(self, limit: int, metadata: Mapping[str, Any] | None = None) -> None:
        """Starts anew, or where the notes of a checkpoint say.

        Args:
          limit: how many validations without a better score end training; 0 for never.
          notes: of the checkpoint that training goes on from.

        Raises:
          ValueError: if the limit is no such number.
        """
        check_early_stopping_patience(limit)
        memory = (metadata or {}).get("early_stopping", {})
        self._limit = limit
        self._best = memory.get("best", -math.inf)
        self._waited = memory.get("waited", 0)

    def update(self, score: float) -> None:
        """The score of a validation."""
        better = score > self._best
        self._best = score if better else self._best
        self._waited = 0 if better else self._waited + 1

    def should_stop(self) -> bool:
        """Whether training should end."""
        return 0 < self._limit <= self._waited

    def state_dict(self) -> dict[str, Any]:
        """To be saved with a checkpoint; nothing before the first score, and nothing without a limit."""
        if not self._limit or self._best == -math.inf:
            return {}
        return {"early_stopping": {"best": self._best, "waited": self._waited}}


def check_early_stopping_patience(limit: Any) -> None:
    """Raises ValueError unless the limit is a number of validations."""
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise ValueError(f"early_stopping_patience must be an integer of at least 0, got {limit!r}")
