"""Supervision of a sweep: starts trials as capacity allows, and restarts those that fail.

Launchers only start, poll and stop single trials. All other state is in the directories of the trials, so
that a sweep may be stopped, killed, resumed, or run by several machines that share its directory.
"""

import collections
import dataclasses
import enum
import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Protocol

from experiments.sweeps.progress import Progress, ProgressReader, is_in_use, saved_step
from experiments.sweeps.trial import Trial
from nar.reading import open_regular


class Handle(Protocol):
    """A trial that was started by a launcher."""

    def poll(self) -> int | None:
        """Exit code of its process; None while it has not ended."""
        ...

    def is_running(self) -> bool:
        """Returns whether it has started; False while it is queued."""
        ...

    def stop(self) -> None:
        """Stops the trial gracefully: it saves a checkpoint, and then `poll` returns an exit code."""
        ...


class Launcher(Protocol):
    """Interface of launchers; `start` is only called while `has_capacity` returns True."""

    def has_capacity(self) -> bool:
        """Returns whether one more trial may be started now."""
        ...

    def start(self, trial: Trial) -> Handle:
        """Starts or resumes a trial."""
        ...


class State(enum.Enum):
    """State of a trial."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    ELSEWHERE = "running elsewhere"
    DONE = "done"
    FAILED = "failed"


@dataclasses.dataclass
class Entry:
    """A trial and its state.

    Attributes:
      trial: the trial.
      state: its current state.
      progress: its current progress.
      handle: its process, if this sweep has started one.
      num_failures: number of consecutive failures without a new checkpoint.
      saved: step of its last checkpoint when it was started; -1 without a checkpoint.
    """

    trial: Trial
    state: State
    progress: Progress
    handle: Handle | None = None
    num_failures: int = 0
    saved: int = -1


class Supervisor:
    """Runs the trials of a sweep with one launcher."""

    def __init__(
        self,
        trials: Sequence[Trial],
        launcher: Launcher,
        retries: int,
        log: Callable[[str], None],
    ) -> None:
        """Reads the progress of the trials, without starting any.

        Args:
          trials: all trials of the sweep.
          launcher: launcher that runs them.
          retries: restarts of a failing trial that are allowed without a new checkpoint in between.
          log: called with a line for each event.
        """
        self._launcher, self._retries, self._log = launcher, retries, log
        self._readers = {trial.name: ProgressReader(trial) for trial in trials}
        self.entries = [Entry(trial, State.WAITING, self._read_progress(trial)) for trial in trials]
        for entry in self.entries:
            if entry.progress.result is not None:
                entry.state = State.DONE
        self._stopping = False

    def counts(self) -> collections.Counter[State]:
        """Number of trials by state."""
        return collections.Counter(entry.state for entry in self.entries)

    def is_over(self) -> bool:
        """Returns whether all trials have ended, or, after `stop`, none is running any more."""
        if self._stopping:
            return all(entry.handle is None for entry in self.entries)
        return all(entry.state in (State.DONE, State.FAILED) for entry in self.entries)

    def update(self) -> None:
        """Polls running trials, and starts waiting ones as capacity allows."""
        for entry in self.entries:
            if entry.handle is not None:
                self._or_fail(entry, functools.partial(self._check_process, entry, entry.handle))
        if self._stopping:
            return
        for entry in self.entries:
            if entry.state in (State.WAITING, State.ELSEWHERE) and self._launcher.has_capacity():
                self._or_fail(entry, functools.partial(self._start_trial, entry))

    def _or_fail(self, entry: Entry, action: Callable[[], None]) -> None:
        """Runs an action on a trial; a damaged directory is a failure of this trial alone."""
        try:
            action()
        except ValueError as error:
            entry.state = State.FAILED
            self._log(f"{entry.trial.name}: giving up: {error}")

    def stop(self) -> None:
        """Stops running trials gracefully; no more trials are started."""
        self._stopping = True
        for entry in self.entries:
            if entry.handle is not None:
                entry.handle.stop()

    def _start_trial(self, entry: Entry) -> None:
        if is_in_use(entry.trial):
            if entry.state is not State.ELSEWHERE:
                self._log(f"{entry.trial.name}: another process is training it")
            entry.state = State.ELSEWHERE
            return
        entry.progress = self._read_progress(entry.trial)
        if entry.progress.result is not None:
            self._mark_done(entry)
            return
        entry.saved = saved_step(entry.trial)
        entry.trial.prepare()
        entry.handle, entry.state = self._launcher.start(entry.trial), State.QUEUED
        event = f"resumes from step {entry.saved}" if entry.saved > 0 else "starts"
        self._log(f"{entry.trial.name}: {event}")

    def _check_process(self, entry: Entry, handle: Handle) -> None:
        code = handle.poll()
        entry.progress = self._read_progress(entry.trial)
        if code is None:
            entry.state = State.RUNNING if handle.is_running() else State.QUEUED
            return
        entry.handle = None
        if entry.progress.result is not None:
            self._mark_done(entry)
        elif self._stopping:
            entry.state = State.WAITING
        elif is_in_use(entry.trial):
            entry.state = State.ELSEWHERE
        else:
            self._record_failure(entry, code)

    def _mark_done(self, entry: Entry) -> None:
        entry.state = State.DONE
        best = entry.progress.best
        self._log(f"{entry.trial.name}: done" + ("" if best is None else f", validation {best:.2%}"))

    def _record_failure(self, entry: Entry, code: int) -> None:
        """Counts a failure; the trial waits to be restarted, or has failed for good."""
        entry.num_failures = 1 if saved_step(entry.trial) > entry.saved else entry.num_failures + 1
        entry.state = State.FAILED if entry.num_failures > self._retries else State.WAITING
        cause = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        action = "giving up" if entry.state is State.FAILED else "will be restarted"
        self._log(f"{entry.trial.name}: {cause}, {action}: {last_line(entry.trial.log)}")

    def _read_progress(self, trial: Trial) -> Progress:
        return self._readers[trial.name].read()


def last_line(log: pathlib.Path) -> str:
    """Last non-empty line of a log."""
    if not log.exists():
        return "no output"
    with open_regular(log) as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = file.read().decode(errors="replace").replace("\r", "\n").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")
