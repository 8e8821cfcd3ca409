"""Handlers of SIGTERM and Ctrl-C outside the training loop: print one line and exit.

No cleanup is needed, since files are written atomically. The training loop handles a first signal itself and
saves a checkpoint; a second one ends here.
"""

import contextlib
import os
import signal
import sys
import types


def exit_on_signals() -> None:
    """Installs the handlers: SIGTERM and SIGINT print one line and end the process."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)


def _end(number: int, frame: types.FrameType | None) -> None:
    del frame
    name = signal.Signals(number).name
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    os.write(
        2, f"\nInterrupted by {name}; all files are complete; run the same command to resume.\n".encode()
    )
    os._exit(128 + number)
