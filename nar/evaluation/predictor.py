"""Predictions for a single problem: inputs in; decoded outputs, hints and states out. No labels needed.

predict = Predictor(model, params)
prediction = predict("bfs", A=[(0, 1), (1, 2)], s=0)
prediction.outputs["pi"], prediction.hints["reach_h"], prediction.steps, prediction.states
"""

import dataclasses
import warnings
from collections.abc import Hashable
from typing import Any

import jax
import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.data import Transforms
from nar.evaluation.inference import Inference
from nar.evaluation.scaled_inputs import InputRanges, OutOfRangeWarning, scale_arguments
from nar.machine import memory_size
from nar.model import FromTrace, Model, Params
from nar.plugins import did_you_mean
from nar.problems.scaling import Change
from nar.rich_display import arrays_table
from nar.traces import Probes, TraceBatch, collect, record_first_step, values_by_node
from nar.traces.memory import traces_bytes
from nar.training import Devices

MAX_STEPS = 2**20
"""Largest number of processor steps of a prediction."""


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Predictions of a network for one problem, in the format of a trace.

    Attributes:
      outputs: hard-decoded outputs by name, with the shapes and dtypes of `nar.run_algorithm(...).outputs`.
      hints: hints by name, [steps + 1, ...]: the initial hints, then the hard-decoded predictions. Hints that
        never change are inputs, not predictions, and are left out; all are left out if the network does not
        decode hints.
      steps: the number of processor steps.
      states: hidden states of the nodes after the processor at each step, [steps, N, H].
      nodes: label of each node, as in `nar.traces.Trace`.
      change: how the numbers of the problem were changed for the network, which does not change the answer;
        None if they were not. Scalar outputs and hints are in the units of the problem.
    """

    outputs: Probes
    hints: Probes
    steps: int
    states: np.ndarray
    nodes: tuple[Hashable, ...] | None = None
    change: Change | None = None

    def by_node(self, name: str) -> dict[Any, Any]:
        """An output by the labels of the nodes; see `nar.traces.values_by_node`."""
        return values_by_node(self.outputs, name, self.nodes)

    def _repr_html_(self) -> str:
        return arrays_table(
            f"Prediction in {self.steps} steps", {"outputs": self.outputs, "hints": self.hints}
        )


MAX_PROGRAMS = 64
"""Compiled programs that a predictor keeps at once: users ask about any sizes."""


class Predictor:
    """Inference on one problem at a time.

    It compiles once per algorithm, size and bucket of the number of steps (15, 31, 63, ...), and keeps a
    limited number of programs (`MAX_PROGRAMS`).
    """

    def __init__(
        self,
        model: Model,
        params: Params,
        transforms: Transforms | None = None,
        ranges: InputRanges | None = None,
    ) -> None:
        """Sets up the predictor; compilation happens on the first call for each algorithm, size and bucket.

        Args:
          model: the network.
          params: its parameters.
          transforms: those used in training; by default all.
          ranges: ranges of the numbers in training. Without them, numbers are neither changed nor checked.
        """
        self._ranges: InputRanges = ranges or {}
        self._params = jax.device_put(params, Devices.one().replicated)
        self._transforms = transforms or Transforms()
        options: dict[str, Any] = {"capture": "states", "max_programs": MAX_PROGRAMS}
        self._inference = self._fixed_steps = Inference(model, self._transforms, 1, **options)
        if not isinstance(model.config.termination, FromTrace):
            # The same network, for calls that fix the number of steps.
            self._fixed_steps = Inference(model, self._transforms, 1, true_lengths=True, **options)

    @property
    def names(self) -> list[str]:
        """Names of the algorithms that the network supports."""
        return list(self._inference.model.specs)

    def __call__(
        self,
        name: str | Algorithm,
        /,
        *arguments: Any,
        num_steps: int | None = None,
        scale_inputs: bool = True,
        **named_arguments: Any,
    ) -> Prediction:
        """Predicts the outputs and hints of an algorithm.

        Numbers outside of the range of training are changed to be inside if that provably leaves the answer
        of the algorithm as it is (`nar.problems.scaling`), and otherwise get an `OutOfRangeWarning`. Sizes
        may be any.

        The network gets the inputs and the initial hints, which are a function of the inputs. The number of
        steps is `num_steps` or else follows from `model.config.termination`. Only termination by the trace
        (`FromTrace`) runs the algorithm itself, and uses only the length of its trace.

        Args:
          name: an algorithm that the network supports, or its name.
          *arguments: positional arguments of the problem, in any form that `nar.run_algorithm` accepts.
          **named_arguments: named arguments of the problem.
          num_steps: the number of processor steps.
          scale_inputs: whether numbers may be changed.

        Raises:
          ValueError: if the network does not support the algorithm, if an argument is invalid, or if it is so
            large that the network's predictions are not numbers.
        """
        algorithm = find_algorithm(name)
        if algorithm.name not in self._inference.model.specs:
            raise ValueError(
                f"this network does not support {algorithm.name!r}; known: {', '.join(self.names)}"
                + did_you_mean(algorithm.name, self.names)
            )
        if num_steps is not None and (type(num_steps) is not int or not 1 <= num_steps <= MAX_STEPS):
            raise ValueError(f"num_steps must be an integer from 1 to {MAX_STEPS}, got {num_steps!r:.40}")
        try:
            instance = algorithm.problem.read(*arguments, **named_arguments)
        except ValueError as error:
            raise ValueError(f"{algorithm.name}: {error}") from None
        scaled = scale_arguments(algorithm, instance.arguments, self._ranges, may_change=scale_inputs)
        for message in scaled.warnings:
            warnings.warn(message, OutOfRangeWarning, stacklevel=2)
        batch = self._transforms.apply(algorithm, record_first_step(algorithm, [scaled.arguments]))
        if num_steps is None and isinstance(self._inference.model.config.termination, FromTrace):
            num_steps = max(1, int(collect(algorithm, [scaled.arguments]).lengths[0]) - 1)
        inference = self._inference
        if num_steps is not None:
            self._check_memory(algorithm.name, batch, num_steps)
            batch = dataclasses.replace(batch, lengths=np.array([num_steps + 1], np.int32))
            inference = self._fixed_steps
        result = inference.run_transformed(self._params, algorithm.name, batch)
        if result.has_nan is not None and result.has_nan.any():
            raise ValueError(
                f"{algorithm.name}: the network's predictions are not numbers (NaN), as after an overflow: "
                "use inputs of the magnitude of those in training"
            )
        outputs = {p.name: result.outputs[p.name][0].astype(p.dtype) for p in algorithm.spec.outputs}
        outputs, hints = scaled.unscale(outputs), scaled.unscale(result.trace(0).hints)
        assert result.states is not None
        steps, states = int(result.steps[0]), result.states[:, 0]
        return Prediction(outputs, hints, steps, states, instance.nodes, scaled.change)

    def _check_memory(self, name: str, batch: TraceBatch, num_steps: int) -> None:
        """Raises ValueError if this machine has too little memory for predictions of that many steps."""
        size = max(value.shape[1] for value in batch.inputs.values() if value.ndim > 1)
        needed = traces_bytes(self._inference.model.specs[name], size, 1, num_steps)
        if needed > memory_size():
            raise ValueError(
                f"{name}: num_steps {num_steps} needs at least {needed / 2**30:,.0f} GiB for {size} nodes, "
                f"and this machine has {memory_size() / 2**30:,.0f}"
            )
