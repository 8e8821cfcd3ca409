"""Killing of runs at chosen points, and comparison of runs."""
