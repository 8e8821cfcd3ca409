"""Flags, signals and config handling shared by the scripts."""
