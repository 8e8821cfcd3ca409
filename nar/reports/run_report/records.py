"""A run as its files tell it."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Record:
    """A run as its files tell it.

    Attributes:
      name: by which the report calls it.
      path: its folder.
      config: as it was resolved.
      versions: of nar and all that it depends on, at the start of the run.
      metrics: a dictionary for each line of `metrics.jsonl`.
      result: scores of a run that ended; None if there are none.
      evaluation: what `experiments.evaluate` found; None if it was not asked.
      added: what an older version did not write into the config, as it is taken to be.
      has_copied_config: whether the config is damaged, and its copy was taken.
    """

    name: str
    path: pathlib.Path
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    metrics: Sequence[Mapping[str, float]]
    result: Mapping[str, Any] | None
    evaluation: Mapping[str, Any] | None
    added: Sequence[str] = ()
    has_copied_config: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it is a language model's, whose scores are another matter than those of CLRS-30."""
        return self.config.get("kind", "graph") == "text"

    @property
    def seeds(self) -> list[int]:
        """Of training; several if replicas were trained as one program."""
        training = self.config["training"]
        return [training["seed"] + number for number in range(training.get("num_seeds", 1))]

    @property
    def algorithms(self) -> list[str]:
        """Names of what it trains, as the config has them."""
        names = self.config["algorithms"]
        return [names] if isinstance(names, str) else list(names)

    @property
    def is_finished(self) -> bool:
        """Whether it has the result of all its steps, or was stopped early by its own rule."""
        if self.result is None:
            return False
        over = self.result["steps"] >= self.config["training"]["steps"]
        return over or self.result.get("stopped_early", False)

    @property
    def status(self) -> str:
        """How far it is."""
        if self.result is not None and self.is_finished:
            return "stopped early" if self.result.get("stopped_early") else "finished"
        step = int(self.metrics[-1]["step"]) if self.metrics else 0
        steps = self.config["training"]["steps"]
        return f"unfinished, {step} of {steps} steps" + (", not scored yet" if step == steps else "")

    @property
    def repetitions(self) -> list[tuple[int, Mapping[str, Any]]]:
        """(seed, its scores by split, task and size) of each seed of a finished run."""
        if self.result is None or not self.is_finished:
            return []
        if "seeds" in self.result:
            return [(one["seed"], one["scores"]) for one in self.result["seeds"]]
        return [(self.config["training"]["seed"], self.result["scores"])]


@dataclasses.dataclass(frozen=True)
class Records:
    """All that was found.

    Attributes:
      runs: in the order in which they were named.
      waiting: folders of trials of a sweep that have not begun.
    """

    runs: list[Record]
    waiting: list[pathlib.Path]
