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

from nar.atomic_io import path_in_errors, write_text
from nar.training.loop.timing import COMPILING, Clock
from nar.training.state import TrainState
from nar.training.trackers import Tracker
from nar.training.train_step.finite_updates import SKIPPED
from nar.training.train_step.update import Metrics

_logger = logging.getLogger(__name__)

SELECTION_METRIC = "validation/score"
PER_SEED = f"{SELECTION_METRIC}/seed_index_"
"""Prefix of the metrics with the validation score of each seed; the index of the seed follows."""

VALIDATION_SECONDS = "validation/seconds"

STEP_TIME = "seconds_in_steps"
"""Time of the steps themselves: what is left of a line's interval."""

DATA_WAIT = "seconds_waiting_for_data"
"""Time that steps waited for their batches; zero if batches are prefetched in time."""

COMPILATION_WAIT = "seconds_waiting_for_programs"
"""Time that a step waited for background compilation; lines count it under `COMPILING`."""


class WriteMetrics:
    """Callback that writes a line to `metrics.jsonl` and to trackers every `every` steps and at validations.

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
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Removes lines after step `start`, from which the run resumes.

        Args:
          path: the metrics file.
          trackers: receive all lines; whoever opened them closes them.
          every: number of steps between lines.
          batch_size: step -> number of examples in its batch; steps count from 0.
          start: number of steps already taken.
          clock: clock of the run.
          metadata: metadata of the checkpoint from which training resumes.
        """
        saved = (metadata or {}).get("metrics", {})
        text = truncate_lines(path, start)
        self._written = hashlib.sha256(text.encode())
        if saved.get("sha256", self._written.hexdigest()) != self._written.hexdigest():
            _logger.warning(
                "%s differs from what was written up to step %d: lines were lost or changed", path, start
            )
        self._path = path
        self._trackers = tuple(trackers)
        self._every = every
        self._batch_size = batch_size
        self._clock = clock
        self._rows: list[Metrics] = list(saved.get("rows", []))
        self._steps = self._examples = 0
        self._waited = self._compiled = 0.0
        self._since = time.perf_counter()

    def after_step(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Adds the metrics to the current interval, and writes a line if one is due."""
        self._waited += float(metrics.pop(DATA_WAIT, 0.0))
        self._compiled += float(metrics.pop(COMPILATION_WAIT, 0.0))
        self._rows.append(metrics)
        self._steps += 1
        self._examples += self._batch_size(step - 1)
        if step % self._every and SELECTION_METRIC not in metrics:
            return
        means = _means(jax.device_get(self._rows))
        now = time.perf_counter()
        passed = now - self._since
        seconds = passed - means.get(VALIDATION_SECONDS, 0.0)
        rates = {"steps_per_second": self._steps / seconds, "examples_per_second": self._examples / seconds}
        spent = {DATA_WAIT: self._waited, **self._clock.pop_seconds()}
        spent[COMPILING] += self._compiled
        times = {**spent, STEP_TIME: max(passed - sum(spent.values()), 0.0), "seconds": self._clock.seconds()}
        self._rows, self._steps, self._examples, self._since = [], 0, 0, now
        self._waited = self._compiled = 0.0
        values = {**means, **rates, **times}
        self._write(json.dumps({"step": step, **values}) + "\n")
        for tracker in self._trackers:
            tracker.add(step, values, time.time())

    def at_end(self, state: TrainState, interrupted: bool) -> None:
        """Does nothing: all lines are written."""

    def state_dict(self) -> dict[str, Any]:
        """State for the metadata of a checkpoint: metrics since the last line; checksum of all lines."""
        rows = [
            {name: np.asarray(value, float).tolist() for name, value in row.items()}
            for row in jax.device_get(self._rows)
        ]
        return {"metrics": {"rows": rows, "sha256": self._written.hexdigest()}}

    def _write(self, line: str) -> None:
        with path_in_errors(self._path), self._path.open("a") as file:
            file.write(line)
        self._written.update(line.encode())


def read_lines(path: pathlib.Path) -> list[dict[str, float]]:
    """Reads all lines of a metrics file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def truncate_lines(path: pathlib.Path, last_step: int) -> str:
    """Removes damaged lines and those after `last_step` from a metrics file; returns the remaining text."""
    if not path.exists():
        return ""
    with path_in_errors(path):
        lines = path.read_bytes().decode(errors="replace").splitlines()
    kept = [line for line in lines if _step_of(line) <= last_step]
    text = "".join(f"{line}\n" for line in kept)
    write_text(path, text)
    return text


def _step_of(line: str) -> float:
    """Step of a line; infinity if the line is damaged."""
    try:
        values = json.loads(line)
        return (
            values["step"] if all(isinstance(value, int | float) for value in values.values()) else math.inf
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return math.inf


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
