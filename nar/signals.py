"""The signals that end a program unless it handles them; training saves a checkpoint first."""

import signal

ALWAYS = ("SIGTERM", "SIGINT")
UNLESS_IGNORED = ("SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGXCPU")
"""Not all systems have them, and `nohup`, for one, makes a program ignore SIGHUP."""


def stop_signals() -> list[signal.Signals]:
    """The signals to handle in this process.

    They are SIGTERM and SIGINT; and unless they are ignored, as SIGHUP is under `nohup`: SIGHUP (a closed
    terminal), SIGQUIT (from the keyboard), SIGUSR1, SIGUSR2 (from schedulers) and SIGXCPU (a limit of CPU
    time).
    """
    others = [getattr(signal, name) for name in UNLESS_IGNORED if hasattr(signal, name)]
    not_ignored = [number for number in others if signal.getsignal(number) is not signal.SIG_IGN]
    return [*(getattr(signal, name) for name in ALWAYS), *not_ignored]
