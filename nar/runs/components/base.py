"""The interface of a run's components, common to graph networks and language models."""

from collections.abc import Mapping
from typing import Any, Protocol

import optax

from nar.evaluation import Scores
from nar.evaluation.metrics import Metrics
from nar.model import Params
from nar.training import Devices
from nar.training.loop import TaskWeightFunction
from nar.training.train_step import CompiledTrainStep


class RunComponents(Protocol):
    """The components of a run, as `nar.runs.build` and `nar.runs.components.text` build them."""

    @property
    def model(self) -> Any:
        """The network, with `init(key, {task: batch})`."""
        ...

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """The optimizer."""
        ...

    @property
    def ema_decay(self) -> float:
        """Decay of the exponential moving average of the parameters; 0 disables it."""
        ...

    @property
    def tasks(self) -> Any:
        """The training tasks."""
        ...

    @property
    def stream(self) -> Any:
        """The training data."""
        ...

    @property
    def devices(self) -> Devices:
        """The devices to train on."""
        ...

    @property
    def num_seeds(self) -> int:
        """Number of seeds trained in one program; if more than one, states have a leading seed axis."""
        ...

    @property
    def task_weight_function(self) -> TaskWeightFunction | None:
        """Function from validation scores to task sampling weights; None if the weights are constant."""
        ...

    @property
    def metrics(self) -> Metrics:
        """Metrics of evaluation beyond the scores, by name."""
        ...

    @property
    def selection(self) -> str:
        """Name of the score or metric that selects the best checkpoint."""
        ...

    @property
    def selection_split(self) -> str:
        """The split whose scores select the best checkpoint: "val" unless the protocol has another one."""
        ...

    @property
    def protocol_record(self) -> Mapping[str, Any]:
        """The evaluation protocol, for the result; empty if there is only one."""
        ...

    def check_metrics(self) -> None:
        """Raises ValueError if a metric fails on perfect predictions, or is not defined for a task."""
        ...

    def unstack_seeds(self, tree: Any) -> list[Any]:
        """Splits parameters, or any tree with a leading seed axis, into one tree per seed."""
        ...

    def make_train_step(self) -> CompiledTrainStep:
        """Builds the jitted training step."""
        ...

    def make_evaluator(self) -> Any:
        """Builds the evaluator that `score_split` takes."""
        ...

    def score_split(self, evaluator: Any, params: Params, split: str) -> Scores:
        """Scores on a complete split: "val" during training, "test" at the end."""
        ...
