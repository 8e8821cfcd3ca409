"""Runs: the run directory, its lock, and the objects that a config describes."""
