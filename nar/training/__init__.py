"""Training: train state, step, optimizers, loop, callbacks, checkpoints, trackers and devices."""

from nar.atomic_io import read_json, write_json
from nar.training.checkpointing.checkpoints import Checkpoints, RestoredCheckpoint
from nar.training.checkpointing.partial_loading import LoadedParams, describe_params, load_matching_params
from nar.training.devices.mesh import Devices, use_compilation_cache
from nar.training.devices.processes import (
    ProcessFailedError,
    check_same_on_all,
    is_first_process,
    print_on_first,
    restore_on_all,
    run_on_all,
    run_on_first,
)
from nar.training.loop.background_compilation import BackgroundCompilation, shapes_of
from nar.training.loop.callbacks import (
    SaveCheckpoints,
    ShowProgress,
    TaskWeightFunction,
    UpdateTaskWeights,
    Validate,
)
from nar.training.loop.compilations import Compilations
from nar.training.loop.early_stopping import EarlyStopping, check_early_stopping_patience
from nar.training.loop.loop import Callback, fit, prepare_batch
from nar.training.loop.metrics import PER_SEED, SELECTION_METRIC, WriteMetrics
from nar.training.loop.non_finite import NonFinitePolicy, check_policy
from nar.training.loop.timing import Clock
from nar.training.optim.optimizers import OPTIMIZERS, frozen_names, make_optimizer
from nar.training.optim.parameter_patterns import matching_names, parameter_names
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
    accumulated_value_and_grad,
    check_grad_accumulation_steps,
)
from nar.training.train_step.multi_seed import (
    MapOverSeeds,
    loop_seeds,
    stack_seeds,
    unstack_seeds,
    vmap_seeds,
)
from nar.training.train_step.train_step import make_train_step
from nar.training.train_step.update import CompiledTrainStep, TrainStep

__all__ = [
    "OPTIMIZERS",
    "PER_SEED",
    "SCHEDULES",
    "SELECTION_METRIC",
    "TRACKERS",
    "BackgroundCompilation",
    "Callback",
    "Checkpoints",
    "Clock",
    "Compilations",
    "CompiledTrainStep",
    "Devices",
    "EarlyStopping",
    "LoadedParams",
    "MapOverSeeds",
    "MicroBatch",
    "NonFinitePolicy",
    "ProcessFailedError",
    "RestoredCheckpoint",
    "SaveCheckpoints",
    "Session",
    "ShowProgress",
    "TaskWeightFunction",
    "Tracker",
    "TrainState",
    "TrainStep",
    "UpdateTaskWeights",
    "Validate",
    "WriteMetrics",
    "accumulated_value_and_grad",
    "check_early_stopping_patience",
    "check_ema_decay",
    "check_grad_accumulation_steps",
    "check_policy",
    "check_same_on_all",
    "check_trackers",
    "count_parameters",
    "depends_on_length",
    "describe_params",
    "digest",
    "fit",
    "frozen_names",
    "init_state",
    "is_first_process",
    "load_matching_params",
    "loop_seeds",
    "make_optimizer",
    "make_schedule",
    "make_train_step",
    "matching_names",
    "open_trackers",
    "parameter_names",
    "prepare_batch",
    "print_on_first",
    "read_json",
    "restore_on_all",
    "run_on_all",
    "run_on_first",
    "shapes_of",
    "stack_seeds",
    "unstack_seeds",
    "update_ema",
    "use_compilation_cache",
    "vmap_seeds",
    "write_json",
]
