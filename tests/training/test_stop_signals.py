"""Signals that let training save: those that would end the process, unless they are ignored."""

import os
import signal
import subprocess
import sys

import pytest
from commands import ROOT

from experiments.cli import signals as script_signals
from nar import signals
from nar.training.loop.loop import _SignalHandler


def test_scripts_and_training_handle_the_same_signals():
    assert (*signals.ALWAYS, *signals.UNLESS_IGNORED) == script_signals.NAMES


def test_ignored_signals_remain_ignored(monkeypatch):
    before = signal.getsignal(signal.SIGHUP)
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        assert signal.SIGHUP in signals.stop_signals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
        assert signal.SIGHUP not in signals.stop_signals()
        assert {signal.SIGTERM, signal.SIGINT} <= set(signals.stop_signals())
    finally:
        signal.signal(signal.SIGHUP, before)


def test_timers_of_others_remain_theirs():
    before = signal.getsignal(signal.SIGPROF)
    try:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        assert signal.SIGPROF in signals.stop_signals()
        for handler in (signal.SIG_IGN, lambda number, frame: None):
            signal.signal(signal.SIGPROF, handler)
            assert signal.SIGPROF not in signals.stop_signals()
    finally:
        signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize(
    "name", ["SIGALRM", "SIGVTALRM", "SIGPWR", "SIGIO", "SIGSTKFLT", "SIGRTMIN", "SIGRTMAX"]
)
def test_every_signal_that_is_no_error_lets_training_save(name):
    number = getattr(signal, name, None)
    if number is None or signal.getsignal(number) is not signal.SIG_DFL:
        pytest.skip("this system does not have it, or it is in use")
    received = []
    with _SignalHandler() as handler:
        os.kill(os.getpid(), number)
        received.append(handler.received)
        assert signal.getsignal(number) is signal.SIG_DFL  # A second one ends the process.
    assert received == [True] and signal.getsignal(number) is signal.SIG_DFL


def test_signals_of_errors_are_left_alone():
    errors = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGCHLD}
    assert not errors & set(signals.stop_signals())


SCRIPT = """
import os, signal, sys
from experiments.cli.signals import NAMES, exit_on_signals
for name in NAMES:  # Tests may run under nohup or in the background, where some are ignored.
    signal.signal(getattr(signal, name), signal.SIG_DFL)
if sys.argv[2] == "ignored":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
exit_on_signals()
os.kill(os.getpid(), getattr(signal, sys.argv[1]))
print("alive")
"""


@pytest.mark.parametrize("name", script_signals.NAMES)
@pytest.mark.parametrize("ignored", ["ignored", ""])
def test_scripts_end_with_one_line(name, ignored):
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, ignored], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if name == "SIGHUP" and ignored:
        assert (process.returncode, process.stdout) == (0, "alive\n")
    else:
        assert process.returncode == 128 + getattr(signal, name)
        assert f"Interrupted by {name}; all files are complete" in process.stderr
