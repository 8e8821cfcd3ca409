"""Training: state, step, optimizer, loop, callbacks, checkpoints, devices and the folder of a run."""

from nar.atomic_io import read_json, write_json
from nar.training.checkpointing.checkpoints import Checkpoints, Restored
from nar.training.checkpointing.partial_loading import Transfer, describe_parts, load_parts
from nar.training.devices.mesh import Devices, use_compilation_cache
from nar.training.devices.processes import (
    StoppedTogetherError,
    check_same,
    is_first,
    on_all,
    on_first,
    restore_on_all,
    say,
)
from nar.training.loop.background_compilation import BackgroundCompilation, shapes_of
from nar.training.loop.callbacks import Reweigh, Save, ShowProgress, Validate, Weigh
from nar.training.loop.compilations import Compilations
from nar.training.loop.early_stopping import EarlyStopping, check_early_stopping_patience
from nar.training.loop.loop import Callback, fit, prepare_batch
from nar.training.loop.metrics import DECIDING, PER_SEED, WriteMetrics
from nar.training.loop.non_finite import NonFinitePolicy, check_policy
from nar.training.loop.timing import Clock
from nar.training.optim.optimizers import OPTIMIZERS, frozen_names, make_optimizer
from nar.training.optim.parameter_patterns import names_found, parameter_names
from nar.training.optim.schedules import SCHEDULES, depends_on_length, make_schedule
from nar.training.state import (
    TrainState,
    check_ema_decay,
    count_parameters,
    digest,
    init_state,
    update_ema,
)
from nar.training.trackers import TRACKERS, Session, Tracker, check_trackers, open_trackers
from nar.training.train_step.gradient_accumulation import (
    MicroBatch,
    check_grad_accumulation_steps,
    value_and_gradient,
)
from nar.training.train_step.multi_seed import OverSeeds, at_once, in_turn, split, stack
from nar.training.train_step.train_step import make_step
from nar.training.train_step.update import StepFunction, TwoPrograms

__all__ = [
    "DECIDING",
    "OPTIMIZERS",
    "PER_SEED",
    "SCHEDULES",
    "TRACKERS",
    "BackgroundCompilation",
    "Callback",
    "Checkpoints",
    "Clock",
    "Compilations",
    "Devices",
    "EarlyStopping",
    "MicroBatch",
    "NonFinitePolicy",
    "OverSeeds",
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
    "WriteMetrics",
    "at_once",
    "check_early_stopping_patience",
    "check_ema_decay",
    "check_grad_accumulation_steps",
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
    "make_optimizer",
    "make_schedule",
    "make_step",
    "names_found",
    "on_all",
    "on_first",
    "open_trackers",
    "parameter_names",
    "prepare_batch",
    "read_json",
    "restore_on_all",
    "say",
    "shapes_of",
    "split",
    "stack",
    "update_ema",
    "use_compilation_cache",
    "value_and_gradient",
    "write_json",
]
