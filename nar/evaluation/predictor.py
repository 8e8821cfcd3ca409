"""Predictions for a single problem: inputs in; decoded outputs, hints and states out. No labels needed.

predict = Predictor(model, params)
prediction = predict("bfs", A=[(0, 1), (1, 2)], s=0)
prediction.outputs["pi"], prediction.hints["reach_h"], prediction.steps, prediction.states
predictions = predict.many("bfs", [{"A": [(0, 1), (1, 2)], "s": 0}, {"A": [(0, 1)], "s": 1}])
"""

import dataclasses
import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.data import Transforms, pad_nodes, pad_steps
from nar.data.padding import count_node_axes
from nar.evaluation.inference import Inference, InferenceResult
from nar.evaluation.scaled_inputs import InputRanges, OutOfRangeWarning, ScaledInputs, scale_arguments
from nar.machine import memory_size
from nar.model import FromTrace, Model, Params
from nar.plugins import did_you_mean
from nar.problems.large_graphs import EdgeList
from nar.problems.scaling import Change
from nar.rich_display import arrays_table
from nar.specs import Spec
from nar.traces import Probes, TraceBatch, concatenate, record_first_step, values_by_node
from nar.traces.list_traces import record_in_layout, runs_on_lists
from nar.traces.memory import traces_bytes
from nar.traces.neighbors import check_slots_memory
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
      answers: hard-decoded answers by name, [steps, ...], of algorithms that have any.
      nodes: label of each node, as in `nar.traces.Trace`.
      change: how the numbers of the problem were changed for the network, which does not change the answer;
        None if they were not. Scalar outputs and hints are in the units of the problem.
    """

    outputs: Probes
    hints: Probes
    steps: int
    states: np.ndarray
    answers: Probes = dataclasses.field(default_factory=dict)
    nodes: tuple[Hashable, ...] | None = None
    change: Change | None = None

    def by_node(self, name: str) -> dict[Any, Any]:
        """An output by the labels of the nodes; see `nar.traces.values_by_node`."""
        return values_by_node(self.outputs, name, self.nodes)

    def _repr_html_(self) -> str:
        answers = {"answers": self.answers} if self.answers else {}
        return arrays_table(
            f"Prediction in {self.steps} steps", {"outputs": self.outputs, **answers, "hints": self.hints}
        )


MAX_PROGRAMS = 64
"""Compiled programs that a predictor keeps at once: users ask about any sizes."""


NODE_BUCKET = 8
"""Numbers of nodes that `Predictor.many` pads to are multiples of this."""

BATCH_SIZE = 32
"""Problems that `Predictor.many` predicts at once, at most."""

Problem = Mapping[str, Any] | Sequence[Any]
"""The arguments of a problem: named ones as a mapping, or positional ones as a sequence."""


@dataclasses.dataclass(frozen=True)
class _Question:
    """A problem that was read, as the network gets it, and the labels of its nodes."""

    inputs: ScaledInputs
    nodes: tuple[Hashable, ...] | None

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the arguments; that of an `EdgeList` is its number of nodes."""
        return tuple(
            (argument.num_nodes,) if isinstance(argument, EdgeList) else np.shape(argument)
            for argument in self.inputs.arguments
        )


