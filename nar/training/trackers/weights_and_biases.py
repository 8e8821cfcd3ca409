"""Weights & Biases (extra `wandb`)."""

import importlib
import pathlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from nar.training.trackers.base import Session
from nar.training.trackers.nested import flatten

_SETTINGS = {"console": "off", "finish_timeout": 300.0}
"""The bar of training is no log; and without a network a run ends after so many seconds, not never."""

_INTERRUPTED = 255
"""The exit code that Weights & Biases shows as killed."""


class WeightsAndBiases:
    """A run of Weights & Biases; options are the arguments of `wandb.init`, such as project, entity, mode.

    Its id is kept in the workdir, and each session goes on with that run. Steps that it has already are those
    of a session that was killed behind its last checkpoint: they are not sent again.
    """

    def __init__(self, session: Session) -> None:
        """Begins the run, or goes on with it.

        Raises:
          ValueError: if an option is wrong, or nobody is logged in.
          Exception: of wandb, if it cannot be reached.
        """
        wandb = importlib.import_module("wandb")
        self._wandb, self._folder, self._is_finished = wandb, session.workdir, False
        usual = {
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
            self._run: Any = wandb.init(**{**usual, **options}, settings=settings)
        except wandb.errors.UsageError as error:
            raise ValueError(error) from error

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Adds values."""
        del seconds
        if step >= self._run.step:
            self._run.log(dict(values), step=step)

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Adds the result to the summary, and the files as an artefact."""
        self._run.summary.update(flatten({"result": result}, separator="/"))
        artefact = self._wandb.Artifact(f"run-{self._run.id}", type="run")
        for path in files:
            artefact.add_file(str(path))
        self._run.log_artifact(artefact)
        self._is_finished = True

    def close(self) -> None:
        """Sends what is not sent yet."""
        self._run.finish(exit_code=0 if self._is_finished else _INTERRUPTED)
