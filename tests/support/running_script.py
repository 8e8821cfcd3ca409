"""Script processes that tests observe, signal or kill while they run, forked as in `commands.run`."""

import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable

import commands


class RunningScript:
    """A script that runs in the background of the test."""

    def __init__(self, script: str, *arguments: object) -> None:
        """Starts the script."""
        self._result: tuple[int, str, str] | None = None
        self._thread = threading.Thread(target=self._run, args=(script, *arguments), daemon=True)
        self._thread.start()

    def _run(self, script: str, *arguments: object) -> None:
        self._result = commands.run(script, *arguments)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 300) -> None:
        """Waits until a condition holds.

        Raises:
          AssertionError: if the script ends first, or after a timeout; the script is then killed.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            assert self._thread.is_alive(), self._result
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
                raise AssertionError(f"the condition did not hold within {seconds:g} s: {self.end()}")
            time.sleep(0.005)

    def signal(self, number: int) -> None:
        """Sends a signal to the process only, not to its children; does nothing if it has ended."""
        for pid in children_of(commands._SERVERS[-1].pid):
            os.kill(pid, number)

    def end(self) -> tuple[int, str, str]:
        """Waits for the end; returns exit code (-N if signal N killed it), stdout and stderr."""
        self._thread.join()
        assert self._result is not None
        return self._result


def children_of(pid: int) -> list[int]:
    """Running child processes of a process."""
    children = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if words[0] != "Z" and int(words[1]) == pid:
            children.append(int(path.parent.name))
    return children
