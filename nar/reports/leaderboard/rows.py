"""Rows of the leaderboard: exported runs, read from their files."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nar.reports.result_table import scores_by_task
from nar.reports.run_report.reading import is_run, read_records
from nar.reports.run_report.records import Record

_FACTS = ("method", "selection", "command", "precision", "scores", "best_step")
"""Entries of the result that every row has."""


@dataclasses.dataclass(frozen=True)
class Row:
    """An exported run.

    Attributes:
      name: name of the export: an algorithm, or another name for a run of several, such as `generalist`.
      record: the content of its files.
    """

    name: str
    record: Record

    @property
    def result(self) -> Mapping[str, Any]:
        """Its result."""
        assert self.record.result is not None
        return self.record.result

    @property
    def method(self) -> str:
        """Label of its method."""
        return str(self.result["method"])

    @property
    def seed(self) -> int:
        """Seed of its training."""
        return self.record.seeds[0]

    @property
    def is_single_task(self) -> bool:
        """True for a network of one algorithm."""
        return len(self.record.algorithms) == 1

    @property
    def recipe(self) -> str:
        """The command that trains it, without the seed: equal for rows that differ only in that."""
        return re.sub(r" --config\.training\.seed=\d+", "", str(self.result["command"]))

    @property
    def validation(self) -> float:
        """Mean validation score of its algorithms."""
        return float(np.mean(list(scores_by_task(self.result["scores"]["validation"]).values())))

    @property
    def test_scores(self) -> dict[str, float]:
        """Score by algorithm on the test split, n = 64."""
        return scores_by_task(self.result["scores"]["test"])

    def score(self, task: str, size: int) -> tuple[float, int] | None:
        """Score of an algorithm at a size, and the number of instances; None if it was not scored."""
        for one in (self.record.evaluation or {}).get("measurements", ()):
            if (one["task"], one["size"]) == (task, size):
                return one["scores"]["score"], one["instances"]
        return None


def read_rows(folders: Sequence[pathlib.Path]) -> list[Row]:
    """Reads the exported runs in folders of exports, sorted by method, name and seed.

    Args:
      folders: folders of exports; those that do not exist have none.

    Raises:
      ValueError: if a file is damaged, or lacks what a row must say.
    """
    paths = [
        path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()) if is_run(path)
    ]
    rows = [Row(path.name.rpartition("_seed")[0], _read(path)) for path in paths]
    return sorted(rows, key=lambda row: (row.method, not row.is_single_task, row.name, row.seed))


def _read(path: pathlib.Path) -> Record:
    record = read_records([path]).runs[0]
    missing = [name for name in _FACTS if name not in (record.result or {})]
    if missing or record.evaluation is None:
        lacking = f"no {missing[0]}" if missing else "no evaluation.json"
        raise ValueError(f"{path} is not an export of a run (experiments.convert --export): it has {lacking}")
    return record
