"""Processes of scripts, started by a fork server, that are observed and killed."""

import atexit
import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

_PAUSE = 0.005
_ROOT = pathlib.Path(__file__).parents[2]


class ForkServer:
    """Starts one script at a time; see `fork_server`."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Does not start the server yet.

        Args:
          variables: environment variables of the server, such as those that libraries read on import, and of
            all scripts, in addition to those of this process.
        """
        self._variables = dict(variables)
        self._server: subprocess.Popen[bytes] | None = None
        self._script: ScriptProcess | None = None

    def start(
        self,
        module: str,
        arguments: Sequence[object],
        output: pathlib.Path,
        *,
        errors: pathlib.Path | None = None,
        folder: pathlib.Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> "ScriptProcess":
        """Starts a script; one that still runs is killed.

        Args:
          module: its module, such as `experiments.train`.
          arguments: its flags.
          output: file to which its standard output is appended.
          errors: file to which its standard error is appended; by default `output`.
          folder: its working directory; by default that of this process.
          variables: further environment variables.
        """
        environment = {**os.environ, **self._variables}
        if self._server is None or self._server.poll() is not None:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "experiments.fault_injection.fork_server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                cwd=_ROOT,
                env=environment,
            )
            atexit.register(self._close, self._server)
        else:
            self._end_script()
        assert self._server.stdin is not None and self._server.stdout is not None
        request = {
            "module": module,
            "arguments": [*map(str, arguments)],
            "output": str(output),
            "errors": str(errors or output),
            "folder": str(folder or pathlib.Path.cwd()),
            "environment": {**environment, **(variables or {})},
        }
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        self._script = ScriptProcess(self._server, int(self._server.stdout.readline()))
        return self._script

    def _end_script(self) -> None:
        if self._script is not None:
            self._script.send_signal(signal.SIGKILL)
            self._script.wait()

    def _close(self, server: subprocess.Popen[bytes]) -> None:
        """Ends a server, and its script."""
        if server.poll() is None:
            self._end_script()
        with server:  # closes its standard input and waits for its end
            pass


class ScriptProcess:
    """A process of a script.

    Attributes:
      returncode: exit code, -N if signal N ended it; None while it runs.
    """

    def __init__(self, server: subprocess.Popen[bytes], number: int) -> None:
        """Observes process `number`, the child of a server."""
        self._server, self._number = server, number
        self.returncode: int | None = None

    def poll(self, seconds: float | None = 0) -> int | None:
        """Exit code; None if it still runs after this many seconds. With None, waits for its end."""
        output = self._server.stdout
        assert output is not None
        if self.returncode is None and select.select([output], [], [], seconds)[0]:
            self.returncode = int(output.readline())
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal, if the process runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._number, number)

    def wait(self) -> int:
        """Waits for the end; returns the exit code."""
        code = self.poll(None)
        assert code is not None
        return code

    def wait_until(self, condition: Callable[[], bool], pause: float = _PAUSE) -> None:
        """Waits until a condition, checked every `pause` seconds, holds, or the process ends."""
        while self.poll() is None and not condition():
            time.sleep(pause)

    def wait_seconds(self, seconds: float) -> None:
        """Waits for this many seconds, or until the process ends."""
        self.poll(seconds)
