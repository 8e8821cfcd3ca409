"""Composition of the texts of a batch from probe values and literal text."""

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
"""Source, start, depth, number of lists, values per list; see `nar.text.rendering.write_numbers`."""


class Text(NamedTuple):
    """A trace in the format of CLRS-Text (arXiv 2406.04229), described in `nar.text.rendering.layout`.

    Attributes:
      question: name of the algorithm, inputs, and names of the values to predict.
      answer: the steps, if hints are used, and the outputs.
    """

    question: str
    answer: str

    @property
    def text(self) -> str:
        """Question and answer together, the text that a language model is trained on."""
        return self.question + self.answer


def compose(algorithm: Algorithm, layout: Layout, batch: TraceBatch) -> list[Text]:
    """Renders the texts of a batch.

    Args:
      algorithm: algorithm of the traces.
      layout: layout of its texts.
      batch: B traces.
    """
    composer = _Composer(algorithm, batch)
    steps = [composer.probe(name, output) for name, output in layout.hints]
    question = [composer.literal(f"{algorithm.name}:\n")]
    for k, name in enumerate(layout.inputs):
        question += [composer.literal(f"{SEPARATOR if k else ''}{name}: "), composer.probe(name)]
    step = composer.group(steps, layout.is_pair)
    ending = [
        *composer.group([composer.probe(name) for name in layout.answer], layout.is_pair),
        composer.literal("\n\n"),
    ]
    requested = SEPARATOR.join(layout.requested)
    requested = f"({requested})" if layout.is_pair else requested
    if layout.hints:
        question += [composer.literal(f"{SEPARATOR}{FIRST_STEP}: "), *step]
        ending.insert(0, composer.literal(BAR))
        requested = f"{STEPS}{BAR}{requested}"
    question.append(composer.literal(f"\n{requested}:\n"))
    return composer.render(
        question, step, ending, batch.lengths if layout.hints else np.ones_like(batch.lengths)
    )


class _Composer:
    """Collects literal text and probe values as segments, and renders texts from them."""

    def __init__(self, algorithm: Algorithm, batch: TraceBatch) -> None:
        self._algorithm, self._batch = algorithm, batch
        self._literals = bytearray()
        B = batch.batch_size
        # By source; the columns of hints have a leading axis T.
        self._columns = {source: [np.zeros((B, 0), dtype)] for source, dtype in _TYPES.items()}
        self._columns |= {s + OF_STEP: [np.zeros((1, B, 0), dtype)] for s, dtype in _TYPES.items()}

    def literal(self, text: str) -> Segment:
        """Makes a segment of literal text."""
        start, encoded = len(self._literals), text.encode()
        self._literals += encoded
        return (LITERAL, start, 0, 0, len(encoded))

    def probe(self, name: str, output: str | None = None) -> Segment:
        """Makes a segment of the values of a probe; `output` as in `text_values`."""
        values = text_values(self._algorithm, self._batch, name, output)
        num_leading = 2 if name in self._batch.hints else 1
        source = FLOATS if values.dtype.kind == "f" else INTEGERS
        columns = self._columns[source + OF_STEP if num_leading == 2 else source]
        start = sum(column.shape[-1] for column in columns)
        shape = values.shape[num_leading:]
        if len(shape) > 2:
            raise ValueError(f"{name} has a vector for each pair of nodes, for which there is no text form")
        columns.append(values.reshape(*values.shape[:num_leading], -1))
        rows, row = (1, 1, *shape)[-2:]
        return (source + OF_STEP * (num_leading == 2), start, len(shape), rows, row)

    def group(self, segments: Sequence[Segment], is_pair: bool) -> list[Segment]:
        """Joins segments with commas, in parentheses if they are a pair."""
        comma = self.literal(SEPARATOR)
        joined = [part for segment in segments for part in (comma, segment)][1:]
        return [self.literal("("), *joined, self.literal(")")] if is_pair else joined

    def render(
        self, question: list[Segment], step: list[Segment], ending: list[Segment], lengths: np.ndarray
    ) -> list[Text]:
        """Renders the texts.

        Args:
          question: segments of a question.
          step: segments of one step of an answer.
          ending: segments of an answer after its steps.
          lengths: [B], the number of steps of each trace.
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
    """Concatenates columns; the first is an empty placeholder, which may have fewer steps."""
    filled = [column for column in columns if column.size] or columns[:1]
    return np.ascontiguousarray(np.concatenate(filled, axis=-1))


def _width(values: np.ndarray) -> int:
    """Upper bound on the characters of a number."""
    if values.dtype.kind == "f":
        return LONGEST_FLOAT
    return max((len(str(int(end(values)))) for end in (np.min, np.max) if values.size), default=0)


def _size(segment: Segment, widths: dict[int, int]) -> int:
    """Upper bound on the bytes of a segment."""
    source, _, _, rows, row = segment
    if source == LITERAL:
        return row
    brackets = 2 + rows * (2 + len(SEPARATOR))
    return brackets + rows * row * (widths[source] + 1)
