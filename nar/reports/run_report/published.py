"""Published CLRS-30 results: test scores at n = 64, each with its source.

The rows of `published.csv` are either `sourced` (read in the named publication) or `reconstructed` (recalled
scores of single algorithms that reproduce every published class mean to 0.01, but were not read row by row).
Reconstructed numbers are always shown with a mark.
"""

import csv
import dataclasses
import functools
import importlib.resources
from collections.abc import Mapping
from types import MappingProxyType

RECONSTRUCTED = "†"
"""Mark after every number that was not read in a publication."""

_NAMES: Mapping[str, str] = MappingProxyType({"searching": "search"})
"""Names of classes that differ in the publications: ours -> theirs."""


@dataclasses.dataclass(frozen=True)
class Published:
    """One published number.

    Attributes:
      method: name of the model.
      level: "algorithm", "class" or "average".
      name: name of the algorithm or class, or "30 tasks" or "8 classes".
      score: score in percent.
      deviation: standard deviation over seeds in percent; None if unknown.
      is_sourced: whether it was read in its source; otherwise it is reconstructed.
      source: the publication.
    """

    method: str
    level: str
    name: str
    score: float
    deviation: float | None
    is_sourced: bool
    source: str

    def __str__(self) -> str:
        """Formats mean ± deviation, with a dagger if the number is reconstructed."""
        deviation = "" if self.deviation is None else f" ± {self.deviation:.2f}"
        return f"{self.score:.2f}{deviation}{'' if self.is_sourced else RECONSTRUCTED}"


@functools.cache
def all_published() -> tuple[Published, ...]:
    """All rows of `published.csv`."""
    text = importlib.resources.files("nar.reports.run_report").joinpath("published.csv").read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(
        Published(
            method=row["method"],
            level=row["level"],
            name=row["name"],
            score=float(row["score"]),
            deviation=float(row["deviation"]) if row["deviation"] else None,
            is_sourced=row["provenance"] == "sourced",
            source=row["source"],
        )
        for row in rows
    )


def find_published(level: str, name: str) -> dict[str, Published]:
    """Published numbers for an algorithm, class or average, by method in the order of the table."""
    name = _NAMES.get(name, name)
    return {one.method: one for one in all_published() if (one.level, one.name) == (level, name)}
