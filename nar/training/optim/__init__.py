"""Optimizers, learning-rate schedules, and selection of parameters by pattern."""

from nar.training.optim.optimizers import OPTIMIZERS, check_several_tasks, frozen_names, make_optimizer
from nar.training.optim.parameter_patterns import matching_names, parameter_names
from nar.training.optim.schedules import SCHEDULES, depends_on_length, make_schedule

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "check_several_tasks",
    "depends_on_length",
    "frozen_names",
    "make_optimizer",
    "make_schedule",
    "matching_names",
    "parameter_names",
]
