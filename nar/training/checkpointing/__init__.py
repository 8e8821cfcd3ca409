"""Checkpoints, and initialization from another run's parameters."""

from nar.training.checkpointing.checkpoints import Checkpoints, RestoredCheckpoint, restore_on_all
from nar.training.checkpointing.partial_loading import LoadedParams, describe_params, load_matching_params

__all__ = [
    "Checkpoints",
    "LoadedParams",
    "RestoredCheckpoint",
    "describe_params",
    "load_matching_params",
    "restore_on_all",
]
