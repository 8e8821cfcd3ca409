"""The content of a run's files."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from nar.runs.config import RunConfig


@dataclasses.dataclass(frozen=True)
class Record:
    """The content of a run's files.

    Attributes:
      name: name of the run in the report.
      path: run directory.
      config: the resolved config.
      versions: versions of nar and its dependencies at the start of the run.
      metrics: a dictionary per line of `metrics.jsonl`.
      result: the content of `result.json`; None if the run has not ended.
      evaluation: the output of `experiments.evaluate`; None if there is none.
      uses_config_copy: whether the config was damaged and its copy was read instead.
    """

    name: str
    path: pathlib.Path
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    metrics: Sequence[Mapping[str, float]]
    result: Mapping[str, Any] | None
    evaluation: Mapping[str, Any] | None
    uses_config_copy: bool = False

    @property
    def is_text(self) -> bool:
        """True for a language model, whose scores are not comparable with those of CLRS-30."""
        return self.config.get("kind", "graph") == "text"

    @functools.cached_property
    def graph_config(self) -> RunConfig:
        """The config of a graph network."""
        return RunConfig.from_dict(self.config)

    @property
    def seeds(self) -> list[int]:
        """Training seeds; several if the run trained several seeds as one program."""
        training = self.config["training"]
        return [training["seed"] + number for number in range(training["num_seeds"])]

    @property
    def algorithms(self) -> list[str]:
        """Names of the trained algorithms, as in the config."""
        names = self.config["algorithms"]
        return [names] if isinstance(names, str) else list(names)

    @property
    def is_finished(self) -> bool:
        """True if the run has the result of all its steps, or was ended by early stopping."""
        if self.result is None:
            return False
        has_all_steps = self.result["steps"] >= self.config["training"]["steps"]
        return has_all_steps or self.result["stopped_early"]

    @property
    def status(self) -> str:
        """The progress of the run, in words."""
        if self.result is not None and self.is_finished:
            return "stopped early" if self.result["stopped_early"] else "finished"
        step = int(self.metrics[-1]["step"]) if self.metrics else 0
        steps = self.config["training"]["steps"]
        return f"unfinished, {step} of {steps} steps" + (", not scored yet" if step == steps else "")

    @property
    def scores_by_seed(self) -> list[tuple[int, Mapping[str, Any]]]:
        """(seed, scores by split, task and size) for each seed of a finished run."""
        if self.result is None or not self.is_finished:
            return []
        if "seeds" in self.result:
            return [(one["seed"], one["scores"]) for one in self.result["seeds"]]
        return [(self.config["training"]["seed"], self.result["scores"])]


@dataclasses.dataclass(frozen=True)
class Records:
    """The runs of a report.

    Attributes:
      runs: records of the runs, in the order in which their folders were given.
      not_started: folders of the trials of a sweep that have not started.
    """

    runs: list[Record]
    not_started: list[pathlib.Path]
