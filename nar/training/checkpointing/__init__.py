"""Checkpoints, and loading a part of another run's parameters."""
