"""The live status of a sweep: a bar over the steps of all trials, and a line for what happens."""

import sys
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from experiments.sweeps.supervisor import Entry, State


class Status:
    """A bar with what is done, running and failed, the best score so far and the time left."""

    def __init__(self, total: int) -> None:
        """Opens the bar over so many steps, on the error stream."""
        self._bar: Any = None
        self._total = total

    def show(self, entries: Sequence[Entry]) -> None:
        """Moves the bar to where the trials are."""
        step = sum(min(entry.progress.step, entry.trial.steps) for entry in entries)
        if self._bar is None:
            # The time left follows from what is done from here on.
            self._bar = tqdm(
                total=self._total,
                initial=step,
                desc="sweep",
                unit="step",
                dynamic_ncols=True,
                mininterval=1,
            )
        self._bar.set_postfix_str(describe(entries), refresh=False)
        self._bar.update(step - self._bar.n)

    def tell(self, line: str) -> None:
        """Prints a line above the bar."""
        tqdm.write(line, file=sys.stderr)

    def close(self) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.refresh()
            self._bar.close()


def describe(entries: Sequence[Entry]) -> str:
    """How many trials are in which state, and the best score on validation so far."""
    counts = [sum(entry.state is state for entry in entries) for state in State]
    parts = [f"{count} {state.value}" for state, count in zip(State, counts, strict=True) if count]
    scored = [(entry.progress.best, entry.trial.name) for entry in entries if entry.progress.best is not None]
    if scored:
        best, name = max(scored)
        parts.append(f"best {best:.2%} ({name})")
    return ", ".join(parts)
