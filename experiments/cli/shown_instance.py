"""One instance as an algorithm goes through it, and as the network of a run does."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from experiments.cli.load_run import restore
from experiments.cli.run_kinds import graph_parts
from nar.algorithms import Algorithm, find_algorithm
from nar.data import take
from nar.evaluation import Inference
from nar.specs import Spec
from nar.traces import CLRS30_SPLITS, Trace, TraceBatch, clrs30_sample, clrs30_split
from nar.traces.recorder.record import collect


@dataclasses.dataclass(frozen=True)
class Observed:
    """Two runs on one instance.

    Attributes:
      spec: of the probes of both: what the network is given, predicts at each step, and predicts in the end.
      truth: the algorithm's run.
      predicted: the network's; without hints if it decodes none.
      steps: how many steps of hints the network's run has, the first, which is given, included.
    """

    spec: Spec
    truth: Trace
    predicted: Trace
    steps: int


@dataclasses.dataclass(frozen=True)
class Network:
    """The network of a run.

    Attributes:
      path: of the run.
      inference: of one trace at a time.
      params: of it.
      specs: by algorithm, after transforms.
      step: after how many steps of training.
    """

    path: str
    inference: Inference
    params: Any
    specs: Mapping[str, Spec]
    step: int

    def task(self, name: str | None) -> Algorithm:
        """The algorithm that is meant: the run's only one, unless it is named.

        Raises:
          ValueError: if it is not named and there are several, or the run has no such algorithm.
        """
        if name is None and len(self.specs) == 1:
            return find_algorithm(next(iter(self.specs)))
        if name is None or find_algorithm(name).name not in self.specs:
            raise ValueError(f"{self.path}: --algorithm must be one of {', '.join(self.specs)}, got {name}")
        return find_algorithm(name)

    def run(self, algorithm: Algorithm, traces: TraceBatch) -> Observed:
        """Both runs on the first of some raw traces."""
        traces = take(traces, slice(0, 1))
        seen = self.inference.run(self.params, algorithm.name, traces)
        spec = self.specs[algorithm.name]
        return Observed(
            spec=Spec([*spec.inputs, *spec.hints, *algorithm.spec.outputs]),
            truth=dataclasses.replace(seen.batch.trace(0), outputs=traces.trace(0).outputs),
            predicted=seen.trace(0),
            steps=int(seen.steps[0]) + 1,
        )


def open_network(path: str, checkpoint: str, seed_index: int, lengths: str) -> Network:
    """The network of a run; `lengths` is "own" or "true", whose number of steps it takes.

    Raises:
      ValueError: if the folder is not that of a run of a graph network, or has no such checkpoint or replica.
    """
    run = restore(path, checkpoint, seed_index)
    parts = graph_parts(run.parts, path)
    inference = Inference(
        parts.model, parts.transforms, batch_size=1, capture="hints", true_lengths=lengths == "true"
    )
    return Network(path, inference, run.state.eval_params, parts.model.specs, int(run.state.step))


def test_split_instance(algorithm: Algorithm, index: int) -> TraceBatch:
    """One trace of CLRS-30's test split, or of what would be it.

    Raises:
      ValueError: if there is none of this index.
    """
    origin = CLRS30_SPLITS["test"].origin(algorithm)
    if index >= origin["count"]:
        raise ValueError(
            f"--index: the test split of {algorithm.name} has 0 to {origin['count'] - 1}, got {index}"
        )
    if algorithm.in_clrs30:
        draw = functools.partial(clrs30_split, algorithm, "test")
    else:
        draw = functools.partial(clrs30_sample, algorithm, **origin)
    return take(draw(), slice(index, index + 1))


def custom_instance(algorithm: Algorithm, arguments: Mapping[str, Any]) -> TraceBatch:
    """The trace of a problem of one's own.

    Raises:
      ValueError: if an argument is not valid.
    """
    try:
        return collect(algorithm, [algorithm.problem.bind(**arguments)])
    except ValueError as error:
        raise ValueError(f"--input: {algorithm.name}: {error}") from None
