"""Predictions without a teacher, for whole splits and at any size."""

from typing import NamedTuple

import numpy as np

from nar.algorithms import find_algorithm
from nar.data import Transforms
from nar.evaluation.averages import Scores
from nar.evaluation.inference import Inference
from nar.evaluation.scores import score_predictions
from nar.model import Learned, Model, Params
from nar.traces import CLRS30_SPLITS, TraceBatch, clrs30_sample, clrs30_split
from nar.training import Devices

SAMPLES_OF_OTHER_SIZES = 32
"""Times `Algorithm.clrs30_multiplier`, as in the test split."""


class DecodedOutputs(NamedTuple):
    """What a network decides for a batch.

    Attributes:
      outputs: by name, as a trace holds them: [B, ...].
      steps: [B], how many steps were taken.
    """

    outputs: dict[str, np.ndarray]
    steps: np.ndarray


class Evaluator:
    """Scores a network on any number of traces of any size."""

    def __init__(
        self,
        model: Model,
        transforms: Transforms,
        batch_size: int = 32,
        devices: Devices | None = None,
        *,
        show_progress: bool = False,
    ) -> None:
        """Compiles nothing yet.

        Args:
          model: the network.
          transforms: those that it is trained with.
          batch_size: how many traces are predicted at once; rounded up to a multiple of the devices.
          devices: where to predict; by default on one. If they belong to several processes, all of them ask
            for the same and get the same.
          show_progress: whether a bar shows the time left.
        """
        self.model = model
        self._transforms = transforms
        self._inference = Inference(model, transforms, batch_size, devices, show_progress=show_progress)

    @property
    def show_progress(self) -> bool:
        """Whether a bar shows the time left."""
        return self._inference.show_progress

    @show_progress.setter
    def show_progress(self, value: bool) -> None:
        self._inference.show_progress = value

    @property
    def num_programs(self) -> int:
        """How many shapes of batches it has compiled for."""
        return self._inference.num_programs

    def score(self, params: Params, task: str, traces: TraceBatch) -> dict[str, float]:
        """Score of each output over all traces together, and `score`, their mean.

        If the network learns when to stop there is also `steps`, the mean number of steps that it took.

        Args:
          params: of the network.
          task: name of the algorithm.
          traces: raw ones, as `nar.traces` makes them.
        """
        spec = self.model.specs[task]
        batch = self._transforms.apply(find_algorithm(task), traces)
        decided = self.predict(params, task, batch)
        scores = score_predictions(spec, batch.outputs, decided.outputs)
        if isinstance(self.model.config.termination, Learned):
            scores["steps"] = float(decided.steps.mean())
        return scores

    def predict(self, params: Params, task: str, batch: TraceBatch) -> DecodedOutputs:
        """Outputs for a batch after transforms, in its order."""
        seen = self._inference.run_transformed(params, task, batch)
        return DecodedOutputs(seen.outputs, seen.steps)


def score_split(evaluator: Evaluator, params: Params, split: str) -> Scores:
    """Scores of all tasks on a canonical split of CLRS-30, complete and in order.

    An algorithm that is not one of the thirty is scored on what would be its split: drawn in the same way.
    """
    result: Scores = {}
    for task in evaluator.model.specs:
        algorithm = find_algorithm(task)
        if algorithm.in_clrs30:
            traces = clrs30_split(algorithm, split, wait_for_compilation=False)
        else:
            origin = CLRS30_SPLITS[split].origin(algorithm)
            traces = clrs30_sample(algorithm, **origin, wait_for_compilation=False)
        size = str(CLRS30_SPLITS[split].size)
        result[task] = {size: evaluator.score(params, task, traces)}
    return result


def score_sizes(evaluator: Evaluator, params: Params, sizes: list[int], seed: int) -> Scores:
    """Scores of all tasks on fresh problems of several sizes, drawn as CLRS-30 draws its test split."""
    result: Scores = {task: {} for task in evaluator.model.specs}
    for task in evaluator.model.specs:
        count = SAMPLES_OF_OTHER_SIZES * find_algorithm(task).clrs30_multiplier
        for size in sizes:
            result[task][str(size)] = evaluator.score(params, task, clrs30_sample(task, size, count, seed))
    return result
