"""Scripts with flags, each started as `python -m experiments.NAME`."""

import sys

if sys.argv[:1] == ["-m"]:
    # One of them is being started. Its imports take seconds, in which it may be asked to end already.
    from experiments.cli.signals import exit_on_signals

    exit_on_signals()
