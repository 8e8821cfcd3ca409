"""Losses: a function per kind of probe, loss masks, and loss weights."""

from nar.losses.counts import AUXILIARY, LOSS_MASKS, loss_counts
from nar.losses.terms import LOSSES, losses_by_probe, total_loss
from nar.losses.weights import check_loss_weights, resolve_loss_weights

__all__ = [
    "AUXILIARY",
    "LOSSES",
    "LOSS_MASKS",
    "check_loss_weights",
    "loss_counts",
    "losses_by_probe",
    "resolve_loss_weights",
    "total_loss",
]
