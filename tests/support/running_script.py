"""Processes of scripts that tests watch, signal or kill, forked as those of `commands.run` are."""

import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable

import commands


class RunningScript:
    """A process of a script, which runs beside the test."""

    def __init__(self, script: str, *arguments: object) -> None:
        """Starts it."""
        self._found: tuple[int, str, str] | None = None
        self._thread = threading.Thread(target=self._live, args=(script, *arguments), daemon=True)
        self._thread.start()

    def _live(self, script: str, *arguments: object) -> None:
        self._found = commands.run(script, *arguments)

    def wait_for(self, happens: Callable[[], bool], seconds: float = 300) -> None:
        """Waits until something happens.

        Raises:
          AssertionError: if it ends before, or takes too long; then it is killed.
        """
        limit = time.monotonic() + seconds
        while not happens():
            assert self._thread.is_alive(), self._found
            if time.monotonic() > limit:
                self.signal(signal.SIGKILL)
                raise AssertionError(f"it has not happened: {self.end()}")
            time.sleep(0.005)

    def signal(self, number: int) -> None:
        """Sends a signal to the process, and to it alone; to none if it has ended."""
        for pid in children_of(commands._SERVERS[-1].pid):
            os.kill(pid, number)

    def end(self) -> tuple[int, str, str]:
        """Exit code (-N if signal N killed it), output and errors, once it has ended."""
        self._thread.join()
        assert self._found is not None
        return self._found


def children_of(pid: int) -> list[int]:
    """Processes that this one has started and that still live."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if words[0] != "Z" and int(words[1]) == pid:
            found.append(int(path.parent.name))
    return found
