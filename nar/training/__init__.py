"""Training: state, step, optimiser, loop, hooks, checkpoints, devices and the folder of a run."""

from nar.training.checkpoints import Checkpoints, Restored
from nar.training.devices import Devices, use_compilation_cache
from nar.training.fit import Hook, fit
from nar.training.hooks import Clock, ShowProgress, ValidateAndSave, WriteMetrics
from nar.training.optimisers import frozen_names, make_optimiser
from nar.training.state import TrainState, count_parameters, digest, init_state
from nar.training.step import StepFunction, make_step
from nar.training.workdir import Workdir, read_json, versions, write_json, write_text

__all__ = [
    "Checkpoints",
    "Clock",
    "Devices",
    "Hook",
    "Restored",
    "ShowProgress",
    "StepFunction",
    "TrainState",
    "ValidateAndSave",
    "Workdir",
    "WriteMetrics",
    "count_parameters",
    "digest",
    "fit",
    "frozen_names",
    "init_state",
    "make_optimiser",
    "make_step",
    "read_json",
    "use_compilation_cache",
    "versions",
    "write_json",
    "write_text",
]
