"""What every kind of network answers to the scripts that train and restore runs."""

from typing import Any, Protocol

import optax

from nar.evaluation import Scores
from nar.model import Params
from nar.training import CompiledTrainStep, Devices, TaskWeightFunction


class RunParts(Protocol):
    """The parts of a config, as `experiments.cli.build` and `experiments.cli.build_text` make them."""

    @property
    def model(self) -> Any:
        """The network, with `init(key, {task: batch})`."""
        ...

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """Of training."""
        ...

    @property
    def ema_decay(self) -> float:
        """Of the moving average of the parameters; 0 for none."""
        ...

    @property
    def tasks(self) -> Any:
        """What is trained."""
        ...

    @property
    def stream(self) -> Any:
        """The training data."""
        ...

    @property
    def devices(self) -> Devices:
        """Where to train."""
        ...

    @property
    def num_seeds(self) -> int:
        """How many seeds are trained; if more than one, states have an axis of replicas."""
        ...

    @property
    def weigh(self) -> TaskWeightFunction | None:
        """Decides by scores whose turn it is; None if that does not depend on them."""
        ...

    def each(self, tree: Any) -> list[Any]:
        """Parameters, or a whole tree alike, of each replica."""
        ...

    def make_train_step(self) -> CompiledTrainStep:
        """The compiled step of training."""
        ...

    def make_evaluator(self) -> Any:
        """What `score_split` needs."""
        ...

    def score_split(self, evaluator: Any, params: Params, split: str) -> Scores:
        """Scores on a whole split: "val" while training, "test" at its end."""
        ...
