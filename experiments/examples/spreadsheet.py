"""A tracker in one file, outside nar: the metrics of a run as a file that spreadsheets open.

It is chosen by its name, from this folder or from any other that holds such a file:

    python -m experiments.train --config=configs/bfs.py --workdir=runs/sheet \
        --config.training.trackers="('tensorboard','experiments.examples.spreadsheet:Spreadsheet')"
"""

import csv
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from nar.training import Session


class Spreadsheet:
    """`metrics.csv` in the workdir: a line for each value, with its step and name."""

    def __init__(self, session: Session) -> None:
        """Goes on with the file, if the run goes on."""
        self._file = (session.workdir / "metrics.csv").open("a", newline="")
        self._rows = csv.writer(self._file)

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Adds a line for each value."""
        self._rows.writerows((step, name, value) for name, value in values.items())
        self._file.flush()

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Adds the number of steps of the finished run."""
        self._rows.writerow((result["steps"], "finished", 1))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
