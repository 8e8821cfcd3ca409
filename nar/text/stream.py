"""Stream of training batches of texts: a pure function of (tasks, seed, step, process)."""

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence

import jax
import numpy as np

from nar.algorithms import Algorithm
from nar.data.task_schedule import TaskSchedule
from nar.text import Text, sample_texts
from nar.text.positions import Positions
from nar.text.tokens import END, PADDING, encode

_TEXTS, _POSITIONS = 0x747874, 0x746F6B
"""Tags in the second word of a Philox key: seeds of texts ("txt"), and token positions ("tok")."""

_BUCKET = 16


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TextBatch:
    """A batch of B tokenized texts, right-padded to L tokens.

    Attributes:
      tokens: int32 [B, L]; each text is followed by `END`.
      positions: int32 [B, L], increasing along rows.
      is_answer: bool [B, L], whether a token belongs to the answer, `END` included.
    """

    tokens: np.ndarray
    positions: np.ndarray
    is_answer: np.ndarray

    @classmethod
    def from_texts(cls, texts: Sequence[Text], positions: np.ndarray) -> "TextBatch":
        """Tokenizes and pads texts.

        Args:
          texts: B questions with their answers.
          positions: int32 [B, L]; L must be at least the length of the longest text, plus 1 for `END`.

        Raises:
          ValueError: if a text has a character that is not in the alphabet.
        """
        tokens = np.full(positions.shape, PADDING, np.int32)
        is_answer = np.zeros(positions.shape, np.bool_)
        for row, text in enumerate(texts):
            encoded = [*encode(text.text), END]
            tokens[row, : len(encoded)] = encoded
            is_answer[row, len(text.question) : len(encoded)] = True
        return cls(tokens, positions, is_answer)


@dataclasses.dataclass(frozen=True, eq=False)
class TextTask:
    """A training task: the texts of one algorithm.

    Attributes:
      algorithm: algorithm whose traces are rendered.
      lengths: problem sizes; the texts of a batch cycle through them.
      use_hints: whether texts include the hints.
      decimals: decimals to which inputs are truncated; 0 keeps all digits.
    """

    algorithm: Algorithm
    lengths: tuple[int, ...]
    use_hints: bool = False
    decimals: int = 0

    def __post_init__(self) -> None:
        if not self.lengths:
            raise ValueError(f"{self.name}: at least one length is needed")
        if len(set(self.lengths)) < len(self.lengths):
            raise ValueError(f"{self.name}: lengths must differ, got {self.lengths}")
        for length in self.lengths:
            self.texts(length, 0, seed=0)

    @property
    def name(self) -> str:
        """Name of the algorithm."""
        return self.algorithm.name

    def texts(self, length: int, count: int, seed: int) -> list[Text]:
        """Returns the first `count` texts of a length and seed, as drawn by `nar.text.sample_texts`."""
        options = {"use_hints": self.use_hints, "decimals": self.decimals}
        return list(sample_texts(self.algorithm, length, count, seed, **options))


@dataclasses.dataclass(frozen=True, eq=False)
class TextStream:
    """Infinite stream of training batches: round robin over tasks and, within a batch, over lengths.

    Attributes:
      tasks: training tasks.
      batch_size: global batch size, over all processes.
      seed: seed of all randomness.
      positions: scheme of token positions.
      process: index of this process, which makes one of `num_processes` equal shares of each batch.
      num_processes: number of processes.
    """

    tasks: Sequence[TextTask]
    batch_size: int
    seed: int
    positions: Positions = Positions()
    process: int = 0
    num_processes: int = 1

    @functools.cached_property
    def task_schedule(self) -> TaskSchedule:
        """Round-robin schedule of the tasks."""
        return TaskSchedule([1.0] * len(self.tasks))

    @property
    def num_leading_axes(self) -> int:
        """Number of array axes before those of a `TextBatch`: none."""
        return 0

    def batch_size_of(self, task: TextTask) -> int:
        """Global batch size of a task."""
        del task
        return self.batch_size

    def num_examples(self, num_steps: int) -> int:
        """Number of texts in the first `num_steps` batches."""
        return num_steps * self.batch_size

    def task(self, step: int) -> TextTask:
        """Task of a step."""
        return self.tasks[self.task_schedule(step).task]

    def stream_key(self, step: int) -> None:
        """None, since texts are not chunked."""

    def examples(self) -> dict[str, TextBatch]:
        """Example batch by task name: zeros with the shapes of the narrowest batch."""
        shape = (self.batch_size // self.num_processes, bucket_width(1))
        zeros = TextBatch(np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros(shape, np.bool_))
        return {task.name: zeros for task in self.tasks}

    def chunk_examples(self) -> dict[str, TextBatch]:
        """Empty, since texts are not chunked."""
        return {}

    def __iter__(self) -> Iterator[TextBatch]:
        """The batches of steps 0, 1, 2, ... without end."""
        return map(self.batch, itertools.count())

    def batch(self, step: int) -> TextBatch:
        """This process's share of the batch of a step, padded to its bucket."""
        task = self.task(step)
        # Rows cycle through the lengths, starting where the task's previous batch stopped, as there may be
        # more lengths than rows.
        start = step // len(self.tasks) * self.batch_size
        indices = (start + np.arange(self.batch_size)) % len(task.lengths)
        texts: list[Text] = [Text("", "")] * self.batch_size
        for index in np.unique(indices):
            rows = np.flatnonzero(indices == index)
            length = task.lengths[index]
            for row, text in zip(rows, task.texts(length, len(rows), self._seed(step, length)), strict=True):
                texts[row] = text
        # Every process makes the whole batch, since its longest text determines the shape of every share.
        width = bucket_width(max(len(text.text) for text in texts) + 1)
        random = np.random.Generator(np.random.Philox(key=self._key(_POSITIONS, step)))
        positions = self.positions.draw(random, self.batch_size, width)
        share = self.batch_size // self.num_processes
        local = slice(self.process * share, (self.process + 1) * share)
        return TextBatch.from_texts(texts[local], positions[local])

    def _seed(self, step: int, length: int) -> int:
        """Seed of numpy's `RandomState` for the texts of one length in one batch."""
        bits = np.random.Philox(key=self._key(_TEXTS, step), counter=length)
        return int(bits.random_raw()) % 2**32

    def _key(self, tag: int, step: int) -> np.ndarray:
        return np.array([self.seed % 2**64, (tag << 40) + step], np.uint64)


def bucket_width(num_tokens: int) -> int:
    """Rounds up a number of tokens to a multiple of the bucket size, so that few shapes are compiled."""
    return -(-num_tokens // _BUCKET) * _BUCKET
