"""Training: train state, training step, loop and callbacks, checkpoints, trackers, devices.

This package exports the names that training scripts need; further names are exported by the subpackages.
"""

from nar.training.checkpointing import Checkpoints, CheckpointStore, load_matching_params
from nar.training.devices import Devices
from nar.training.loop import (
    Callback,
    EarlyStopping,
    NonFinitePolicy,
    SaveCheckpoints,
    ShowProgress,
    StepReport,
    TimeBudget,
    UpdateTaskWeights,
    Validate,
    WriteMetrics,
    fit,
)
from nar.training.optim import OPTIMIZERS, SCHEDULES, make_optimizer, make_schedule
from nar.training.state import TrainState, count_parameters, init_state
from nar.training.trackers import TRACKERS, Tracker
from nar.training.train_step import make_train_step

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "TRACKERS",
    "Callback",
    "CheckpointStore",
    "Checkpoints",
    "Devices",
    "EarlyStopping",
    "NonFinitePolicy",
    "SaveCheckpoints",
    "ShowProgress",
    "StepReport",
    "TimeBudget",
    "Tracker",
    "TrainState",
    "UpdateTaskWeights",
    "Validate",
    "WriteMetrics",
    "count_parameters",
    "fit",
    "init_state",
    "load_matching_params",
    "make_optimizer",
    "make_schedule",
    "make_train_step",
]
