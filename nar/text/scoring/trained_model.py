"""Answers of a language model trained by `nar`."""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence

import numpy as np

from nar.model.init import Params
from nar.text.generation import Generate, make_generate
from nar.text.positions import Positions
from nar.text.stream import bucket_width
from nar.text.tokens import PADDING, decode, encode
from nar.text.transformer import TextModel

SEED = 0
"""Seed of randomized positions."""


@dataclasses.dataclass(frozen=True, eq=False)
class AnswerGenerator:
    """Decodes answers greedily; the answer to a question does not depend on the rest of its batch.

    Attributes:
      model: the language model.
      positions: scheme of token positions, as in training. Randomized positions are seeded by the question.
      batch_size: questions per batch.
      max_length: longest answer, in characters.
    """

    model: TextModel
    positions: Positions
    batch_size: int = 64
    max_length: int = 128

    def __post_init__(self) -> None:
        for name in ("batch_size", "max_length"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")

    @functools.cached_property
    def _generate(self) -> Generate:
        return make_generate(self.model)

    def __call__(self, params: Params, questions: Sequence[str]) -> list[str]:
        """Answers questions, in order.

        Raises:
          ValueError: from `check`, before any answer is generated.
        """
        tokens, widths = self.check(questions)
        answers = [""] * len(questions)
        for width in sorted(set(widths)):
            rows = [row for row, row_width in enumerate(widths) if row_width == width]
            for first in range(0, len(rows), self.batch_size):
                batch = rows[first : first + self.batch_size]
                generated = self._answer_batch(params, [tokens[row] for row in batch], width)
                for row, answer in zip(batch, generated, strict=True):
                    answers[row] = answer
        return answers

    def check(self, questions: Sequence[str]) -> tuple[list[np.ndarray], list[int]]:
        """Tokenizes questions, and returns the padded length of each, too.

        Raises:
          ValueError: if a question is empty, has a character that is not in the alphabet, or is too long for
            the range of positions.
        """
        if not all(questions):
            raise ValueError("a question must not be empty")
        tokens = [encode(question) for question in questions]
        widths = [bucket_width(len(row)) for row in tokens]
        if self.positions.range and max(widths, default=0) + self.max_length > self.positions.range:
            raise ValueError(
                f"questions of {max(widths)} characters and answers of {self.max_length} need a larger range "
                f"of positions than {self.positions.range}"
            )
        return tokens, widths

    def _answer_batch(self, params: Params, tokens: Sequence[np.ndarray], width: int) -> list[str]:
        """Answers questions of one padded length, in batches of constant size to compile one shape only."""
        rows = [tokens[min(row, len(tokens) - 1)] for row in range(self.batch_size)]
        questions = np.full((self.batch_size, width), PADDING, np.int32)
        for row, question in enumerate(rows):
            questions[row, : len(question)] = question
        lengths = np.array([len(row) for row in rows], np.int32)
        positions = np.concatenate([self._positions(row, width + self.max_length) for row in rows])
        generated = np.asarray(self._generate(params, questions, lengths, positions))
        return [decode(row) for row in generated[: len(tokens)]]

    def _positions(self, question: np.ndarray, width: int) -> np.ndarray:
        """Positions of a question and its answer, int32 [1, width]."""
        digest = hashlib.blake2b(question.tobytes(), digest_size=8).digest()
        key = np.array([int.from_bytes(digest, "little"), SEED], np.uint64)
        return self.positions.draw(np.random.Generator(np.random.Philox(key=key)), 1, width)
