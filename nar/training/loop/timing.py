"""Wall-clock time of a run over all its sessions, and its breakdown."""

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
    """Stopwatch of a run; a resumed session continues to count from the earlier ones."""

    def __init__(self, elapsed: float = 0.0, compilations: Compilations | None = None) -> None:
        """Starts the clock.

        Args:
          elapsed: seconds of earlier sessions.
          compilations: counter of compilation time, made by the training thread; None to not separate it.
        """
        self._start = time.perf_counter() - elapsed
        self._compilations = compilations
        self._popped_compiling = 0.0
        self._spent: defaultdict[str, float] = defaultdict(float)

    def seconds(self) -> float:
        """Seconds since the run began, over all sessions."""
        return time.perf_counter() - self._start

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Adds the duration of the context, without compilation, to the time under `name`."""
        start, compiling = time.perf_counter(), self._compiling()
        yield
        self._spent[name] += time.perf_counter() - start - (self._compiling() - compiling)

    def pop_seconds(self) -> dict[str, float]:
        """Seconds of compiling, validating and saving since the last call."""
        compiling = self._compiling()
        spent = {VALIDATING: 0.0, SAVING: 0.0, **self._spent, COMPILING: compiling - self._popped_compiling}
        self._popped_compiling = compiling
        self._spent.clear()
        return spent

    def _compiling(self) -> float:
        return self._compilations.main_thread_seconds if self._compilations else 0.0

    def state_dict(self) -> dict[str, Any]:
        """State for the metadata of a checkpoint."""
        return {"seconds": self.seconds()}
