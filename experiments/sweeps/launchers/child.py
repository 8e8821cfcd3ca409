"""Runs a command that gets a SIGTERM when the process that started it is gone, however that ended.

    python -m experiments.sweeps.launchers.child PARENT COMMAND ...

So nothing trains on behind a sweep that was killed. Where the kernel is not Linux, it only runs the command.
"""

import ctypes
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

_PR_SET_PDEATHSIG = 1
"""Of Linux's prctl: which signal this process gets when its parent dies. `exec` leaves it as it is."""


def start(
    command: Sequence[str], log: pathlib.Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a command that dies with this process, and whose output goes behind what the log has.

    Signals to this process's group do not reach it: Ctrl-C is for whoever started it to pass on.
    """
    with log.open("ab") as file:
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
            sys.exit("the process that started this one is gone")
    os.execvp(command[0], list(command))


if __name__ == "__main__":
    _run(int(sys.argv[1]), sys.argv[2:])
