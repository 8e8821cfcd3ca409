"""The signals that end a program unless it handles them; training saves a checkpoint first."""

import signal

ALWAYS = ("SIGTERM", "SIGINT")
UNLESS_IGNORED = ("SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGXCPU")
"""Not all systems have them, and `nohup`, for one, makes a program ignore SIGHUP."""

UNLESS_HANDLED = ("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGPWR", "SIGIO", "SIGSTKFLT")
"""Signals of timers, power supplies and files, which profilers and tests, for two, handle themselves."""


def stop_signals() -> list[int]:
    """The numbers of the signals to handle in this process.

    They are SIGTERM and SIGINT; and unless they are ignored, as SIGHUP is under `nohup`: SIGHUP (a closed
    terminal), SIGQUIT (from the keyboard), SIGUSR1, SIGUSR2 (from schedulers) and SIGXCPU (a limit of CPU
    time); and unless they are ignored or handled: SIGALRM, SIGVTALRM, SIGPROF (timers), SIGPWR (a power
    failure), SIGIO, SIGSTKFLT and the real-time signals. Signals of errors, such as SIGABRT and SIGSEGV, end
    a program at once.
    """
    others = [getattr(signal, name) for name in UNLESS_IGNORED if hasattr(signal, name)]
    not_ignored = [number for number in others if signal.getsignal(number) is not signal.SIG_IGN]
    rare = [getattr(signal, name) for name in UNLESS_HANDLED if hasattr(signal, name)]
    rare += range(getattr(signal, "SIGRTMIN", 0), getattr(signal, "SIGRTMAX", -1) + 1)
    unhandled = [number for number in rare if signal.getsignal(number) is signal.SIG_DFL]
    return [*(getattr(signal, name) for name in ALWAYS), *not_ignored, *unhandled]
