"""Language models that are asked: those of this house, those of others, and what becomes of their answers."""

from nar.evaluation.text.house import Writer
from nar.evaluation.text.hugging_face import HuggingFaceModel, is_checkpoint
from nar.evaluation.text.splits import TextEvaluator, rows_of, score_texts
from nar.evaluation.text.writing import ANSWERS, Answer, Asked, answer_questions

__all__ = [
    "ANSWERS",
    "Answer",
    "Asked",
    "HuggingFaceModel",
    "TextEvaluator",
    "Writer",
    "answer_questions",
    "is_checkpoint",
    "rows_of",
    "score_texts",
]
