"""Flags, signals and configs: what the scripts share."""
