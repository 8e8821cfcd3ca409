"""Child process: runs a command that receives SIGTERM when its parent process dies, for whatever reason.

    python -m experiments.sweeps.launchers.child PARENT COMMAND ...

No training process outlives a sweep that was killed. On systems other than Linux it only runs the command.
"""

import ctypes
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from nar.atomic_io import open_to_append

_PR_SET_PDEATHSIG = 1
"""Option of Linux's prctl: signal that this process receives when its parent dies; preserved by `exec`."""


def start(
    command: Sequence[str], log: pathlib.Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a command that ends with this process, and appends its output to a log.

    It runs in a session of its own, so that Ctrl-C does not reach it; the caller forwards signals.
    """
    with open_to_append(log) as file:
        return subprocess.Popen(
            [sys.executable, "-m", "experiments.sweeps.launchers.child", str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )


def _run(parent: int, command: Sequence[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit("the parent process is gone")
    os.execvp(command[0], list(command))


if __name__ == "__main__":
    _run(int(sys.argv[1]), sys.argv[2:])
