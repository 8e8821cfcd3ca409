"""Runs an algorithm and a trained network on the same problem instance, for `experiments.show`."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from nar.algorithms import Algorithm, find_algorithm
from nar.data import take
from nar.evaluation import Inference
from nar.runs.run import load_run
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
class Network:
    """The trained network of a run.

    Attributes:
      path: the workdir.
      inference: the inference engine, for one trace at a time.
      params: its parameters.
      specs: algorithm name -> spec after transforms.
      step: training step of the checkpoint.
    """

    path: str
    inference: Inference
    params: Any
    specs: Mapping[str, Spec]
    step: int

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

    def run(self, algorithm: Algorithm, traces: TraceBatch) -> Comparison:
        """Runs the network on the first of the raw traces, and pairs it with the algorithm's trace."""
        traces = take(traces, slice(0, 1))
        result = self.inference.run(self.params, algorithm.name, traces)
        spec = self.specs[algorithm.name]
        return Comparison(
            spec=Spec([*spec.inputs, *spec.hints, *algorithm.spec.outputs]),
            truth=dataclasses.replace(result.batch.trace(0), outputs=traces.trace(0).outputs),
            predicted=result.trace(0),
            steps=int(result.steps[0]) + 1,
        )


def open_network(
    path: str,
    checkpoint: str,
    seed_index: int,
    lengths: str,
    *,
    checkpoint_fallback: bool = False,
    trust: bool = False,
) -> Network:
    """Loads the network of a run.

    Args:
      path: the workdir.
      checkpoint: "best" or "last".
      seed_index: the seed, if the run has several.
      lengths: "own" for the network's own number of steps, "true" for the algorithm's.
      checkpoint_fallback: whether another checkpoint may take the place of a lost one.
      trust: whether code outside nar that the run's config names may be imported.

    Raises:
      ValueError: if the directory is not the workdir of a graph network, or has no such checkpoint or seed.
    """
    run = load_run(path, checkpoint, seed_index, checkpoint_fallback=checkpoint_fallback, trust=trust)
    components = run.graph_components
    inference = Inference(
        components.model, components.transforms, batch_size=1, capture="hints", true_lengths=lengths == "true"
    )
    return Network(path, inference, run.params, components.model.specs, run.step)


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


def custom_instance(algorithm: Algorithm, arguments: Mapping[str, Any]) -> tuple[TraceBatch, str]:
    """The trace of a user's problem, and a description with the labels of its nodes.

    Raises:
      ValueError: if an argument is invalid.
    """
    try:
        instance = algorithm.problem.read(**arguments)
        labels = ", ".join(f"{place} = {label}" for place, label in enumerate(instance.nodes or ()))
        return collect(algorithm, [instance.arguments]), f"custom input{labels and f' · nodes: {labels}'}"
    except ValueError as error:
        raise ValueError(f"--input: {algorithm.name}: {error}") from None
