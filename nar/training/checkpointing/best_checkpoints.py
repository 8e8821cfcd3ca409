"""The record of which checkpoints are best: a part of each checkpoint, so that the loss of one is noticed."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any


class LostCheckpointError(ValueError):
    """The requested checkpoint is damaged or missing."""


@dataclasses.dataclass(frozen=True)
class Best:
    """A best checkpoint.

    Attributes:
      step: its step.
      score: its validation score; NaN if it is not known.
    """

    step: int
    score: float

    def __str__(self) -> str:
        score = f"{self.score:.2%}" if 0 <= self.score <= 1 else f"{self.score:.4g}"
        return f"step {self.step}" + ("" if math.isnan(self.score) else f" (validation score {score})")


@dataclasses.dataclass(frozen=True)
class BestRecord:
    """The best checkpoints of a run up to some step.

    Attributes:
      best: the best checkpoint of each seed, the latest in case of ties; empty before the first score.
      lost: best checkpoints that were lost, and that others have replaced at the user's request.
    """

    best: tuple[Best, ...] = ()
    lost: tuple[Best, ...] = ()

    def with_scores(self, step: int, scores: Sequence[float]) -> "BestRecord":
        """The record after a later step: `scores` has one score a seed, or is empty if it was not scored."""
        if not scores:
            return self
        before = self.best or (Best(-1, -math.inf),) * len(scores)
        numbers = [-math.inf if math.isnan(score) else score for score in scores]
        pairs = zip(before, numbers, strict=True)
        best = tuple(Best(step, score) if score >= one.score else one for one, score in pairs)
        return dataclasses.replace(self, best=best)

    def steps(self) -> set[int]:
        """Steps of the best checkpoints."""
        return {one.step for one in self.best}

    def as_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {name: [[one.step, one.score] for one in getattr(self, name)] for name in ("best", "lost")}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "BestRecord":
        """Inverse of `as_json`."""
        lists = (content["best"], content["lost"])
        return cls(*(tuple(Best(int(step), float(score)) for step, score in one) for one in lists))
