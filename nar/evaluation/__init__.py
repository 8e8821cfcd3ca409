"""Evaluation: scores per kind, rollouts without teacher forcing, the suite, correctness, prediction."""

from nar.evaluation.averages import Scores, class_mean_scores, mean_and_deviation, mean_score
from nar.evaluation.correctness.checkers import CHECKERS, valid_answers
from nar.evaluation.correctness.exact_match import ENTRY_MATCHERS, exact_matches
from nar.evaluation.evaluator import DecodedOutputs, Evaluator, score_sizes, score_split
from nar.evaluation.inference import Inference, InferenceResult
from nar.evaluation.predictor import Prediction, Predictor
from nar.evaluation.scores import SCORES, decode_outputs, score_outputs, score_predictions
from nar.evaluation.suite import CLRS30, Case, Measurement, make_cases, measure_cases, summarize_cases
from nar.evaluation.suite_files import as_json, dump, write_csv
from nar.statistics import SampleStatistics, sample_statistics

__all__ = [
    "CHECKERS",
    "CLRS30",
    "ENTRY_MATCHERS",
    "SCORES",
    "Case",
    "DecodedOutputs",
    "Evaluator",
    "Inference",
    "InferenceResult",
    "Measurement",
    "Prediction",
    "Predictor",
    "SampleStatistics",
    "Scores",
    "as_json",
    "class_mean_scores",
    "decode_outputs",
    "dump",
    "exact_matches",
    "make_cases",
    "mean_and_deviation",
    "mean_score",
    "measure_cases",
    "sample_statistics",
    "score_outputs",
    "score_predictions",
    "score_sizes",
    "score_split",
    "summarize_cases",
    "valid_answers",
    "write_csv",
]
