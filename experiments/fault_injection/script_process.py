"""Processes of scripts, started by a fork server, that are observed and killed."""

import contextlib
import json
import os
import pathlib
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

_PAUSE = 0.0003


class ForkServer:
    """Starts one script at a time; see `fork_server`."""

    def __init__(self, cache: pathlib.Path) -> None:
        """Does not start the server yet; `cache` is the directory of the scripts' compilation cache."""
        variables = {"JAX_COMPILATION_CACHE_DIR": str(cache), "NUMBA_DISABLE_JIT": "1"}
        self._environment = {**os.environ, **variables}
        self._server: subprocess.Popen[bytes] | None = None

    def start(self, script: str, arguments: Sequence[object], log: pathlib.Path) -> "ScriptProcess":
        """Starts a script.

        Args:
          script: name of its module in `experiments`.
          arguments: its flags.
          log: file to which its output is appended.
        """
        if self._server is None or self._server.poll() is not None:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "experiments.fault_injection.fork_server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env=self._environment,
            )
        assert self._server.stdin is not None
        request = {"script": script, "arguments": [*map(str, arguments)], "log": str(log)}
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        return ScriptProcess(self._server, int(self._read_line()))

    def _read_line(self) -> bytes:
        assert self._server is not None and self._server.stdout is not None
        return self._server.stdout.readline()


class ScriptProcess:
    """A process of a script.

    Attributes:
      returncode: exit code, -N if signal N ended it; None while it runs.
    """

    def __init__(self, server: subprocess.Popen[bytes], number: int) -> None:
        """Observes process `number`, the child of a server."""
        self._server, self._number = server, number
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Exit code; None while it runs."""
        output = self._server.stdout
        assert output is not None
        if self.returncode is None and select.select([output], [], [], 0)[0]:
            self.returncode = int(output.readline())
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal, if the process runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._number, number)

    def wait(self) -> int:
        """Waits for the end; returns the exit code."""
        while self.poll() is None:
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Waits until a condition holds, or the process ends."""
        while self.poll() is None and not condition():
            time.sleep(_PAUSE)

    def wait_seconds(self, seconds: float) -> None:
        """Waits for this many seconds, or until the process ends."""
        end = time.monotonic() + seconds
        self.wait_until(lambda: time.monotonic() >= end)
