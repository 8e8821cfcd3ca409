"""The training loop and its callbacks."""

from nar.training.loop.background_compilation import BackgroundCompilation
from nar.training.loop.callback import (
    PER_SEED,
    VALIDATION_SCORE,
    Callback,
    Evaluation,
    StepReport,
    collect_states,
    restore_states,
)
from nar.training.loop.callbacks import (
    SaveCheckpoints,
    TaskWeightFunction,
    UpdateTaskWeights,
    Validate,
)
from nar.training.loop.compilations import Compilations
from nar.training.loop.early_stopping import EarlyStopping, check_early_stopping_patience
from nar.training.loop.loop import fit, prepare_batch
from nar.training.loop.metrics import WriteMetrics
from nar.training.loop.non_finite import NonFinitePolicy, check_policy
from nar.training.loop.plugins import check_callbacks, make_callbacks
from nar.training.loop.show_progress import ShowProgress
from nar.training.loop.time_budget import TimeBudget
from nar.training.loop.timing import Clock

__all__ = [
    "PER_SEED",
    "VALIDATION_SCORE",
    "BackgroundCompilation",
    "Callback",
    "Clock",
    "Compilations",
    "EarlyStopping",
    "Evaluation",
    "NonFinitePolicy",
    "SaveCheckpoints",
    "ShowProgress",
    "StepReport",
    "TaskWeightFunction",
    "TimeBudget",
    "UpdateTaskWeights",
    "Validate",
    "WriteMetrics",
    "check_callbacks",
    "check_early_stopping_patience",
    "check_policy",
    "collect_states",
    "fit",
    "make_callbacks",
    "prepare_batch",
    "restore_states",
]
