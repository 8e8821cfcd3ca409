"""Computational-geometry algorithms."""
