"""Putting the texts of a batch together: which values, in which order, between which words."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nar.algorithms import Algorithm
from nar.text.rendering.columns import text_values
from nar.text.rendering.layout import Layout
from nar.text.rendering.write_numbers import FLOATS, INTEGERS, LITERAL, LONGEST_FLOAT, OF_STEP, write_texts
from nar.traces.trace import TraceBatch

SEPARATOR, BAR = ", ", " | "
FIRST_STEP, STEPS = "initial_trace", "trace"

Segment = tuple[int, int, int, int, int]
"""As `nar.text.rendering.write_numbers` reads it."""


class Text(NamedTuple):
    """A trace as CLRS-Text writes it (arXiv 2406.04229); `nar.text.rendering.layout` describes the form.

    Attributes:
      question: name of the algorithm, inputs, what is asked for.
      answer: the trace if it is asked for, and the outputs.
    """

    question: str
    answer: str

    @property
    def text(self) -> str:
        """Both, which is what a language model is trained on."""
        return self.question + self.answer


def compose(algorithm: Algorithm, layout: Layout, batch: TraceBatch) -> list[Text]:
    """The texts of a batch.

    Args:
      algorithm: whose traces these are.
      layout: what stands in its texts.
      batch: B traces.
    """
    pieces = _Pieces(algorithm, batch)
    steps = [pieces.probe(name, output) for name, output in layout.hints]
    question = [pieces.words(f"{algorithm.name}:\n")]
    for k, name in enumerate(layout.inputs):
        question += [pieces.words(f"{SEPARATOR if k else ''}{name}: "), pieces.probe(name)]
    step = pieces.group(steps, layout.is_pair)
    ending = [
        *pieces.group([pieces.probe(name) for name in layout.answer], layout.is_pair),
        pieces.words("\n\n"),
    ]
    asked = SEPARATOR.join(layout.asked)
    asked = f"({asked})" if layout.is_pair else asked
    if layout.hints:
        question += [pieces.words(f"{SEPARATOR}{FIRST_STEP}: "), *step]
        ending.insert(0, pieces.words(BAR))
        asked = f"{STEPS}{BAR}{asked}"
    question.append(pieces.words(f"\n{asked}:\n"))
    return pieces.written(
        question, step, ending, batch.lengths if layout.hints else np.ones_like(batch.lengths)
    )


class _Pieces:
    """Collects words and values, and writes texts of them."""

    def __init__(self, algorithm: Algorithm, batch: TraceBatch) -> None:
        self._algorithm, self._batch = algorithm, batch
        self._literals = bytearray()
        B = batch.batch_size
        # By source; those of steps have a leading axis T.
        self._columns = {source: [np.zeros((B, 0), dtype)] for source, dtype in _TYPES.items()}
        self._columns |= {s + OF_STEP: [np.zeros((1, B, 0), dtype)] for s, dtype in _TYPES.items()}

    def words(self, words: str) -> Segment:
        """Words."""
        start, text = len(self._literals), words.encode()
        self._literals += text
        return (LITERAL, start, 0, 0, len(text))

    def probe(self, name: str, output: str | None = None) -> Segment:
        """The values of a probe."""
        values = text_values(self._algorithm, self._batch, name, output)
        num_leading = 2 if name in self._batch.hints else 1
        source = FLOATS if values.dtype.kind == "f" else INTEGERS
        columns = self._columns[source + OF_STEP if num_leading == 2 else source]
        start = sum(column.shape[-1] for column in columns)
        shape = values.shape[num_leading:]
        columns.append(values.reshape(*values.shape[:num_leading], -1))
        rows, row = (1, 1, *shape)[-2:]
        return (source + OF_STEP * (num_leading == 2), start, len(shape), rows, row)

    def group(self, segments: Sequence[Segment], is_pair: bool) -> list[Segment]:
        """Segments with commas between them, in parentheses if they are a pair."""
        comma = self.words(SEPARATOR)
        joined = [part for segment in segments for part in (comma, segment)][1:]
        return [self.words("("), *joined, self.words(")")] if is_pair else joined

    def written(
        self, question: list[Segment], step: list[Segment], ending: list[Segment], lengths: np.ndarray
    ) -> list[Text]:
        """The texts.

        Args:
          question: segments of a question.
          step: those of a step of an answer.
          ending: those of an answer behind its steps.
          lengths: [B] the number of steps of each trace.
        """
        values = {source: _joined(columns) for source, columns in self._columns.items()}
        widths = {source: _width(array) for source, array in values.items()}
        sizes = [sum(_size(segment, widths) for segment in segments) for segments in (question, step, ending)]
        num_bytes = len(lengths) * (sizes[0] + sizes[2]) + int(lengths.sum()) * (sizes[1] + len(SEPARATOR))
        buffer = np.empty(num_bytes, np.uint8)
        values[FLOATS], values[FLOATS + OF_STEP] = (
            values[source].view(np.uint64) for source in (FLOATS, FLOATS + OF_STEP)
        )
        ends = (
            write_texts(
                *(np.array(segments, np.int64).reshape(-1, 5) for segments in (question, step, ending)),
                np.frombuffer(self._literals, np.uint8),
                (values[INTEGERS], values[FLOATS]),
                (values[INTEGERS + OF_STEP], values[FLOATS + OF_STEP]),
                lengths.astype(np.int64),
                buffer,
            )
            .reshape(-1)
            .tolist()
        )
        data = buffer[: ends[-1]].tobytes()
        texts = [data[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]
        return [Text(*pair) for pair in zip(texts[::2], texts[1::2], strict=True)]


_TYPES = {INTEGERS: np.int64, FLOATS: np.float64}


def _joined(columns: list[np.ndarray]) -> np.ndarray:
    """Columns side by side; one is empty, and may lack steps."""
    filled = [column for column in columns if column.size] or columns[:1]
    return np.ascontiguousarray(np.concatenate(filled, axis=-1))


def _width(values: np.ndarray) -> int:
    """Characters of the longest number, at most."""
    if values.dtype.kind == "f":
        return LONGEST_FLOAT
    return max((len(str(int(end(values)))) for end in (np.min, np.max) if values.size), default=0)


def _size(segment: Segment, widths: dict[int, int]) -> int:
    """Bytes of a segment, at most."""
    source, _, _, rows, row = segment
    if source == LITERAL:
        return row
    brackets = 2 + rows * (2 + len(SEPARATOR))
    return brackets + rows * row * (widths[source] + 1)
