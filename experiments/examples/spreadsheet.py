"""A custom tracker in one file, outside nar: writes the metrics of a run as CSV.

To use it, give its name, `module:ATTRIBUTE`; the module may be anywhere on the Python path or in the
current directory:

    python -m experiments.train --config=configs/bfs.py --workdir=runs/sheet \
        --config.training.trackers="('tensorboard','experiments.examples.spreadsheet:Spreadsheet')"
"""

import csv
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from nar.training.trackers import Session


class Spreadsheet:
    """Writes `metrics.csv` to the workdir, one row (step, name, value) per value."""

    def __init__(self, session: Session) -> None:
        """Opens the file; a resumed run appends to it."""
        self._file = (session.workdir / "metrics.csv").open("a", newline="")
        self._rows = csv.writer(self._file)

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Appends one row per value."""
        self._rows.writerows((step, name, value) for name, value in values.items())
        self._file.flush()

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Appends a row with the number of steps of the finished run."""
        self._rows.writerow((result["steps"], "finished", 1))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
