"""Token positions: consecutive or randomized."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Positions:
    """Positions 0, 1, 2, ..., or randomized positions (Ruoss et al. 2023, arXiv 2305.16843).

    Randomized positions are a sorted random subset of a range that is larger than any text, so that training
    on short texts covers the relative distances of long ones.

    Attributes:
      range: randomized positions lie in [0, range); 0 for consecutive positions.
      min_length: positions are drawn for at least this many tokens. At generation the length of the answer is
        unknown when the question is encoded; this keeps the density of positions the same in training.
    """

    range: int = 0
    min_length: int = 0

    def __post_init__(self) -> None:
        for name in ("range", "min_length"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"positions: {name} must be an integer of at least 0, got {value!r}")
        if self.range and self.min_length > self.range:
            raise ValueError(f"positions: min_length {self.min_length} is larger than the range {self.range}")

    def draw(self, random: np.random.Generator, num_texts: int, width: int) -> np.ndarray:
        """Draws positions, int32 [num_texts, width], each row strictly increasing.

        Raises:
          ValueError: if `width` exceeds the range.
        """
        if not self.range:
            return np.broadcast_to(np.arange(width, dtype=np.int32), (num_texts, width))
        if width > self.range:
            raise ValueError(f"texts of {width} tokens need a larger range of positions than {self.range}")
        order = random.random((num_texts, self.range)).argsort(axis=1)
        subset = np.sort(order[:, : max(width, self.min_length)], axis=1)
        return np.ascontiguousarray(subset[:, :width], np.int32)
