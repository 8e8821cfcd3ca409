"""Optimizers, learning-rate schedules, and selection of parameters by pattern."""
