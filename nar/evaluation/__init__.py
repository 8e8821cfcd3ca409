"""Evaluation: scores per kind, rollouts without a teacher, other sizes."""

from nar.evaluation.rollouts import Decided, Evaluator, Scores, mean_score, score_sizes, score_split
from nar.evaluation.scores import SCORES, decide, score_decided, score_outputs

__all__ = [
    "SCORES",
    "Decided",
    "Evaluator",
    "Scores",
    "decide",
    "mean_score",
    "score_decided",
    "score_outputs",
    "score_sizes",
    "score_split",
]
