"""Sweeps: trials, launchers, supervision and progress."""