class Predictor:
    """Inference on problems without labels.

    Calling it predicts one problem; it compiles once per algorithm, size and bucket of the number of steps
    (15, 31, 63, ...). `many` predicts problems in batches, and compiles once per bucket of sizes and steps. A
    limited number of programs is kept (`MAX_PROGRAMS`).
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
        self._model, self._transforms = model, transforms or Transforms()
        self._params = jax.device_put(params, Devices.one().replicated)
        self._inferences: dict[tuple[int, bool], Inference] = {}

    def _inference(self, batch_size: int, true_lengths: bool) -> Inference:
        """The same network in batches of a size, perhaps for calls that fix the number of steps."""
        key = (batch_size, true_lengths)
        if key not in self._inferences:
            self._inferences[key] = Inference(
                self._model,
                self._transforms,
                batch_size,
                capture="states",
                true_lengths=true_lengths,
                max_programs=MAX_PROGRAMS,
            )
        return self._inferences[key]

    @property
    def num_programs(self) -> int:
        """The number of compiled programs."""
        return sum(inference.num_programs for inference in self._inferences.values())

    @property
    def names(self) -> list[str]:
        """Names of the algorithms that the network supports."""
        return list(self._model.specs)

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
        (`FromTrace`) runs the algorithm itself, and uses only the length of its trace and its streams, if
        there are any; `num_steps` must not exceed their length.

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
        algorithm = self._find(name, num_steps)
        question = self._read(algorithm, arguments, named_arguments, scale_inputs)
        for message in question.inputs.warnings:
            warnings.warn(message, OutOfRangeWarning, stacklevel=2)
        batch = self._first_steps(algorithm, [question], num_steps)
        return self._predict(algorithm, [question], batch, num_steps, batch_size=1)[0]

    def many(
        self,
        name: str | Algorithm,
        problems: Iterable[Problem],
        /,
        *,
        num_steps: int | None = None,
        scale_inputs: bool = True,
    ) -> list[Prediction]:
        """Predicts many problems of one algorithm, of any sizes, in batches.

        Problems are padded with isolated nodes to the next multiple of `NODE_BUCKET` nodes, so that those of
        similar sizes share a batch and a compiled program. The answers are those of single calls, up to
        rounding. Networks on neighbor lists are not padded: only problems of one size share a batch.

        Args:
          name: an algorithm that the network supports, or its name.
          problems: the arguments of each problem, a mapping of named ones or a sequence of positional ones.
          num_steps: the number of processor steps; see `__call__`.
          scale_inputs: whether numbers may be changed.

        Returns:
          A prediction for each problem, in order.

        Raises:
          ValueError: as `__call__` does, with the index of the problem. All problems are read before any is
            predicted.
        """
        algorithm = self._find(name, num_steps)
        questions = [self._read_at(index, algorithm, one, scale_inputs) for index, one in enumerate(problems)]
        for message in dict.fromkeys(text for one in questions for text in one.inputs.warnings):
            warnings.warn(message, OutOfRangeWarning, stacklevel=2)
        predictions: dict[int, Prediction] = {}
        for indices, batch in self._padded_batches(algorithm, questions, num_steps):
            asked = [questions[index] for index in indices]
            answers = self._predict(algorithm, asked, batch, num_steps, BATCH_SIZE, indices)
            predictions.update(zip(indices, answers, strict=True))
        return [predictions[index] for index in range(len(questions))]

    def _find(self, name: str | Algorithm, num_steps: int | None) -> Algorithm:
        """The algorithm; raises ValueError if the network does not support it, or for invalid steps."""
        algorithm = find_algorithm(name)
        if algorithm.name not in self._model.specs:
            raise ValueError(
                f"this network does not support {algorithm.name!r}; known: {', '.join(self.names)}"
                + did_you_mean(algorithm.name, self.names)
            )
        if num_steps is not None and (type(num_steps) is not int or not 1 <= num_steps <= MAX_STEPS):
            raise ValueError(f"num_steps must be an integer from 1 to {MAX_STEPS}, got {num_steps!r:.40}")
        return algorithm

    def _read(
        self,
        algorithm: Algorithm,
        arguments: Sequence[Any],
        named_arguments: Mapping[str, Any],
        scale_inputs: bool,
    ) -> _Question:
        read = algorithm.problem.read_edges if self._reads_edges(algorithm) else algorithm.problem.read
        try:
            instance = read(*arguments, **named_arguments)
        except ValueError as error:
            raise ValueError(f"{algorithm.name}: {error}") from None
        inputs = scale_arguments(algorithm, instance.arguments, self._ranges, may_change=scale_inputs)
        return _Question(inputs, instance.nodes)

    def _reads_edges(self, algorithm: Algorithm) -> bool:
        """True if graphs are read, and the algorithm runs, without an array of N² entries."""
        return self._transforms.neighbor_lists and runs_on_lists(algorithm)

    def _read_at(self, index: int, algorithm: Algorithm, problem: Problem, scale_inputs: bool) -> _Question:
        is_named = isinstance(problem, Mapping)
        if not is_named and (isinstance(problem, str) or not isinstance(problem, Sequence)):
            raise ValueError(
                f"problem {index} must be a mapping of named arguments or a sequence of positional ones, "
                f"got {type(problem).__name__}"
            )
        try:
            return self._read(
                algorithm, () if is_named else problem, problem if is_named else {}, scale_inputs
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"problem {index}: {error}") from None

    def _first_steps(
        self, algorithm: Algorithm, questions: Sequence[_Question], num_steps: int | None
    ) -> TraceBatch:
        """Inputs, streams and initial hints of problems of one shape; lengths are those of the rollout."""
        instances = [question.inputs.arguments for question in questions]
        if algorithm.spec.streams:
            traces = record_in_layout(algorithm, instances)
            shortest = int(traces.lengths.min()) - 1
            if num_steps is not None and num_steps > shortest:
                raise ValueError(
                    f"{algorithm.name}: num_steps must be at most {shortest}, the length of its stream "
                    f"{algorithm.spec.streams[0].name!r}, got {num_steps}"
                )
            lengths = (
                traces.lengths if num_steps is None else np.full(len(instances), num_steps + 1, np.int32)
            )
            return self._transforms.apply(algorithm, dataclasses.replace(traces, lengths=lengths, outputs={}))
        first_step = record_in_layout(algorithm, instances, record_first_step)
        batch = self._transforms.apply(algorithm, first_step)
        if num_steps is not None:
            lengths = np.full(len(instances), num_steps + 1, np.int32)
        elif isinstance(self._model.config.termination, FromTrace):
            lengths = np.maximum(record_in_layout(algorithm, instances).lengths, 2)
        else:
            return batch
        return dataclasses.replace(batch, lengths=lengths)

    def _padded_batches(
        self, algorithm: Algorithm, questions: Sequence[_Question], num_steps: int | None
    ) -> list[tuple[list[int], TraceBatch]]:
        """Batches of problems, each with the indices of its problems."""
        by_shapes: dict[Any, list[int]] = {}
        for index, question in enumerate(questions):
            by_shapes.setdefault(question.shapes, []).append(index)
        spec = self._model.specs[algorithm.name]
        by_bucket: dict[Any, list[tuple[list[int], TraceBatch]]] = {}
        for shapes, indices in by_shapes.items():
            batch = self._first_steps(algorithm, [questions[index] for index in indices], num_steps)
            key: Any = shapes
            if batch.neighbors is None:
                key = -(-batch.inputs["pos"].shape[1] // NODE_BUCKET) * NODE_BUCKET
                batch = pad_nodes(batch, spec, key)
            by_bucket.setdefault(key, []).append((indices, batch))
        return [
            (
                [index for indices, _ in bucket for index in indices],
                concatenate(_equally_long([batch for _, batch in bucket])),
            )
            for bucket in by_bucket.values()
        ]

    def _predict(
        self,
        algorithm: Algorithm,
        questions: Sequence[_Question],
        batch: TraceBatch,
        num_steps: int | None,
        batch_size: int,
        indices: Sequence[int] = (),
    ) -> list[Prediction]:
        is_fixed = num_steps is not None and not isinstance(self._model.config.termination, FromTrace)
        if num_steps is not None or isinstance(self._model.config.termination, FromTrace):
            self._check_memory(algorithm.name, batch, int(batch.lengths.max()) - 1)
        if batch.neighbors is not None:
            config = self._model.config
            slot_bytes = config.hidden_size * np.dtype(config.compute_dtype).itemsize
            check_slots_memory(batch.neighbors.index.shape, slot_bytes)
        inference = self._inference(batch_size, is_fixed)
        result = inference.run_transformed(self._params, algorithm.name, batch)
        if result.has_nan is not None and result.has_nan.any():
            place = f"problem {indices[int(result.has_nan.argmax())]}: " if indices else ""
            raise ValueError(
                f"{place}{algorithm.name}: the network's predictions are not numbers (NaN), as after an "
                "overflow: use inputs of the magnitude of those in training"
            )
        return [_prediction(algorithm.spec, result, row, question) for row, question in enumerate(questions)]

    def _check_memory(self, name: str, batch: TraceBatch, num_steps: int) -> None:
        """Raises ValueError if this machine has too little memory for predictions of that many steps."""
        size = max(value.shape[1] for value in batch.inputs.values() if value.ndim > 1)
        if batch.neighbors is None:
            needed = traces_bytes(self._model.specs[name], size, batch.batch_size, num_steps)
        else:
            needed = num_steps * sum(value[0].nbytes for value in batch.hints.values())
        if needed > memory_size():
            raise ValueError(
                f"{name}: num_steps {num_steps} needs at least {needed / 2**30:,.0f} GiB for {size} nodes, "
                f"and this machine has {memory_size() / 2**30:,.0f}"
            )


def _equally_long(batches: Sequence[TraceBatch]) -> list[TraceBatch]:
    """Batches padded to the same number of steps."""
    num_steps = max(batch.num_steps for batch in batches)
    return [pad_steps(batch, num_steps) for batch in batches]


def _prediction(spec: Spec, result: InferenceResult, row: int, question: _Question) -> Prediction:
    """The prediction for one problem of a batch, without padding nodes."""
    assert result.states is not None
    trace, padded, steps = result.trace(row), result.batch.num_nodes, int(result.steps[row])
    num_nodes = None if padded is None else int(padded[row])

    def cut(values: Probes, of: Spec, leading: int) -> Probes:
        return {
            name: value[(slice(None),) * leading + (slice(num_nodes),) * count_node_axes(of[name])]
            for name, value in values.items()
        }

    outputs = {name: trace.outputs[name].astype(spec[name].dtype) for name in (p.name for p in spec.outputs)}
    outputs = question.inputs.unscale(cut(outputs, spec, 0))
    hints = {name: trace.hints[name] for name in result.hints}
    answers = {name: value[:steps, row] for name, value in result.answers.items()}
    hints, answers = (question.inputs.unscale(cut(values, result.spec, 1)) for values in (hints, answers))
    states = result.states[:steps, row, :num_nodes]
    return Prediction(outputs, hints, steps, states, answers, question.nodes, question.inputs.change)
