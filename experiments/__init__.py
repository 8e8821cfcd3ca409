"""Command-line scripts, run as `python -m experiments.NAME`."""

import sys

if sys.argv[:1] == ["-m"]:
    # A script is starting. Its imports take seconds, during which a signal may already arrive.
    from experiments.cli.signals import exit_on_signals

    exit_on_signals()
