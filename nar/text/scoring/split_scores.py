"""Scores of a language model on the splits of its run."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from nar.evaluation import Scores
from nar.model.init import Params
from nar.text.rendering.text_files import TextRequest
from nar.text.scoring.answer_files import ScoreTotals
from nar.text.scoring.answer_scores import score_answer
from nar.text.scoring.trained_model import AnswerGenerator


def rows_of(request: TextRequest) -> Iterator[dict[str, Any]]:
    """Yields the rows of a set of texts (question, answer, ...), in the order of the set."""
    for file in request.files():
        yield from map(json.loads, file.lines(request))


@dataclasses.dataclass
class TextEvaluator:
    """Answer generator and evaluation questions of a run.

    Attributes:
      generator: greedy decoding of answers.
      splits: questions by name of the split.
      show_progress: ignored, since generation takes seconds; scripts set it on every evaluator.
    """

    generator: AnswerGenerator
    splits: Mapping[str, TextRequest]
    show_progress: bool = False


def score_texts(evaluator: TextEvaluator, params: Params, split: str, by_length: bool = True) -> Scores:
    """Scores a split: algorithm -> length -> `exact`, `elements`, `parsed`, and `score` (equal to `exact`).

    Every process answers all questions, on one device.

    Args:
      evaluator: answer generator and questions.
      params: parameters, the same in every process.
      split: name of the split.
      by_length: whether to score each length separately; otherwise all are pooled in one entry, `4,5,6`.
    """
    request = evaluator.splits[split]
    rows = list(rows_of(request))
    local_params = jax.tree.map(np.asarray, params)
    answers = evaluator.generator(local_params, [row["question"] for row in rows])
    totals: dict[str, dict[str, ScoreTotals]] = {}
    for row, answer in zip(rows, answers, strict=True):
        all_lengths = ",".join(map(str, request.lengths[row["algorithm"]]))
        label = str(row["length"]) if by_length else all_lengths
        total = totals.setdefault(row["algorithm"], {}).setdefault(label, ScoreTotals())
        total.add(score_answer(answer, row["answer"]))
    return {
        name: {label: _scores(total.means()) for label, total in parts.items()}
        for name, parts in totals.items()
    }


def _scores(means: Mapping[str, float]) -> dict[str, float]:
    return {**{key: means[key] for key in ("exact", "elements", "parsed")}, "score": means["exact"]}
