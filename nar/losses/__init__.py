"""Losses: what counts, a formula for each kind, the weights of their sum; and that of a language model."""

from nar.losses.answers import answer_loss
from nar.losses.counts import AUXILIARY, COUNTED, loss_counts
from nar.losses.probes import LOSSES, losses_by_probe, total_loss
from nar.losses.weights import check_loss_weights, loss_factors

__all__ = [
    "AUXILIARY",
    "COUNTED",
    "LOSSES",
    "answer_loss",
    "check_loss_weights",
    "loss_counts",
    "loss_factors",
    "losses_by_probe",
    "total_loss",
]
