"""The encode-process-decode network (Veličković et al. 2022, arXiv 2205.15659; Ibarz et al., 2209.11142).

`rollout.py` is the recurrence, `hints.py` the feedback of hints, `model.py` the pure functions of a network.
`nar.text.transformer` is the language model.
"""

from nar.model.config import HINT_MODES, NetConfig
from nar.model.encoders import ENCODER_INITS
from nar.model.hints import (
    HINT_FEEDBACKS,
    FeedbackContext,
    HintFeedback,
    Values,
    decode_hard,
    decode_soft,
    find_hint_feedback,
)
from nar.model.init import Params
from nar.model.model import Model, make_model
from nar.model.predictions import ChunkCarry, Predictions
from nar.model.schedules import Schedule
from nar.model.sinkhorn import OUTPUT_SINKHORN_ITERATIONS
from nar.model.termination import Budget, FromTrace, Halting, Learned, Termination

__all__ = [
    "ENCODER_INITS",
    "HINT_FEEDBACKS",
    "HINT_MODES",
    "OUTPUT_SINKHORN_ITERATIONS",
    "Budget",
    "ChunkCarry",
    "FeedbackContext",
    "FromTrace",
    "Halting",
    "HintFeedback",
    "Learned",
    "Model",
    "NetConfig",
    "Params",
    "Predictions",
    "Schedule",
    "Termination",
    "Values",
    "decode_hard",
    "decode_soft",
    "find_hint_feedback",
    "make_model",
]
