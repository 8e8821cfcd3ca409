"""The time that a run has taken, over all its sessions, and what for."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from nar.training.loop.compilations import Compilations

COMPILING = "seconds_compiling"
VALIDATING = "seconds_validating"
SAVING = "seconds_saving"


class Clock:
    """Seconds of a run over all its sessions."""

    def __init__(self, before: float = 0.0, compilations: Compilations | None = None) -> None:
        """Starts now, with so many seconds behind it.

        Those of compiling are known to `compilations`, which the thread of training has made.
        """
        self._start = time.perf_counter() - before
        self._compilations = compilations
        self._told = 0.0
        self._spent: defaultdict[str, float] = defaultdict(float)

    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._start

    @contextlib.contextmanager
    def measure(self, what: str) -> Iterator[None]:
        """Counts the seconds within, but for those of compiling."""
        start, compiling = time.perf_counter(), self._compiling()
        yield
        self._spent[what] += time.perf_counter() - start - (self._compiling() - compiling)

    def pop_seconds(self) -> dict[str, float]:
        """Seconds of compiling, validating and saving since this was last asked."""
        compiling = self._compiling()
        spent = {VALIDATING: 0.0, SAVING: 0.0, **self._spent, COMPILING: compiling - self._told}
        self._told = compiling
        self._spent.clear()
        return spent

    def _compiling(self) -> float:
        return self._compilations.main_thread_seconds if self._compilations else 0.0

    def state_dict(self) -> dict[str, Any]:
        """To be saved with a checkpoint."""
        return {"seconds": self.seconds()}
