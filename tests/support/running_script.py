"""Script processes that tests observe, signal or kill while they run, forked as in `commands.run`."""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable

import commands


class RunningScript:
    """A script that runs in the background of the test."""

    def __init__(self, script: str, *arguments: object) -> None:
        """Starts the script."""
        self._result: tuple[int, str, str] | None = None
        self._folder = tempfile.mkdtemp()
        self._process = commands.start(script, *arguments, folder=self._folder)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 300) -> None:
        """Waits until a condition holds.

        Raises:
          AssertionError: if the script ends first, or after a timeout; the script is then killed.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            assert self._process.poll() is None, self.end()
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
                raise AssertionError(f"the condition did not hold within {seconds:g} s: {self.end()}")
            time.sleep(0.005)

    def signal(self, number: int) -> None:
        """Sends a signal to the process only, not to its children; does nothing if it has ended."""
        self._process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Waits for the end; returns exit code (-N if signal N killed it), stdout and stderr."""
        if self._result is None:
            self._result = commands.finish(self._process, self._folder)
            shutil.rmtree(self._folder)
        return self._result
