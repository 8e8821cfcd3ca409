"""Early stopping: training ends when the validation score has stopped improving."""

import math
from collections.abc import Mapping
from typing import Any

from nar.training.loop.callback import Callback, StepReport


class EarlyStopping(Callback):
    """Stops training after `patience` validations in a row without a new best score.

    Its state is saved with each checkpoint, so that a resumed run stops at the same step as an uninterrupted
    one.
    """

    def __init__(self, patience: int) -> None:
        """Makes the callback.

        Args:
          patience: number of validations without improvement after which training ends; 0 for never.

        Raises:
          ValueError: if the patience is not a non-negative integer.
        """
        check_early_stopping_patience(patience)
        self._patience = patience
        self._best, self._waited = -math.inf, 0

    def on_step(self, report: StepReport) -> None:
        """Counts a validation."""
        if report.evaluation is None:
            return
        is_better = report.evaluation.score > self._best
        self._best = report.evaluation.score if is_better else self._best
        self._waited = 0 if is_better else self._waited + 1

    def should_stop(self) -> bool:
        """Returns whether the patience is exhausted."""
        return 0 < self._patience <= self._waited

    def state_dict(self) -> Mapping[str, Any]:
        """Best score and number of validations since; empty before the first, or if the patience is 0."""
        if not self._patience or self._best == -math.inf:
            return {}
        return {"best": self._best, "waited": self._waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores both."""
        self._best, self._waited = state["best"], state["waited"]


def check_early_stopping_patience(patience: Any) -> None:
    """Raises ValueError unless the patience is a non-negative integer."""
    if not isinstance(patience, int) or isinstance(patience, bool) or patience < 0:
        raise ValueError(f"early_stopping_patience must be an integer of at least 0, got {patience!r}")
