"""Experiment trackers: TensorBoard, Weights & Biases, MLflow, or your own; one file each."""

from nar.training.trackers.base import Session, Tracker
from nar.training.trackers.registry import TRACKERS, check_trackers, open_trackers

__all__ = ["TRACKERS", "Session", "Tracker", "check_trackers", "open_trackers"]
