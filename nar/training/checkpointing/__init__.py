"""Checkpoints, and initialization from another run's parameters."""
