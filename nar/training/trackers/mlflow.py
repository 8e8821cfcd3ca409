"""MLflow tracker (extra `mlflow`), with a server or a local SQLite file."""

import importlib
import os
import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nar.training.trackers.base import Session
from nar.training.trackers.nested import flatten

_TIMEOUTS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "30", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""Defaults of environment variables, lower than MLflow's, since training waits for its requests."""

_USER_ERROR = "INVALID_PARAMETER_VALUE"

_METRIC_OF_EACH_LINE = "steps_per_second"

_MAX_PARAMETERS = 100
"""Maximum number of parameters in a request to MLflow."""

_MAX_METRICS = 1000
"""Maximum number of metrics in a request to MLflow."""


class MLflow:
    """An MLflow run. Options: tracking_uri, experiment ("nar"), run_name (the workdir's name), tags.

    The run's id is stored in the workdir, and later sessions resume that run. If a session was killed, the
    steps after its last checkpoint are repeated; they are not logged again.
    """

    def __init__(self, session: Session) -> None:
        """Starts or resumes the MLflow run.

        Raises:
          ValueError: if an option is not valid.
          Exception: of any type, if MLflow cannot be reached.
        """
        for name, value in _TIMEOUTS.items():
            os.environ.setdefault(name, value)
        self._mlflow = mlflow = importlib.import_module("mlflow")
        try:
            self._start(session, **session.options)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code == _USER_ERROR:
                raise ValueError(error) from error
            raise

    def _start(
        self,
        session: Session,
        tracking_uri: str | None = None,
        experiment: str = "nar",
        run_name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._client: Any = self._mlflow.MlflowClient(tracking_uri)
        run_name = run_name or session.workdir.resolve().name

        def make() -> str:
            existing = self._client.get_experiment_by_name(experiment)
            number = existing.experiment_id if existing else self._client.create_experiment(experiment)
            return self._client.create_run(number, run_name=run_name, tags=dict(tags or {})).info.run_id

        self._run = session.persistent_id("mlflow", make)
        self._status = "KILLED"
        self._client.update_run(self._run, status="RUNNING")
        lines = self._client.get_metric_history(self._run, _METRIC_OF_EACH_LINE)
        self._last_step = max((metric.step for metric in lines), default=0)
        self._log_config(session)

    def _log_config(self, session: Session) -> None:
        """Logs the config, as parameters (which are immutable in MLflow) and as a file; versions as tags."""
        known = self._client.get_run(self._run).data.params
        named = ((key, str(value)) for key, value in flatten(session.config).items() if key not in known)
        parameters = [self._mlflow.entities.Param(key, value) for key, value in named]
        for chunk in _chunks(parameters, _MAX_PARAMETERS):
            self._client.log_batch(self._run, params=chunk)
        for name, version in session.versions.items():
            self._client.set_tag(self._run, f"version.{name}", version)
        self._client.log_dict(self._run, dict(session.config), "config.json")

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Logs metrics, unless an earlier session has logged the step."""
        if step > self._last_step:
            self._add(step, values, seconds)

    def _add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        timestamp, make = int(1000 * seconds), self._mlflow.entities.Metric
        metrics = [make(name, value, timestamp, step) for name, value in values.items()]
        for chunk in _chunks(metrics, _MAX_METRICS):
            self._client.log_batch(self._run, metrics=chunk)

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Logs the numbers of the result as metrics, and the files as artifacts."""
        flat = flatten({"result": result}, separator="/")
        numbers = {name: float(value) for name, value in flat.items() if isinstance(value, int | float)}
        self._add(int(result["steps"]), numbers, time.time())
        for path in files:
            self._client.log_artifact(self._run, str(path))
        self._status = "FINISHED"

    def close(self) -> None:
        """Sets the final status of the MLflow run."""
        self._client.set_terminated(self._run, self._status)


def _chunks(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
