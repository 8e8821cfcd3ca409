"""Losses: what counts, a formula for each kind, the weights of their sum."""

from nar.losses.counts import AUXILIARY, COUNTED, loss_counts
from nar.losses.terms import LOSSES, losses_by_probe, total_loss
from nar.losses.weights import check_loss_weights, loss_factors

__all__ = [
    "AUXILIARY",
    "COUNTED",
    "LOSSES",
    "check_loss_weights",
    "loss_counts",
    "loss_factors",
    "losses_by_probe",
    "total_loss",
]
