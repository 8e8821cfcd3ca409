"""Which positions the tokens of a text are said to have."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Positions:
    """Places 0, 1, 2, ..., or randomised ones (Ruoss et al. 2023, arXiv 2305.16843).

    Randomised positions are a random subset of a range that is larger than any text, in order. So a network
    that is trained on short texts has met all the distances that long ones have.

    Attributes:
      range: randomised positions lie in 0 to range - 1; 0 for places in order.
      room: a text is laid out as if it had this many tokens, if it has fewer: what will be answered is not
        known when a question is, and its tokens should lie as densely in training as they then do.
    """

    range: int = 0
    min_length: int = 0

    def __post_init__(self) -> None:
        for name in ("range", "room"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"positions: {name} must be an integer of at least 0, got {value!r}")
        if self.range and self.min_length > self.range:
            raise ValueError(f"positions: min_length {self.min_length} is larger than the range {self.range}")

    def draw(self, random: np.random.Generator, num_texts: int, width: int) -> np.ndarray:
        """Positions of texts of `width` tokens each, int32 [num_texts, width], each row increasing.

        Raises:
          ValueError: if texts are longer than the range.
        """
        if not self.range:
            return np.broadcast_to(np.arange(width, dtype=np.int32), (num_texts, width))
        if width > self.range:
            raise ValueError(f"texts of {width} tokens need a larger range of positions than {self.range}")
        order = random.random((num_texts, self.range)).argsort(axis=1)
        subset = np.sort(order[:, : max(width, self.min_length)], axis=1)
        return np.ascontiguousarray(subset[:, :width], np.int32)
