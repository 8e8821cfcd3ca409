"""MLflow (extra `mlflow`): a server, or a local file of SQLite."""

import importlib
import os
import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nar.training.trackers.base import Session
from nar.training.trackers.nested import flatten

_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "30", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""Unless the environment says more: training waits for MLflow, and should not for many minutes."""

_USERS_ERROR = "INVALID_PARAMETER_VALUE"

_IN_EACH_LINE = "steps_per_second"

_MOST_PARAMETERS = 100
"""That MLflow takes at once."""


class MLflow:
    """A run of MLflow. Options: tracking_uri, experiment ("nar"), run_name (that of the workdir), tags.

    Its id is kept in the workdir, and each session goes on with that run. Steps that it has already are those
    of a session that was killed behind its last checkpoint: they are not written again.
    """

    def __init__(self, session: Session) -> None:
        """Begins the run, or goes on with it.

        Raises:
          ValueError: if an option is wrong.
          Exception: of MLflow, if it cannot be reached.
        """
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        self._mlflow = mlflow = importlib.import_module("mlflow")
        try:
            self._begin(session, **session.options)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code == _USERS_ERROR:
                raise ValueError(error) from error
            raise

    def _begin(
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
            found = self._client.get_experiment_by_name(experiment)
            number = found.experiment_id if found else self._client.create_experiment(experiment)
            return self._client.create_run(number, run_name=run_name, tags=dict(tags or {})).info.run_id

        self._run = session.persistent_id("mlflow", make)
        self._status = "KILLED"
        self._client.update_run(self._run, status="RUNNING")
        lines = self._client.get_metric_history(self._run, _IN_EACH_LINE)
        self._logged = max((metric.step for metric in lines), default=0)
        self._describe(session)

    def _describe(self, session: Session) -> None:
        """The config as parameters, which MLflow never changes, and as it is now; versions as tags."""
        known = self._client.get_run(self._run).data.params
        named = ((key, str(value)) for key, value in flatten(session.config).items() if key not in known)
        parameters = [self._mlflow.entities.Param(key, value) for key, value in named]
        for some in _parts(parameters, _MOST_PARAMETERS):
            self._client.log_batch(self._run, params=some)
        for name, version in session.versions.items():
            self._client.set_tag(self._run, f"version.{name}", version)
        self._client.log_dict(self._run, dict(session.config), "config.json")

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Adds values."""
        if step > self._logged:
            self._add(step, values, seconds)

    def _add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        moment, make = int(1000 * seconds), self._mlflow.entities.Metric
        metrics = [make(name, value, moment, step) for name, value in values.items()]
        for some in _parts(metrics, 1000):
            self._client.log_batch(self._run, metrics=some)

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Adds the numbers of the result, and the files as artefacts."""
        flat = flatten({"result": result}, separator="/")
        numbers = {name: float(value) for name, value in flat.items() if isinstance(value, int | float)}
        self._add(int(result["steps"]), numbers, time.time())
        for path in files:
            self._client.log_artifact(self._run, str(path))
        self._status = "FINISHED"

    def close(self) -> None:
        """Says how the session ended."""
        self._client.set_terminated(self._run, self._status)


def _parts(rows: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    """So many at a time."""
    return (rows[start : start + most] for start in range(0, len(rows), most))
