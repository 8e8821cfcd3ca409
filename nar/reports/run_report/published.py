"""What others have published for CLRS-30: test scores at n = 64, each with where it comes from.

`published.csv` holds them. Its rows are `sourced` (read in the place that is named) or `reconstructed`
(recalled figures of single algorithms that give every published mean of a class to 0.01, but were not read
row by row). What is not sourced is never shown without saying so.
"""

import csv
import dataclasses
import functools
import importlib.resources
from collections.abc import Mapping
from types import MappingProxyType

RECONSTRUCTED = "†"
"""Stands behind every number that was not read in a publication."""

_NAMES: Mapping[str, str] = MappingProxyType({"searching": "search"})
"""Names of ours that are others in the publications."""


@dataclasses.dataclass(frozen=True)
class Published:
    """One number.

    Attributes:
      method: who scored it.
      level: "algorithm", "class" or "average".
      name: of the algorithm, of the class, or "30 tasks" or "8 classes".
      score: in percent.
      deviation: over seeds, in percent; None if none was read.
      is_sourced: whether it was read in its source; if not, it is reconstructed.
      source: where it was published.
    """

    method: str
    level: str
    name: str
    score: float
    deviation: float | None
    is_sourced: bool
    source: str

    def __str__(self) -> str:
        """Mean ± deviation; reconstructed ones with a dagger."""
        deviation = "" if self.deviation is None else f" ± {self.deviation:.2f}"
        return f"{self.score:.2f}{deviation}{'' if self.is_sourced else RECONSTRUCTED}"


@functools.cache
def all_published() -> tuple[Published, ...]:
    """All rows of the table."""
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
    """By method, in the order of the table: what is published for an algorithm, class or average of ours."""
    name = _NAMES.get(name, name)
    return {one.method: one for one in all_published() if (one.level, one.name) == (level, name)}
