"""Evaluation: scores per kind, rollouts without a teacher, other sizes, and predictions without labels."""

from nar.evaluation.predictor import Prediction, Predictor
from nar.evaluation.rollouts import Decided, Evaluator, Scores, mean_score, score_sizes, score_split
from nar.evaluation.scores import SCORES, decide, score_decided, score_outputs

__all__ = [
    "SCORES",
    "Decided",
    "Evaluator",
    "Prediction",
    "Predictor",
    "Scores",
    "decide",
    "mean_score",
    "score_decided",
    "score_outputs",
    "score_sizes",
    "score_split",
]
