"""Evaluation: inference, scores per kind, metrics, correctness checkers, the suite, prediction."""

from nar.evaluation.averages import Scores, class_mean_scores, mean_and_deviation, mean_score
from nar.evaluation.correctness.checkers import CHECKERS, valid_answers
from nar.evaluation.correctness.exact_match import exact_matches
from nar.evaluation.decoding import decode_outputs
from nar.evaluation.inference import Inference, InferenceResult
from nar.evaluation.metrics import METRICS, Metric, find_metrics
from nar.evaluation.predictor import Prediction, Predictor
from nar.evaluation.scores import SCORES, score_outputs, score_predictions
from nar.evaluation.split_scores import score_problem_sets, score_traces
from nar.evaluation.suite import Case, Measurement, make_cases, measure_cases, summarize_cases

__all__ = [
    "CHECKERS",
    "METRICS",
    "SCORES",
    "Case",
    "Inference",
    "InferenceResult",
    "Measurement",
    "Metric",
    "Prediction",
    "Predictor",
    "Scores",
    "class_mean_scores",
    "decode_outputs",
    "exact_matches",
    "find_metrics",
    "make_cases",
    "mean_and_deviation",
    "mean_score",
    "measure_cases",
    "score_outputs",
    "score_predictions",
    "score_problem_sets",
    "score_traces",
    "summarize_cases",
    "valid_answers",
]
