"""Checkpoints, and initialization from another run's parameters."""

from nar.training.checkpointing.best_checkpoints import LostCheckpointError
from nar.training.checkpointing.checkpoints import Checkpoints, checkpoint_path, partial_files, read_arrays
from nar.training.checkpointing.partial_loading import LoadedParams, describe_params, load_matching_params
from nar.training.checkpointing.shared import SharedCheckpoints
from nar.training.checkpointing.store import CheckpointStore, RestoredCheckpoint

__all__ = [
    "CheckpointStore",
    "Checkpoints",
    "LoadedParams",
    "LostCheckpointError",
    "RestoredCheckpoint",
    "SharedCheckpoints",
    "checkpoint_path",
    "describe_params",
    "load_matching_params",
    "partial_files",
    "read_arrays",
]
