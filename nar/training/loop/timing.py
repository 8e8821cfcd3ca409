"""Timing of a run: wall-clock time over all its sessions, and its breakdown."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from nar.training.loop.callback import Callback, StepReport
from nar.training.loop.compilations import Compilations

DATA_WAIT = "seconds_waiting_for_data"
"""Time that steps waited for their batches; zero if batches are prefetched in time."""

COMPILING = "seconds_compiling"
"""Time of compilation in the training thread, and of waiting for background compilation."""

VALIDATING = "seconds_validating"
SAVING = "seconds_saving"


class Clock(Callback):
    """Stopwatch of a run; a resumed session continues to count from the earlier ones.

    As a callback it adds up what steps waited for.
    """

    def __init__(self, compilations: Compilations | None = None) -> None:
        """Starts the clock.

        Args:
          compilations: counter of compilation time, made by the training thread; None to not separate it.
        """
        self._start, self._cpu_start = time.perf_counter(), time.process_time()
        self._compilations = compilations
        self._popped_compiling = self._waited_for_compilation = 0.0
        self._spent: defaultdict[str, float] = defaultdict(float)

    def seconds(self) -> float:
        """Seconds since the run began, over all sessions."""
        return time.perf_counter() - self._start

    def cpu_seconds(self) -> float:
        """CPU time of this process, over all of its threads and all sessions of the run."""
        return time.process_time() - self._cpu_start

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Adds the duration of the context, without compilation, to the time of that name."""
        start, compiling = time.perf_counter(), self._compiling()
        yield
        self._spent[name] += time.perf_counter() - start - (self._compiling() - compiling)

    def on_step(self, report: StepReport) -> None:
        """Adds what the step waited for."""
        self._spent[DATA_WAIT] += report.data_wait
        self._spent[COMPILING] += report.compilation_wait
        self._waited_for_compilation += report.compilation_wait

    def compiling_seconds(self) -> float:
        """Seconds of this session in which the training thread compiled or waited for compilation."""
        return self._waited_for_compilation + self._compiling()

    def pop_seconds(self) -> dict[str, float]:
        """Seconds of waiting for data, compiling, validating and saving since the last call."""
        compiling = self._compiling()
        spent = {DATA_WAIT: 0.0, VALIDATING: 0.0, SAVING: 0.0, COMPILING: 0.0} | self._spent
        spent[COMPILING] += compiling - self._popped_compiling
        self._popped_compiling = compiling
        self._spent.clear()
        return spent

    def _compiling(self) -> float:
        return self._compilations.main_thread_seconds if self._compilations else 0.0

    def state_dict(self) -> Mapping[str, Any]:
        """Wall-clock and CPU seconds since the run began."""
        return {"seconds": self.seconds(), "cpu_seconds": self.cpu_seconds()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Adds the seconds of earlier sessions to those of this one."""
        self._start -= state["seconds"]
        self._cpu_start -= state["cpu_seconds"]
