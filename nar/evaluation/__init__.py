"""Evaluation: scores per kind, rollouts, the suite, right answers, predictions without labels, text.

`nar.evaluation.text` asks language models.
"""

from nar.evaluation.answer_files import AnswerScores, score_file
from nar.evaluation.averages import Scores, mean_and_deviation, mean_score, scores_of_classes
from nar.evaluation.exactness import RIGHT, exact_matches
from nar.evaluation.observer import Observation, Observer
from nar.evaluation.predictor import Prediction, Predictor
from nar.evaluation.rollouts import Decided, Evaluator, score_sizes, score_split
from nar.evaluation.scores import SCORES, decide, score_decided, score_outputs
from nar.evaluation.suite import CLRS30, Case, Measurement, check_cases, measure_cases, spreads
from nar.evaluation.suite_files import as_json, dump, write_csv
from nar.evaluation.text_scores import AnswerScore, score_answer
from nar.evaluation.validity import CHECKERS, valid_answers
from nar.spread import Spread, spread

__all__ = [
    "CHECKERS",
    "CLRS30",
    "RIGHT",
    "SCORES",
    "AnswerScore",
    "AnswerScores",
    "Case",
    "Decided",
    "Evaluator",
    "Measurement",
    "Observation",
    "Observer",
    "Prediction",
    "Predictor",
    "Scores",
    "Spread",
    "as_json",
    "check_cases",
    "decide",
    "dump",
    "exact_matches",
    "mean_and_deviation",
    "mean_score",
    "measure_cases",
    "score_answer",
    "score_decided",
    "score_file",
    "score_outputs",
    "score_sizes",
    "score_split",
    "scores_of_classes",
    "spread",
    "spreads",
    "valid_answers",
    "write_csv",
]
