"""Weights & Biases tracker (extra `wandb`)."""

import importlib
import pathlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from nar.training.trackers.base import Session
from nar.training.trackers.nested import flatten

_SETTINGS = {"console": "off", "finish_timeout": 300.0}
"""No log of the console, which has the progress bar; and without a network, `finish` ends by this timeout."""

_INTERRUPTED = 255
"""Exit code that Weights & Biases displays as "killed"."""


class WeightsAndBiases:
    """A Weights & Biases run; options are arguments of `wandb.init`, such as project, entity or mode.

    The run's id is stored in the workdir, and later sessions resume that run. If a session was killed, the
    steps after its last checkpoint are repeated; they are not logged again.
    """

    def __init__(self, session: Session) -> None:
        """Starts or resumes the Weights & Biases run.

        Raises:
          ValueError: if an option is not valid, or the user is not logged in.
          Exception: of any type, if Weights & Biases cannot be reached.
        """
        wandb = importlib.import_module("wandb")
        self._wandb, self._folder, self._is_finished = wandb, session.workdir, False
        defaults = {
            "project": "nar",
            "name": session.workdir.resolve().name,
            "dir": str(session.workdir),
            "id": session.persistent_id("wandb", lambda: secrets.token_hex(4)),
            "resume": "allow",
            "reinit": "create_new",
            "config": {**session.config, "versions": dict(session.versions)},
            "allow_val_change": True,
        }
        options = dict(session.options)
        settings = {**_SETTINGS, **options.pop("settings", {})}
        try:
            self._run: Any = wandb.init(**{**defaults, **options}, settings=settings)
        except wandb.errors.UsageError as error:
            raise ValueError(error) from error

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Logs metrics, unless an earlier session has logged the step."""
        del seconds
        if step >= self._run.step:
            self._run.log(dict(values), step=step)

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Adds the result to the run's summary, and logs the files as an artifact."""
        self._run.summary.update(flatten({"result": result}, separator="/"))
        artifact = self._wandb.Artifact(f"run-{self._run.id}", type="run")
        for path in files:
            artifact.add_file(str(path))
        self._run.log_artifact(artifact)
        self._is_finished = True

    def close(self) -> None:
        """Sends pending data and ends the run's session."""
        self._run.finish(exit_code=0 if self._is_finished else _INTERRUPTED)
