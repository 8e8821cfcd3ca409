"""Writer of `metrics.jsonl` and of the same metrics to trackers."""

import hashlib
import json
import logging
import math
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from nar.atomic_io import open_to_append, path_in_errors, write_text
from nar.metrics_file import intact_lines
from nar.training.loop.callback import Callback, StepReport
from nar.training.loop.timing import Clock
from nar.training.trackers import Tracker
from nar.training.train_step.finite_updates import SKIPPED

_logger = logging.getLogger(__name__)

VALIDATION_SECONDS = "validation/seconds"

STEP_TIME = "seconds_in_steps"
"""Time of the steps themselves: the remainder of a line's interval."""


class WriteMetrics(Callback):
    """Writes a line to `metrics.jsonl` and to trackers every `every` steps and at evaluations.

    Metrics are means of the finite values over the steps since the last line, and over seeds; `skipped` is
    the number of skipped steps. The time since the last line is split into waiting for data, compiling,
    validating, saving (after the last line), and the steps themselves.

    Metrics since the last line are part of the state dict, so that a resumed run writes the same lines as an
    uninterrupted one.
    """

    def __init__(
        self,
        path: pathlib.Path,
        trackers: Sequence[Tracker],
        every: int,
        batch_size: Callable[[int], int],
        start: int,
        clock: Clock,
    ) -> None:
        """Removes lines after step `start`, from which the run resumes.

        Args:
          path: the metrics file.
          trackers: receive all lines; whoever opened them closes them.
          every: number of steps between lines.
          batch_size: step -> number of examples in its batch; steps count from 0.
          start: number of steps already taken.
          clock: clock of the run, which comes before in the list of callbacks.
        """
        self._written = hashlib.sha256(truncate_lines(path, start).encode())
        self._path = path
        self._trackers = tuple(trackers)
        self._every = every
        self._batch_size = batch_size
        self._start = start
        self._clock = clock
        self._rows: list[Mapping[str, Any]] = []
        self._steps = self._examples = 0
        self._since = time.perf_counter()

    def on_step(self, report: StepReport) -> None:
        """Adds the metrics to the current interval, and writes a line if one is due."""
        self._rows.append(_row(report))
        self._steps += 1
        self._examples += self._batch_size(report.step - 1)
        if report.step % self._every == 0 or report.evaluation is not None:
            self._write(report.step, {**_means(jax.device_get(self._rows)), **self._rates(report)})
            self._rows, self._steps, self._examples = [], 0, 0

    def _rates(self, report: StepReport) -> dict[str, float]:
        """Speed and breakdown of the time since the last line."""
        now = time.perf_counter()
        passed, self._since = now - self._since, now
        seconds = passed - (report.evaluation.seconds if report.evaluation else 0.0)
        rates = {"steps_per_second": self._steps / seconds, "examples_per_second": self._examples / seconds}
        spent = self._clock.pop_seconds()
        times = {STEP_TIME: max(passed - sum(spent.values()), 0.0), "seconds": self._clock.seconds()}
        return {**rates, **spent, **times}

    def _write(self, step: int, values: Mapping[str, float]) -> None:
        line = json.dumps({"step": step, **values}) + "\n"
        with open_to_append(self._path) as file:
            file.write(line.encode())
        self._written.update(line.encode())
        for tracker in self._trackers:
            tracker.add(step, values, time.time())

    def state_dict(self) -> Mapping[str, Any]:
        """Metrics since the last line; checksum of all lines."""
        rows = [
            {name: np.asarray(value, float).tolist() for name, value in row.items()}
            for row in jax.device_get(self._rows)
        ]
        return {"rows": rows, "sha256": self._written.hexdigest()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores the metrics since the last line; logs a warning if the file has changed since then."""
        self._rows = list(state["rows"])
        if state["sha256"] != self._written.hexdigest():
            _logger.warning(
                "%s differs from what was written up to step %d: lines were lost or changed",
                self._path,
                self._start,
            )


def _row(report: StepReport) -> Mapping[str, Any]:
    if report.evaluation is None:
        return report.metrics
    evaluation = {**report.evaluation.scores, VALIDATION_SECONDS: report.evaluation.seconds}
    return {**report.metrics, **evaluation}


def truncate_lines(path: pathlib.Path, last_step: int) -> str:
    """Removes damaged lines and those after `last_step` from a metrics file; returns the remaining text."""
    if not path.exists():
        return ""
    with path_in_errors(path):
        lines = [text for text, line in intact_lines(path) if line["step"] <= last_step]
    text = "".join(f"{line}\n" for line in lines)
    write_text(path, text)
    return text


def _means(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean of the finite values of each metric; the sum for `SKIPPED`."""
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).extend(np.ravel(np.asarray(value, float)).tolist())
    finite = {name: [value for value in values if math.isfinite(value)] for name, values in columns.items()}
    return {
        name: float(np.sum(values) if name == SKIPPED else np.mean(values))
        for name, values in finite.items()
        if values
    }
