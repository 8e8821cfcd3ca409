"""Time budget: training ends once the run has used a given CPU time."""

from collections.abc import Mapping
from typing import Any

from nar.training.devices.processes import run_on_first
from nar.training.loop.callback import Callback, StepReport
from nar.training.loop.timing import Clock


class TimeBudget(Callback):
    """Stops training at the first validation at which the CPU time of the run has reached a budget.

    The CPU time is that of the first process, over all of its threads and all sessions of the run; it
    includes compilation and validation. Training thus ends with a scored checkpoint. That the budget is
    exhausted is saved with the checkpoint, so that a run that is interrupted after that does not continue.
    """

    def __init__(self, minutes: float, clock: Clock) -> None:
        """Makes the callback.

        Args:
          minutes: the budget in minutes of CPU time; 0 for none.
          clock: the clock of the run.

        Raises:
          ValueError: if the budget is negative or not finite.
        """
        check_max_cpu_minutes(minutes)
        self._minutes, self._clock = minutes, clock
        self._is_exhausted = False

    def on_step(self, report: StepReport) -> None:
        """Compares the CPU time with the budget if the step was evaluated."""
        if self._minutes and report.evaluation is not None:
            self._is_exhausted = run_on_first(lambda: self._clock.cpu_seconds() >= 60 * self._minutes)

    def should_stop(self) -> bool:
        """Returns whether the budget is exhausted."""
        return self._is_exhausted

    def state_dict(self) -> Mapping[str, Any]:
        """Empty until the budget is exhausted."""
        return {"is_exhausted": True} if self._is_exhausted else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores whether the budget is exhausted."""
        self._is_exhausted = state["is_exhausted"]


def check_max_cpu_minutes(minutes: float) -> None:
    """Raises ValueError unless the budget is a finite number of at least 0."""
    if not 0 <= minutes < float("inf"):
        raise ValueError(f"max_cpu_minutes must be a finite number of at least 0, got {minutes}")
