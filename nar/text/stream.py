"""The stream of training batches of texts: a pure function of (tasks, seed, step, process)."""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import numpy as np

from nar.algorithms import Algorithm
from nar.data.task_schedule import TaskSchedule
from nar.text import Text, sample_texts
from nar.text.positions import Positions
from nar.text.tokens import END, PADDING, encode

_TEXTS, _POSITIONS = 0x747874, 0x746F6B
"""Second key words' tags of the seeds of texts ("txt") and of the positions of their tokens ("tok")."""

_BUCKET = 16


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TextBatch:
    """Texts as tokens. B texts, L tokens of the longest and padding behind the others.

    Attributes:
      tokens: int32 [B, L], each row with `END` behind its text.
      positions: int32 [B, L], increasing.
      is_answer: bool [B, L], whether a token belongs to the answer, `END` included.
    """

    tokens: np.ndarray
    positions: np.ndarray
    is_answer: np.ndarray

    @classmethod
    def from_texts(cls, texts: Sequence[Text], positions: np.ndarray) -> "TextBatch":
        """Texts side by side.

        Args:
          texts: B questions with their answers.
          positions: int32 [B, L], of L tokens at least as many as the longest text has.

        Raises:
          ValueError: if a text has a character that is not in the alphabet.
        """
        tokens = np.full(positions.shape, PADDING, np.int32)
        is_answer = np.zeros(positions.shape, np.bool_)
        for row, text in enumerate(texts):
            found = [*encode(text.text), END]
            tokens[row, : len(found)] = found
            is_answer[row, len(text.question) : len(found)] = True
        return cls(tokens, positions, is_answer)


@dataclasses.dataclass(frozen=True, eq=False)
class TextTask:
    """The texts of one algorithm as they are trained.

    Attributes:
      algorithm: whose traces are told.
      lengths: sizes of the problems; each batch has all of them, in turn from text to text.
      use_hints: whether steps are shown.
      decimals: to which inputs are cut; 0 for all of their digits.
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
        """The first texts of a length and seed, as `nar.text.sample_texts` draws them."""
        options = {"use_hints": self.use_hints, "decimals": self.decimals}
        return list(sample_texts(self.algorithm, length, count, seed, **options))


@dataclasses.dataclass(frozen=True, eq=False)
class TextStream:
    """Endless training texts: tasks in turn, and within a batch the lengths of its task in turn.

    Attributes:
      tasks: what is trained, round robin.
      batch_size: texts of a batch, over all processes.
      seed: of all randomness.
      positions: which positions tokens have.
      process: which of `num_processes` equal shares of each batch is made here.
      num_processes: how many shares there are.
    """

    tasks: Sequence[TextTask]
    batch_size: int
    seed: int
    positions: Positions = Positions()
    process: int = 0
    num_processes: int = 1

    @functools.cached_property
    def task_schedule(self) -> TaskSchedule:
        """Round robin."""
        return TaskSchedule([1.0] * len(self.tasks))

    @property
    def num_leading_axes(self) -> int:
        """How many axes arrays have before those of a `TextBatch`."""
        return 0

    def batch_size_of(self, task: TextTask) -> int:
        """Texts of a batch of a task, over all processes."""
        del task
        return self.batch_size

    def num_examples(self, num_steps: int) -> int:
        """Texts in all batches of so many steps from the first."""
        return num_steps * self.batch_size

    def task(self, step: int) -> TextTask:
        """Whose turn it is."""
        return self.tasks[self.task_schedule(step).task]

    def stream_key(self, step: int) -> None:
        """None: texts are whole."""

    def examples(self) -> dict[str, TextBatch]:
        """Zeros in the shapes of a narrow batch of each task, by its name; nothing is drawn for it."""
        shape = (self.batch_size // self.num_processes, bucket_width(1))
        blank = TextBatch(np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros(shape, np.bool_))
        return {task.name: blank for task in self.tasks}

    def chunk_examples(self) -> dict[str, TextBatch]:
        """None: texts are whole."""
        return {}

    def batch(self, step: int) -> TextBatch:
        """This process's share of the batch of a step, padded to its bucket."""
        task = self.task(step)
        # Row r has the length r modulo their number, but for a shift with each turn, as there may be
        # more lengths than rows.
        shift = step // len(self.tasks) * self.batch_size
        places = (shift + np.arange(self.batch_size)) % len(task.lengths)
        texts: list[Text] = [Text("", "")] * self.batch_size
        for place in np.unique(places):
            rows = np.flatnonzero(places == place)
            length = task.lengths[place]
            for row, text in zip(rows, task.texts(length, len(rows), self._seed(step, length)), strict=True):
                texts[row] = text
        # All processes make the whole batch, since its longest text decides on the shape of every share.
        width = bucket_width(max(len(text.text) for text in texts) + 1)
        random = np.random.Generator(np.random.Philox(key=self._key(_POSITIONS, step)))
        positions = self.positions.draw(random, self.batch_size, width)
        share = self.batch_size // self.num_processes
        mine = slice(self.process * share, (self.process + 1) * share)
        return TextBatch.from_texts(texts[mine], positions[mine])

    def _seed(self, step: int, length: int) -> int:
        """Of numpy's `RandomState`, for the texts of one length in one batch."""
        bits = np.random.Philox(key=self._key(_TEXTS, step), counter=length)
        return int(bits.random_raw()) % 2**32

    def _key(self, tag: int, step: int) -> np.ndarray:
        return np.array([self.seed % 2**64, (tag << 40) + step], np.uint64)


def bucket_width(num_tokens: int) -> int:
    """To how many tokens texts are padded, so that few shapes are compiled."""
    return -(-num_tokens // _BUCKET) * _BUCKET
