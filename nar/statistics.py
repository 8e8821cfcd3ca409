"""Mean, standard deviation and confidence interval of repeated measurements, such as seeds."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class SampleStatistics:
    """Summary statistics of repeated measurements of one quantity.

    Attributes:
      count: number of measurements.
      mean: sample mean.
      deviation: sample standard deviation (count - 1 degrees of freedom); None if count is 1.
      interval: half-width of the 95 % confidence interval of the mean (Student's t); None if count is 1.
    """

    count: int
    mean: float
    deviation: float | None
    interval: float | None

    def as_json(self) -> dict[str, Any]:
        """Fields as a JSON-serializable dictionary."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        """Mean ± standard deviation, in percent."""
        return f"{100 * self.mean:.2f}" + ("" if self.deviation is None else f" ± {100 * self.deviation:.2f}")

    def as_number(self) -> str:
        """Mean ± standard deviation as plain numbers."""
        return f"{self.mean:.4g}" + ("" if self.deviation is None else f" ± {self.deviation:.2g}")


def sample_statistics(values: Sequence[float]) -> SampleStatistics:
    """Computes the statistics of one or more values.

    Raises:
      ValueError: if there are no values.
    """
    if not len(values):
        raise ValueError("no values to summarize")
    count, mean = len(values), float(np.mean(values))
    if count == 1:
        return SampleStatistics(1, mean, None, None)
    from scipy.special import stdtrit  # slow to import, so imported only where it is needed

    with np.errstate(invalid="ignore"):  # of infinite values, as custom metrics may have
        deviation = float(np.std(values, ddof=1))
    return SampleStatistics(count, mean, deviation, float(stdtrit(count - 1, 0.975)) * deviation / count**0.5)
