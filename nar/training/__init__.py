"""Training: state, step, optimiser, loop, hooks, checkpoints, devices and the folder of a run."""

from nar.files import read_json, write_json
from nar.training.accumulate import Part, check_parts, value_and_gradient
from nar.training.ahead import Ahead, shapes_of
from nar.training.checkpoints import Checkpoints, Restored
from nar.training.clock import Clock
from nar.training.compilations import Compilations
from nar.training.devices import Devices, use_compilation_cache
from nar.training.fit import Hook, fit, make_ready
from nar.training.guard import Guard, check_policy
from nar.training.hooks import Reweigh, Save, ShowProgress, Validate, Weigh
from nar.training.lock import Lock
from nar.training.metrics import DECIDING, OF_REPLICA, WriteMetrics
from nar.training.optimisers import OPTIMISERS, frozen_names, make_optimiser
from nar.training.patience import Patience, check_patience
from nar.training.patterns import names_found, parameter_names
from nar.training.processes import (
    StoppedTogetherError,
    check_same,
    is_first,
    on_all,
    on_first,
    restore_on_all,
    say,
)
from nar.training.replicas import OverReplicas, at_once, in_turn, split, stack
from nar.training.schedules import SCHEDULES, depends_on_length, make_schedule
from nar.training.state import (
    TrainState,
    check_average_decay,
    count_parameters,
    digest,
    init_state,
    move_average,
)
from nar.training.step import make_step
from nar.training.text_step import make_text_step
from nar.training.trackers import TRACKERS, Session, Tracker, check_trackers, open_trackers
from nar.training.transfer import Transfer, describe_parts, load_parts
from nar.training.update import StepFunction, TwoPrograms
from nar.training.workdir import Workdir, versions

__all__ = [
    "DECIDING",
    "OF_REPLICA",
    "OPTIMISERS",
    "SCHEDULES",
    "TRACKERS",
    "Ahead",
    "Checkpoints",
    "Clock",
    "Compilations",
    "Devices",
    "Guard",
    "Hook",
    "Lock",
    "OverReplicas",
    "Part",
    "Patience",
    "Restored",
    "Reweigh",
    "Save",
    "Session",
    "ShowProgress",
    "StepFunction",
    "StoppedTogetherError",
    "Tracker",
    "TrainState",
    "Transfer",
    "TwoPrograms",
    "Validate",
    "Weigh",
    "Workdir",
    "WriteMetrics",
    "at_once",
    "check_average_decay",
    "check_parts",
    "check_patience",
    "check_policy",
    "check_same",
    "check_trackers",
    "count_parameters",
    "depends_on_length",
    "describe_parts",
    "digest",
    "fit",
    "frozen_names",
    "in_turn",
    "init_state",
    "is_first",
    "load_parts",
    "make_optimiser",
    "make_ready",
    "make_schedule",
    "make_step",
    "make_text_step",
    "move_average",
    "names_found",
    "on_all",
    "on_first",
    "open_trackers",
    "parameter_names",
    "read_json",
    "restore_on_all",
    "say",
    "shapes_of",
    "split",
    "stack",
    "use_compilation_cache",
    "value_and_gradient",
    "versions",
    "write_json",
]
