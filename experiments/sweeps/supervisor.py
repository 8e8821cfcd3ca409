"""Runs what is missing of a sweep: starts trials as there is room, and starts those again that died.

Launchers only know how to start one trial, to ask whether it has ended, and to end it. All else follows from
the trials' folders, so that a sweep may be stopped, killed, started again, or started on several machines
that share its folder.
"""

import collections
import dataclasses
import enum
import pathlib
from collections.abc import Callable, Sequence
from typing import Protocol

from experiments.sweeps.progress import Progress, Watcher, is_in_use, saved_step
from experiments.sweeps.trial import Trial


class Handle(Protocol):
    """A trial that was given to a launcher."""

    def poll(self) -> int | None:
        """The exit code of its process; None as long as it has not ended."""
        ...

    def is_running(self) -> bool:
        """Whether it has begun, or still waits for a machine."""
        ...

    def stop(self) -> None:
        """Passes on that all is to end: the trial saves, and then `poll` has an exit code."""
        ...


class Launcher(Protocol):
    """Something that runs trials; one that has no room refuses nothing, but is not asked."""

    def has_room(self) -> bool:
        """Whether one more may be started now."""
        ...

    def start(self, trial: Trial) -> Handle:
        """Starts a trial, or goes on with it."""
        ...


class State(enum.Enum):
    """What a trial is doing."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    ELSEWHERE = "running elsewhere"
    DONE = "done"
    FAILED = "failed"


@dataclasses.dataclass
class Entry:
    """What is known of a trial.

    Attributes:
      trial: itself.
      state: what it is doing.
      progress: how far it is.
      handle: of its process, if this sweep has started one.
      deaths: how often it has ended early since it got further than to the checkpoint before.
      saved: the step of its last checkpoint when it was started.
    """

    trial: Trial
    state: State
    progress: Progress
    handle: Handle | None = None
    deaths: int = 0
    saved: int = -1


class Supervision:
    """The trials of a sweep in the hands of one launcher."""

    def __init__(
        self,
        trials: Sequence[Trial],
        launcher: Launcher,
        retries: int,
        tell: Callable[[str], None],
    ) -> None:
        """Looks at the trials, and starts nothing yet.

        Args:
          trials: all of them.
          launcher: that runs them.
          retries: how often a trial that dies is started again without a new checkpoint in between.
          tell: is told what happens, a line at a time.
        """
        self._launcher, self._retries, self._tell = launcher, retries, tell
        self._watchers = {trial.name: Watcher(trial) for trial in trials}
        self.entries = [Entry(trial, State.WAITING, self._look(trial)) for trial in trials]
        for entry in self.entries:
            if entry.progress.result is not None:
                entry.state = State.DONE
        self._stopping = False

    def counts(self) -> collections.Counter[State]:
        """How many trials are doing what."""
        return collections.Counter(entry.state for entry in self.entries)

    def is_over(self) -> bool:
        """Whether nothing is left to be done, or, when all was told to stop, nothing runs any more."""
        if self._stopping:
            return all(entry.handle is None for entry in self.entries)
        return all(entry.state in (State.DONE, State.FAILED) for entry in self.entries)

    def turn(self) -> None:
        """Notes what has ended, and starts what there is room for."""
        for entry in self.entries:
            if entry.handle is not None:
                self._follow(entry, entry.handle)
        if self._stopping:
            return
        for entry in self.entries:
            if entry.state in (State.WAITING, State.ELSEWHERE) and self._launcher.has_room():
                self._begin(entry)

    def stop(self) -> None:
        """Tells all that runs to save and end; nothing is started any more."""
        self._stopping = True
        for entry in self.entries:
            if entry.handle is not None:
                entry.handle.stop()

    def _begin(self, entry: Entry) -> None:
        if is_in_use(entry.trial):
            if entry.state is not State.ELSEWHERE:
                self._tell(f"{entry.trial.name}: another process trains it")
            entry.state = State.ELSEWHERE
            return
        entry.progress = self._look(entry.trial)
        if entry.progress.result is not None:
            self._settle(entry)
            return
        entry.saved = saved_step(entry.trial)
        entry.trial.prepare()
        entry.handle, entry.state = self._launcher.start(entry.trial), State.QUEUED
        begins = f"goes on from step {entry.saved}" if entry.saved > 0 else "starts"
        self._tell(f"{entry.trial.name}: {begins}")

    def _follow(self, entry: Entry, handle: Handle) -> None:
        code = handle.poll()
        entry.progress = self._look(entry.trial)
        if code is None:
            entry.state = State.RUNNING if handle.is_running() else State.QUEUED
            return
        entry.handle = None
        if entry.progress.result is not None:
            self._settle(entry)
        elif self._stopping:
            entry.state = State.WAITING
        elif is_in_use(entry.trial):
            entry.state = State.ELSEWHERE
        else:
            self._bury(entry, code)

    def _settle(self, entry: Entry) -> None:
        entry.state = State.DONE
        best = entry.progress.best
        self._tell(f"{entry.trial.name}: done" + ("" if best is None else f", validation {best:.2%}"))

    def _bury(self, entry: Entry, code: int) -> None:
        """Counts a death; the trial waits for its next life, or has failed."""
        entry.deaths = 1 if saved_step(entry.trial) > entry.saved else entry.deaths + 1
        entry.state = State.FAILED if entry.deaths > self._retries else State.WAITING
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        then = "given up" if entry.state is State.FAILED else "to be started again"
        self._tell(f"{entry.trial.name}: {ended}, {then}: {last_line(entry.trial.log)}")

    def _look(self, trial: Trial) -> Progress:
        return self._watchers[trial.name].look()


def last_line(log: pathlib.Path) -> str:
    """The last that a process said."""
    if not log.exists():
        return "it said nothing"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = file.read().decode(errors="replace").replace("\r", "\n").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
