"""Optimizers, learning-rate schedules, and parameters by pattern."""
