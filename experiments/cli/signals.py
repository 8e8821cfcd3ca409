"""SIGTERM and Ctrl-C where no training goes on: a line, and the end.

Nothing needs to be tidied up: what is written is whole at any moment. The training loop notes a first signal
itself, and saves; a second one ends here.
"""

import contextlib
import os
import signal
import sys
import types


def exit_on_signals() -> None:
    """From now on these signals end the process, with a line that says so."""
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
