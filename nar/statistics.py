"""Mean, deviation and confidence interval of repetitions, such as seeds."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class SampleStatistics:
    """What repetitions of one measurement say.

    Attributes:
      count: how many there are.
      mean: of them.
      deviation: the sample standard deviation (of count - 1 degrees of freedom); None of a single one.
      interval: half the width of the 95 % confidence interval of the mean, by Student's t; None of a single
        one.
    """

    count: int
    mean: float
    deviation: float | None
    interval: float | None

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        """In percent: mean ± deviation."""
        return f"{100 * self.mean:.2f}" + ("" if self.deviation is None else f" ± {100 * self.deviation:.2f}")


def sample_statistics(values: Sequence[float]) -> SampleStatistics:
    """The spread of at least one value.

    Raises:
      ValueError: if there is none.
    """
    if not len(values):
        raise ValueError("no values, so no mean")
    count, mean = len(values), float(np.mean(values))
    if count == 1:
        return SampleStatistics(1, mean, None, None)
    from scipy.special import stdtrit  # takes as long to import as numpy does: not for every training

    deviation = float(np.std(values, ddof=1))
    return SampleStatistics(count, mean, deviation, float(stdtrit(count - 1, 0.975)) * deviation / count**0.5)
