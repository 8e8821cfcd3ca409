"""Early stopping: training ends when the validation score has stopped improving."""

import math
from collections.abc import Mapping
from typing import Any


class EarlyStopping:
    """Counter of validations without improvement.

    Its state is saved with each checkpoint, so that a resumed run stops at the same step as an uninterrupted
    one.
    """

    def __init__(self, patience: int, metadata: Mapping[str, Any] | None = None) -> None:
        """Starts from scratch, or from the metadata of a checkpoint.

        Args:
          patience: number of validations without improvement after which training ends; 0 for never.
          metadata: metadata of the checkpoint from which training resumes.

        Raises:
          ValueError: if the patience is not a non-negative integer.
        """
        check_early_stopping_patience(patience)
        state = (metadata or {}).get("early_stopping", {})
        self._patience = patience
        self._best = state.get("best", -math.inf)
        self._waited = state.get("waited", 0)

    def update(self, score: float) -> None:
        """Registers the score of a validation."""
        is_better = score > self._best
        self._best = score if is_better else self._best
        self._waited = 0 if is_better else self._waited + 1

    def should_stop(self) -> bool:
        """Returns whether training should end."""
        return 0 < self._patience <= self._waited

    def state_dict(self) -> dict[str, Any]:
        """State for the metadata of a checkpoint; empty before the first score, or if the patience is 0."""
        if not self._patience or self._best == -math.inf:
            return {}
        return {"early_stopping": {"best": self._best, "waited": self._waited}}


def check_early_stopping_patience(patience: Any) -> None:
    """Raises ValueError unless the patience is a non-negative integer."""
    if not isinstance(patience, int) or isinstance(patience, bool) or patience < 0:
        raise ValueError(f"early_stopping_patience must be an integer of at least 0, got {patience!r}")
