"""The encode-process-decode network (Veličković et al. 2022, arXiv 2205.15659; Ibarz et al., 2209.11142).

`nar.text.transformer` is the language model.
"""

from nar.model.config import HINT_FEEDBACKS, HINT_MODES, PRECISIONS, HintMode, NetConfig
from nar.model.decoders import DECODERS
from nar.model.encoders import ENCODER_CHANNELS, ENCODER_INITS
from nar.model.hints import (
    OUTPUT_SINKHORN_ITERATIONS,
    Values,
    decode_hard,
    decode_soft,
    densify,
    log_sinkhorn,
)
from nar.model.init import Params
from nar.model.model import Model, make_model
from nar.model.rollout import Halting, Predictions
from nar.model.schedules import SCHEDULE_SHAPES, Schedule
from nar.model.step import ChunkCarry
from nar.model.step_features import count_nodes
from nar.model.termination import Budget, FromTrace, Learned, Termination

__all__ = [
    "DECODERS",
    "ENCODER_CHANNELS",
    "ENCODER_INITS",
    "HINT_FEEDBACKS",
    "HINT_MODES",
    "OUTPUT_SINKHORN_ITERATIONS",
    "PRECISIONS",
    "SCHEDULE_SHAPES",
    "Budget",
    "ChunkCarry",
    "FromTrace",
    "Halting",
    "HintMode",
    "Learned",
    "Model",
    "NetConfig",
    "Params",
    "Predictions",
    "Schedule",
    "Termination",
    "Values",
    "count_nodes",
    "decode_hard",
    "decode_soft",
    "densify",
    "log_sinkhorn",
    "make_model",
]
