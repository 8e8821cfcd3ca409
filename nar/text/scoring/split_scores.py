"""Scores of a language model while and after it is trained."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from nar.evaluation.evaluator import Scores
from nar.model.init import Params
from nar.text.rendering.text_files import TextRequest
from nar.text.scoring.answer_files import ScoreTotals
from nar.text.scoring.answer_scores import score_answer
from nar.text.scoring.trained_model import AnswerGenerator


def rows_of(request: TextRequest) -> Iterator[dict[str, Any]]:
    """Questions with their answers, each as a line of a set of texts, in the order of the set."""
    for file in request.files():
        yield from map(json.loads, file.lines(request))


@dataclasses.dataclass
class TextEvaluator:
    """What scoring needs.

    Attributes:
      generator: Greedy decoding of answers.
      splits: by name, which questions are asked.
      show_progress: as scripts set it of every evaluator; here there is no bar, since answers take seconds.
    """

    generator: AnswerGenerator
    splits: Mapping[str, TextRequest]
    show_progress: bool = False


def score_texts(evaluator: TextEvaluator, params: Params, split: str, by_length: bool = True) -> Scores:
    """Scores of a split: algorithm -> length -> exact, elements, parsed; and `score`, which is `exact`.

    Every process answers all questions, on one device.

    Args:
      evaluator: what it needs.
      params: of the network, the same everywhere.
      split: name of the split.
      by_length: whether lengths stand apart; if not, one entry is of all of them, `4,5,6`.
    """
    request = evaluator.splits[split]
    rows = list(rows_of(request))
    here = jax.tree.map(np.asarray, params)
    answers = evaluator.generator(here, [row["question"] for row in rows])
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
