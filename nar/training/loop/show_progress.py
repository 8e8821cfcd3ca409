"""Display of the progress of training."""

import contextlib
import math
import sys

import numpy as np

from nar.progress import ProgressBar
from nar.training.loop.callback import VALIDATION_SCORE, Callback, StepReport
from nar.training.loop.timing import Clock
from nar.training.state import TrainState


class ShowProgress(Callback):
    """Loss, validation score and time left: a bar in a terminal, elsewhere a line per log interval.

    The time left follows from the steps of this session, without the time that they waited for
    compilation. Until the first step the display says `compiling`.
    """

    def __init__(self, start: int, num_steps: int, log_every: int, clock: Clock, every: int = 10) -> None:
        """Opens the display.

        Args:
          start: number of steps already taken.
          num_steps: number of steps of the run.
          log_every: number of steps between lines.
          clock: measures the time of compilation.
          every: number of steps between updates of the loss, which wait for the device.
        """
        self._log_every = log_every
        self._clock = clock
        self._compiled_before = clock.compiling_seconds()
        self._every = every
        self._postfix: dict[str, str] = {}
        self._bar = ProgressBar(
            total=num_steps, initial=start, desc="compiling", unit="step", mininterval=0.5
        )
        if not self._bar.is_bar:
            self._bar.mininterval = math.inf
            self._bar.leave = False
            ProgressBar.write("compiling", sys.stderr)

    def on_step(self, report: StepReport) -> None:
        """Advances the display."""
        is_logged = report.step % self._log_every == 0 or report.evaluation is not None
        if report.step % self._every == 0 or is_logged:
            self._postfix["loss"] = f"{float(np.mean(report.metrics['loss'])):.3f}"
        if report.evaluation is not None:
            self._postfix["validation"] = f"{report.evaluation.scores[VALIDATION_SCORE]:.2%}"
        self._bar.excluded_seconds = self._clock.compiling_seconds() - self._compiled_before
        with contextlib.suppress(OSError):  # Nobody may be left to read it.
            self._bar.set_description("training", refresh=False)
            self._bar.set_postfix(self._postfix, refresh=False)
            self._bar.update()
            if is_logged and not self._bar.is_bar:
                self._bar.refresh()

    def on_end(self, state: TrainState, interrupted: bool) -> None:
        """Closes the display."""
        self.close()

    def close(self) -> None:
        """Closes the display, also after an error."""
        with contextlib.suppress(OSError):
            self._bar.close()
