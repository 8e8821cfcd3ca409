"""Scores of predictions without teacher forcing, on whole splits and at any size."""

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

SAMPLES_PER_SIZE = 32
"""Number of samples of each size, to be multiplied by `Algorithm.clrs30_multiplier` as in the test split."""


class DecodedOutputs(NamedTuple):
    """Hard-decoded outputs of a network for a batch.

    Attributes:
      outputs: outputs by name, in the format of a trace: [B, ...].
      steps: [B], the number of processor steps of each sample.
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
        """Sets up the evaluator; compilation happens on the first batch of each shape.

        Args:
          model: the network.
          transforms: those used in training.
          batch_size: the maximum number of traces per batch; rounded up to a multiple of the number of
            devices.
          devices: the devices to run on; one by default. With several processes, all of them must make the
            same calls, and all get the same results.
          show_progress: whether to show a progress bar.
        """
        self.model = model
        self._transforms = transforms
        self._inference = Inference(model, transforms, batch_size, devices, show_progress=show_progress)

    @property
    def show_progress(self) -> bool:
        """True if a progress bar is shown."""
        return self._inference.show_progress

    @show_progress.setter
    def show_progress(self, value: bool) -> None:
        self._inference.show_progress = value

    @property
    def num_programs(self) -> int:
        """The number of compiled programs, one per batch shape."""
        return self._inference.num_programs

    def score(self, params: Params, task: str, traces: TraceBatch) -> dict[str, float]:
        """Computes the score of each output, pooled over all traces, and `score`, their mean.

        For a network with learned termination there is also `steps`, the mean number of steps taken.

        Args:
          params: parameters of the network.
          task: name of the algorithm.
          traces: raw traces, as `nar.traces` produces them.
        """
        spec = self.model.specs[task]
        batch = self._transforms.apply(find_algorithm(task), traces)
        predicted = self.predict(params, task, batch)
        scores = score_predictions(spec, batch.outputs, predicted.outputs)
        if isinstance(self.model.config.termination, Learned):
            scores["steps"] = float(predicted.steps.mean())
        return scores

    def predict(self, params: Params, task: str, batch: TraceBatch) -> DecodedOutputs:
        """Predicts the outputs of a batch to which the transforms were already applied, in order."""
        result = self._inference.run_transformed(params, task, batch)
        return DecodedOutputs(result.outputs, result.steps)


def score_split(evaluator: Evaluator, params: Params, split: str) -> Scores:
    """Scores all tasks on a canonical split of CLRS-30, complete and in order.

    An algorithm outside CLRS-30 is scored on a split drawn in the same way.
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
    """Scores all tasks on fresh problems of several sizes, drawn as CLRS-30 draws its test split."""
    result: Scores = {task: {} for task in evaluator.model.specs}
    for task in evaluator.model.specs:
        count = SAMPLES_PER_SIZE * find_algorithm(task).clrs30_multiplier
        for size in sizes:
            result[task][str(size)] = evaluator.score(params, task, clrs30_sample(task, size, count, seed))
    return result
