"""Training: state, step, optimiser, loop, hooks, checkpoints, devices and the folder of a run."""

from nar.training.checkpoints import Checkpoints, Restored
from nar.training.devices import Devices, use_compilation_cache
from nar.training.fit import Hook, fit
from nar.training.hooks import Clock, ShowProgress, ValidateAndSave, WriteMetrics
from nar.training.optimisers import OPTIMISERS, frozen_names, make_optimiser
from nar.training.patience import Patience, check_patience
from nar.training.patterns import names_found, parameter_names
from nar.training.schedules import SCHEDULES, depends_on_length, make_schedule
from nar.training.state import (
    TrainState,
    check_average_decay,
    count_parameters,
    digest,
    init_state,
    move_average,
)
from nar.training.step import StepFunction, make_step
from nar.training.transfer import Transfer, describe_parts, load_parts
from nar.training.workdir import Workdir, read_json, versions, write_json, write_text

__all__ = [
    "OPTIMISERS",
    "SCHEDULES",
    "Checkpoints",
    "Clock",
    "Devices",
    "Hook",
    "Patience",
    "Restored",
    "ShowProgress",
    "StepFunction",
    "TrainState",
    "Transfer",
    "ValidateAndSave",
    "Workdir",
    "WriteMetrics",
    "check_average_decay",
    "check_patience",
    "count_parameters",
    "depends_on_length",
    "describe_parts",
    "digest",
    "fit",
    "frozen_names",
    "init_state",
    "load_parts",
    "make_optimiser",
    "make_schedule",
    "make_step",
    "move_average",
    "names_found",
    "parameter_names",
    "read_json",
    "use_compilation_cache",
    "versions",
    "write_json",
    "write_text",
]
