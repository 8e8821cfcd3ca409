"""Handlers of SIGTERM, Ctrl-C, SIGHUP etc. outside the training loop: print one line and exit.

No cleanup is needed, since files are written atomically. The training loop handles a first signal itself and
saves a checkpoint; a second one ends here.
"""

import contextlib
import os
import signal
import sys
import types

NAMES = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGXCPU")
"""The names in `nar.signals`, whose import takes too long: a signal may arrive meanwhile."""


def exit_on_signals() -> None:
    """Installs the handlers, which print one line and end the process.

    SIGTERM and SIGINT are always handled, the others unless they are ignored, as SIGHUP is under `nohup`.
    """
    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None and (name in NAMES[:2] or signal.getsignal(number) is not signal.SIG_IGN):
            signal.signal(number, _end)


def _end(number: int, frame: types.FrameType | None) -> None:
    del frame
    name = signal.Signals(number).name
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    message = f"\nInterrupted by {name}; all files are complete; run the same command to resume.\n"
    with contextlib.suppress(OSError):  # Nobody may be left to read it.
        os.write(2, message.encode())
    os._exit(128 + number)
