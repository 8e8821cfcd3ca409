"""Trackers: TensorBoard, Weights & Biases, MLflow, or your own; one file each."""

from nar.training.trackers.contract import Session, Tracker
from nar.training.trackers.table import TRACKERS, check_trackers, open_trackers

__all__ = ["TRACKERS", "Session", "Tracker", "check_trackers", "open_trackers"]
