"""Live status of a sweep: a progress bar over the steps of all trials, and a line for each event."""

import sys
from collections.abc import Sequence
from typing import Any

from experiments.sweeps.supervisor import Entry, State
from nar.progress import ProgressBar


class Status:
    """Progress bar with counts of trials by state, the best score so far and the remaining time."""

    def __init__(self, total: int) -> None:
        """Takes the total number of steps; the bar is opened on standard error by the first `show`."""
        self._bar: Any = None
        self._total = total

    def show(self, entries: Sequence[Entry]) -> None:
        """Updates the bar."""
        step = sum(min(entry.progress.step, entry.trial.steps) for entry in entries)
        if self._bar is None:
            # Earlier steps are `initial`, so that they do not count in the estimate of the remaining time.
            self._bar = ProgressBar(total=self._total, initial=step, desc="sweep", unit="step", mininterval=1)
        self._bar.set_postfix_str(describe(entries), refresh=False)
        self._bar.update(step - self._bar.n)

    def log(self, line: str) -> None:
        """Prints a line above the bar."""
        ProgressBar.write(line, file=sys.stderr)

    def close(self) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()


def describe(entries: Sequence[Entry]) -> str:
    """Formats the number of trials by state, and the best validation score so far."""
    counts = [sum(entry.state is state for entry in entries) for state in State]
    parts = [f"{count} {state.value}" for state, count in zip(State, counts, strict=True) if count]
    scored = [(entry.progress.best, entry.trial.name) for entry in entries if entry.progress.best is not None]
    if scored:
        best, name = max(scored)
        parts.append(f"best {best:.2%} ({name})")
    return ", ".join(parts)
