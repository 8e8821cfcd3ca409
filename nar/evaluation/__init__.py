"""Evaluation: scores per kind, rollouts, other sizes, predictions without labels, answers in text.

`nar.evaluation.text` asks language models.
"""

from nar.evaluation.answer_files import AnswerScores, score_file
from nar.evaluation.predictor import Prediction, Predictor
from nar.evaluation.rollouts import Decided, Evaluator, Scores, mean_score, score_sizes, score_split
from nar.evaluation.scores import SCORES, decide, score_decided, score_outputs
from nar.evaluation.text_scores import AnswerScore, score_answer

__all__ = [
    "SCORES",
    "AnswerScore",
    "AnswerScores",
    "Decided",
    "Evaluator",
    "Prediction",
    "Predictor",
    "Scores",
    "decide",
    "mean_score",
    "score_answer",
    "score_decided",
    "score_file",
    "score_outputs",
    "score_sizes",
    "score_split",
]
