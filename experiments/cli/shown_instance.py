"""Runs an algorithm and a trained network on the same problem instance, for `experiments.show`."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from nar.algorithms import Algorithm, find_algorithm
from nar.data import take
from nar.evaluation import Inference
from nar.evaluation.scaled_inputs import ScaledInputs, scale_arguments
from nar.runs.run import Run
from nar.specs import Spec
from nar.traces import CLRS30_SPLITS, Trace, TraceBatch, clrs30_sample, clrs30_split
from nar.traces.recorder.record import collect


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The algorithm's trace and the network's predictions on one instance.

    Attributes:
      spec: probes of both: the network's inputs and hints, and the algorithm's outputs.
      truth: the algorithm's trace.
      predicted: the network's predictions as a trace; without hints if it decodes none.
      steps: number of hint steps in `predicted`, including the first, which is an input of the network.
    """

    spec: Spec
    truth: Trace
    predicted: Trace
    steps: int


@dataclasses.dataclass(frozen=True)
class ShownInstance:
    """A problem instance.

    Attributes:
      traces: the algorithm's raw trace, as the only one of a batch.
      origin: a description of its origin.
      scaled: the arguments that the network gets in place of those of the user; None for a sampled instance.
    """

    traces: TraceBatch
    origin: str
    scaled: ScaledInputs | None = None


class Network:
    """The trained network of a run.

    Attributes:
      path: the workdir.
      specs: algorithm name -> spec after transforms.
      step: training step of the checkpoint.
    """

    def __init__(self, path: str, run: Run, true_lengths: bool) -> None:
        """Sets up inference for one trace at a time.

        Args:
          path: the workdir.
          run: its run.
          true_lengths: whether the network takes as many steps as the algorithm, rather than its own number.

        Raises:
          ValueError: if the run is not one of a graph network.
        """
        components = run.graph_components
        self.path, self.step, self._params = path, run.step, run.params
        self.specs: Mapping[str, Spec] = components.model.specs
        self._transforms, self._ranges = components.transforms, components.input_ranges
        self._inference = Inference(
            components.model,
            components.transforms,
            batch_size=1,
            capture="hints",
            true_lengths=true_lengths,
        )

    def find_algorithm(self, name: str | None) -> Algorithm:
        """The algorithm of the given name; None means the only algorithm of the run.

        Raises:
          ValueError: if `name` is None and the run has several algorithms, or the run has no such algorithm.
        """
        if name is None and len(self.specs) == 1:
            return find_algorithm(next(iter(self.specs)))
        if name is None or find_algorithm(name).name not in self.specs:
            raise ValueError(f"{self.path}: --algorithm must be one of {', '.join(self.specs)}, got {name}")
        return find_algorithm(name)

    def custom_instance(
        self, algorithm: Algorithm, arguments: Mapping[str, Any], *, may_change: bool
    ) -> ShownInstance:
        """A user's problem; its description has the labels of the nodes, and how numbers are changed.

        Args:
          algorithm: the algorithm.
          arguments: arguments of the problem by name, as for `nar.run_algorithm`.
          may_change: whether numbers outside of the range of training may be changed for the network.

        Raises:
          ValueError: if an argument is invalid.
        """
        try:
            instance = algorithm.problem.read(**arguments)
            traces = collect(algorithm, [instance.arguments])
        except ValueError as error:
            raise ValueError(f"--input: {algorithm.name}: {error}") from None
        labels = ", ".join(f"{place} = {label}" for place, label in enumerate(instance.nodes or ()))
        scaled = scale_arguments(algorithm, instance.arguments, self._ranges, may_change=may_change)
        parts = ["custom input", *([f"nodes: {labels}"] if labels else [])]
        parts += [f"changed for the network: {scaled.change}"] if scaled.change else []
        return ShownInstance(traces, " · ".join([*parts, *scaled.warnings]), scaled)

    def run(self, algorithm: Algorithm, instance: ShownInstance) -> Comparison:
        """Runs the network on an instance, and pairs it with the algorithm's trace."""
        traces, scaled = instance.traces, instance.scaled
        if scaled is None or scaled.change is None:
            result = self._inference.run(self._params, algorithm.name, traces)
        else:
            changed = collect(algorithm, [scaled.arguments])
            result = self._inference.run(self._params, algorithm.name, changed)
        predicted, spec = result.trace(0), self.specs[algorithm.name]
        truth = self._transforms.apply(algorithm, traces).trace(0)
        if scaled is not None:
            predicted = dataclasses.replace(
                predicted,
                inputs=truth.inputs,
                hints=scaled.unscale(predicted.hints),
                outputs=scaled.unscale(predicted.outputs),
            )
        return Comparison(
            spec=Spec([*spec.inputs, *spec.per_step, *algorithm.spec.outputs]),
            truth=dataclasses.replace(truth, outputs=traces.trace(0).outputs),
            predicted=predicted,
            steps=int(result.steps[0]) + 1,
        )


def test_split_instance(algorithm: Algorithm, index: int) -> TraceBatch:
    """One trace of the test split: CLRS-30's, or one drawn likewise for other algorithms.

    Raises:
      ValueError: if `index` is out of range.
    """
    origin = CLRS30_SPLITS["test"].origin(algorithm)
    if index >= origin["count"]:
        raise ValueError(
            f"--index must lie between 0 and {origin['count'] - 1} for the test split of {algorithm.name}, "
            f"got {index}"
        )
    if algorithm.in_clrs30:
        draw = functools.partial(clrs30_split, algorithm, "test")
    else:
        draw = functools.partial(clrs30_sample, algorithm, **origin)
    return take(draw(), slice(index, index + 1))
