"""Losses: a function per kind of probe, loss masks and weights, and objectives: what training optimizes."""

from nar.losses.augmented import Augmented
from nar.losses.hint_relic import HintReLIC
from nar.losses.masks import LOSS_MASKS
from nar.losses.objectives import Objective, ObjectiveContext, supervised, views_of, with_views
from nar.losses.registry import OBJECTIVES, find_objective
from nar.losses.terms import (
    AUXILIARY,
    LOSSES,
    RECONSTRUCTION,
    loss_terms,
    losses_by_probe,
    masked_term,
    total_loss,
)
from nar.losses.weights import check_loss_weights, known_loss_weights, resolve_loss_weights
from nar.model.loss_term import LossTerm

__all__ = [
    "AUXILIARY",
    "LOSSES",
    "LOSS_MASKS",
    "OBJECTIVES",
    "RECONSTRUCTION",
    "Augmented",
    "HintReLIC",
    "LossTerm",
    "Objective",
    "ObjectiveContext",
    "check_loss_weights",
    "find_objective",
    "known_loss_weights",
    "loss_terms",
    "losses_by_probe",
    "masked_term",
    "resolve_loss_weights",
    "supervised",
    "total_loss",
    "views_of",
    "with_views",
]
