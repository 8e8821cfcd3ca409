"""The training loop and its callbacks."""

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

__all__ = [
    "PER_SEED",
    "SELECTION_METRIC",
    "BackgroundCompilation",
    "Callback",
    "Clock",
    "Compilations",
    "EarlyStopping",
    "NonFinitePolicy",
    "SaveCheckpoints",
    "ShowProgress",
    "TaskWeightFunction",
    "UpdateTaskWeights",
    "Validate",
    "WriteMetrics",
    "check_early_stopping_patience",
    "check_policy",
    "fit",
    "prepare_batch",
    "shapes_of",
]
