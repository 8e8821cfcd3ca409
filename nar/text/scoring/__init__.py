"""Language models answering CLRS-Text questions, and scores of their answers."""

from nar.text.scoring.answer_questions import ANSWERS, AnswerFunction, AnsweringModel, answer_questions
from nar.text.scoring.hugging_face_model import HuggingFaceModel, is_checkpoint
from nar.text.scoring.split_scores import TextEvaluator, rows_of, score_texts
from nar.text.scoring.trained_model import AnswerGenerator

__all__ = [
    "ANSWERS",
    "AnswerFunction",
    "AnswerGenerator",
    "AnsweringModel",
    "HuggingFaceModel",
    "TextEvaluator",
    "answer_questions",
    "is_checkpoint",
    "rows_of",
    "score_texts",
]
