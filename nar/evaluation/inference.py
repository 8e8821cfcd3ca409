"""Inference on traces of any size: decoded outputs, and optionally hints and hidden states of each step."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from nar.algorithms import find_algorithm
from nar.data import Transforms, bucket_length, pad_batch, take
from nar.evaluation.compiler_options import options_for
from nar.evaluation.correctness.checkers import Instance, instances_of
from nar.evaluation.decoding import decode_hint, decode_outputs, join_permutations
from nar.evaluation.precision import scoring_precision
from nar.model import FromTrace, Model, Params, Predictions, make_model
from nar.plugins import unknown_name
from nar.progress import ProgressBar
from nar.specs import Spec
from nar.traces import Trace, TraceBatch, first_hints
from nar.traces.neighbors import with_pointer_nodes
from nar.training import Devices

CAPTURES = ("outputs", "hints", "states")
"""Levels of capture: outputs only; also the hints of each step (more memory); also the hidden states."""

MAX_CPU_NODE_PAIRS = 2**12
"""Node pairs in one CPU batch, at most: one instance at n = 64.

Larger batches do not fit the caches: those of 4 and 16 instances take no less CPU time per instance
(triplet_gmpnn and gmpnn of 128 features, `minimum` and `binary_search`). Hints that are neither fed back nor
captured cost nothing, since jit removes what no output of the program needs.
"""


@dataclasses.dataclass(frozen=True)
class InferenceResult:
    """Decoded predictions of a network for one batch.

    Attributes:
      task: name of the algorithm.
      spec: its spec after transforms.
      batch: the batch, after transforms: inputs, true outputs and hints, lengths. Of the hints only the first
        step is there, unless hints were captured.
      outputs: hard-decoded outputs by name, in the format of a trace: [B, ...].
      steps: [B], the number of processor steps of each sample.
      hints: hard-decoded hints by name, [S, B, ...]: entry t predicts the hints of step t + 1. S is the
        largest number of steps; entries after a sample's last step are meaningless. Empty if hints were not
        captured or the network does not decode them.
      answers: hard-decoded answers by name, [S, B, ...]: entry t predicts the answers of step t + 1.
      states: hidden states of the nodes, [S, B, N, H], after the processor at each step; None if they were
        not captured.
      has_nan: [B], whether any output of a sample was NaN before it was decoded; None if that is unknown.
    """

    task: str
    spec: Spec
    batch: TraceBatch
    outputs: dict[str, np.ndarray]
    steps: np.ndarray
    hints: dict[str, np.ndarray]
    states: np.ndarray | None
    has_nan: np.ndarray | None = None
    answers: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def step_entries(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The values of a hint or answer at all steps that both trace and rollout have, of all samples.

        Returns:
          True and predicted values, each [M, ...], and the sample of each, [M]; ordered by sample, then
          by step.
        """
        predicted, truth = {**self.hints, **self.answers}[name], self.batch.hints[name][1:]
        last = np.minimum(self.batch.lengths - 1, self.steps)
        samples, steps = np.nonzero(np.arange(min(len(predicted), len(truth))) < last[:, None])
        return truth[steps, samples], predicted[steps, samples], samples

    def instances(self) -> Iterator[Instance]:
        """Inputs, true and predicted outputs of each sample; answers [steps, ...] are among the outputs."""
        rows = instances_of(self.spec, self.batch.inputs, self.batch.outputs, self.outputs)
        last = np.minimum(self.batch.lengths - 1, self.steps)
        for index, (inputs, truth, predicted) in enumerate(rows):
            steps = slice(0, int(last[index]))
            true_answers = {name: self.batch.hints[name][1:][steps, index] for name in self.answers}
            answers = {name: value[steps, index] for name, value in self.answers.items()}
            yield inputs, {**truth, **true_answers}, {**predicted, **answers}

    @property
    def true_outputs(self) -> dict[str, np.ndarray]:
        """The true outputs by name, in the format of `outputs`."""
        return join_permutations(self.spec, self.batch.outputs)

    def trace(self, index: int) -> Trace:
        """The predictions for one sample as a trace: the first hints are given, the others predicted.

        Hints that the network does not decode are left out; streams are those of the batch.
        """
        steps, given = self.steps[index], self.batch.hints
        predicted = {
            name: np.concatenate([given[name][:1, index], value[:steps, index]])
            for name, value in (*self.hints.items(), *self.answers.items())
        }
        streams = {probe.name: given[probe.name][: steps + 1, index] for probe in self.spec.streams}
        return Trace(
            inputs={name: value[index] for name, value in self.batch.inputs.items()},
            hints=streams | predicted,
            outputs={name: value[index] for name, value in self.outputs.items()},
        )


class Inference:
    """Batched inference with a network, compiled once per algorithm, size and length bucket.

    Matrices are multiplied in full float32 on every platform, unless the network computes in bfloat16.
    Predictions never depend on labels: the network gets the inputs and the initial hints.

    Attributes:
      model: the network.
      keeps_hints: whether true hints of all steps are kept, rather than the first ones only.
      show_progress: whether to show a progress bar.
    """

    def __init__(
        self,
        model: Model,
        transforms: Transforms,
        batch_size: int = 32,
        devices: Devices | None = None,
        *,
        capture: str = "outputs",
        true_lengths: bool = False,
        show_progress: bool = False,
        max_programs: int | None = None,
    ) -> None:
        """Sets up inference; compilation happens on the first batch of each shape.

        Args:
          model: the network.
          transforms: those used in training.
          batch_size: the maximum number of traces per batch; on CPU reduced to what fits the caches. Rounded
            up to a multiple of the number of devices.
          devices: the devices to run on; one by default. With several processes, all of them must make the
            same calls, and all get the same results.
          capture: what to return beyond the outputs, one of `CAPTURES`.
          true_lengths: whether to run as many steps as the algorithm did, overriding the model's termination
            rule.
          show_progress: whether to show a progress bar.
          max_programs: number of compiled programs, of a few megabytes each, at which all are dropped, for
            callers whose shapes have no end; None keeps all.

        Raises:
          ValueError: if `capture` is unknown.
        """
        if capture not in CAPTURES:
            raise ValueError(unknown_name("capture", capture, CAPTURES))
        if true_lengths:
            model = make_model(dataclasses.replace(model.config, termination=FromTrace()), model.specs)
        self.model, self._transforms = model, transforms
        self._devices = devices or Devices.one()
        self._batch_size, self._max_programs = batch_size, max_programs
        self.keeps_hints = capture != "outputs"
        self.show_progress = show_progress

        def predict(params: Params, task: str, batch: TraceBatch, num_steps: int | None) -> tuple[Any, ...]:
            with scoring_precision():
                predictions = model.apply(
                    params, None, task, batch, False, num_steps, return_hidden=capture == "states"
                )
            hints = predictions.hints
            if capture == "outputs":
                hints = {probe.name: hints[probe.name] for probe in model.specs[task].answers}
            return Predictions(predictions.outputs, hints, {}, predictions.steps), predictions.hidden

        self._predict = jax.jit(
            predict,
            static_argnums=(1, 3),
            out_shardings=self._devices.replicated,
            compiler_options=options_for(self._devices.platform),
        )

    @property
    def num_programs(self) -> int:
        """The number of compiled programs, one per batch shape."""
        return self._predict._cache_size()  # pyright: ignore[reportAttributeAccessIssue]

    def run(self, params: Params, task: str, traces: TraceBatch) -> InferenceResult:
        """Predicts raw traces, applying the transforms first.

        Args:
          params: parameters of the network.
          task: name of the algorithm.
          traces: raw traces, as `nar.traces` produces them.
        """
        if not self.keeps_hints:  # The network reads the first hints only, and nobody the others.
            traces = dataclasses.replace(traces, hints=first_hints(find_algorithm(task).spec, traces))
        return self.run_transformed(params, task, self._transforms.apply(find_algorithm(task), traces))

    def run_transformed(self, params: Params, task: str, batch: TraceBatch) -> InferenceResult:
        """Predicts traces to which the transforms were already applied."""
        params = self._on_devices(params)
        size, num_steps = self._micro_batch_size(batch), self._num_steps(batch)
        starts = range(0, batch.batch_size, size)
        results = [
            self._run(params, task, take(batch, slice(start, start + size)), size, num_steps)
            for start in ProgressBar(starts, f"scoring {task}", leave=False, disable=not self.show_progress)
        ]
        longest = max(int(one.steps.max()) for one in results)

        def joined(of_each: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
            return {
                name: _pad_and_concatenate([one[name] for one in of_each], longest) for name in of_each[0]
            }

        result = InferenceResult(
            task=task,
            spec=self.model.specs[task],
            batch=batch,
            outputs={
                name: np.concatenate([one.outputs[name] for one in results]) for name in results[0].outputs
            },
            steps=np.concatenate([one.steps for one in results]),
            hints=joined([one.hints for one in results]),
            answers=joined([one.answers for one in results]),
            states=None
            if results[0].states is None
            else _pad_and_concatenate([one.states for one in results if one.states is not None], longest),
            has_nan=np.concatenate([one.has_nan for one in results if one.has_nan is not None]),
        )
        return self._with_nodes(result)

    def _with_nodes(self, result: InferenceResult) -> InferenceResult:
        """The result with nodes as the values of pointers, rather than the slots of neighbor lists."""
        neighbors, spec = result.batch.neighbors, result.spec
        if neighbors is None:
            return result
        batch = dataclasses.replace(
            result.batch,
            hints=with_pointer_nodes(result.batch.hints, spec, neighbors),
            outputs=with_pointer_nodes(result.batch.outputs, spec, neighbors),
        )
        return dataclasses.replace(
            result,
            batch=batch,
            outputs=with_pointer_nodes(result.outputs, spec, neighbors),
            hints=with_pointer_nodes(result.hints, spec, neighbors),
        )

    def _on_devices(self, params: Params) -> Params:
        """Replicates parameters, unless they are in place: checking is faster than another `device_put`."""
        sharding = self._devices.replicated
        in_place = all(getattr(leaf, "sharding", None) == sharding for leaf in jax.tree.leaves(params))
        return params if in_place else jax.device_put(params, sharding)

    def _micro_batch_size(self, batch: TraceBatch) -> int:
        size = self._batch_size
        if self._devices.platform == "cpu":
            num_nodes = batch.inputs["pos"].shape[1]
            per_node = num_nodes if batch.neighbors is None else batch.neighbors.index.shape[2]
            size = min(size, max(1, MAX_CPU_NODE_PAIRS // (num_nodes * per_node)))
        return self._devices.round_up(size)

    def _num_steps(self, batch: TraceBatch) -> int | None:
        """Scan length, the same for all micro-batches so they share a program; surplus steps are skipped."""
        if isinstance(self.model.config.termination, FromTrace):
            return max(1, bucket_length(int(batch.lengths.max())) - 1)
        return None

    def _run(
        self, params: Params, task: str, micro_batch: TraceBatch, padded_size: int, num_steps: int | None
    ) -> InferenceResult:
        spec, count = self.model.specs[task], micro_batch.batch_size
        predictions, states = self._predictions(params, task, pad_batch(micro_batch, padded_size), num_steps)
        steps = np.asarray(predictions.steps)[:count]
        hints, answers = (
            {
                probe.name: decode_hint(probe, predictions.hints[probe.name])[: steps.max(), :count]
                for probe in probes
                if probe.name in predictions.hints
            }
            for probes in (spec.hints, spec.answers)
        )
        return InferenceResult(
            task=task,
            spec=spec,
            batch=micro_batch,
            outputs={
                name: value[:count] for name, value in decode_outputs(spec, predictions.outputs).items()
            },
            steps=steps,
            has_nan=_has_nan(
                predictions.outputs,
                {name: predictions.hints[name] for name in answers},
                np.asarray(predictions.steps),
            )[:count],
            hints=hints,
            answers=answers,
            states=None if states is None else np.asarray(states, np.float32)[: steps.max(), :count],
        )

    def _predictions(
        self, params: Params, task: str, batch: TraceBatch, num_steps: int | None
    ) -> tuple[Predictions, Any]:
        # The network sees the initial hints and streams only.
        spec = self.model.specs[task]
        given = {probe.name: batch.hints[probe.name][:1] for probe in spec.hints}
        given |= {probe.name: _pad_steps(batch.hints[probe.name], num_steps) for probe in spec.streams}
        batch = dataclasses.replace(batch, hints=given, outputs={})
        if self._devices.mesh.size > 1:
            batch = self._devices.put_batch(take(batch, self._devices.process_slice(batch.batch_size)))
        if self._max_programs is not None and self.num_programs >= self._max_programs:
            self._predict.clear_cache()  # pyright: ignore[reportAttributeAccessIssue]
        predicted = self._predict(params, task, batch, num_steps)
        return jax.tree.map(lambda value: value.addressable_data(0), predicted)


def _has_nan(outputs: Mapping[str, Any], answers: Mapping[str, Any], steps: np.ndarray) -> np.ndarray:
    """Samples [B] for which any output, or any answer before the end, is NaN."""
    masks = [np.isnan(value).reshape(len(value), -1).any(axis=1) for value in outputs.values()]
    for value in answers.values():
        by_step = np.isnan(value).reshape(*value.shape[:2], -1).any(axis=2)
        masks.append((by_step & (np.arange(len(value))[:, None] < steps)).any(axis=0))
    return np.any(masks, axis=0)


def _pad_steps(value: np.ndarray, num_steps: int | None) -> np.ndarray:
    """A stream [T, B, ...] with a value, perhaps 0, for each of `num_steps` steps of the network."""
    assert num_steps is not None  # Streams determine the number of steps.
    missing = num_steps + 1 - len(value)
    return np.pad(value[: num_steps + 1], [(0, max(0, missing))] + [(0, 0)] * (value.ndim - 1))


def _pad_and_concatenate(arrays: list[np.ndarray], num_steps: int) -> np.ndarray:
    """Concatenates arrays [S, B, ...] along the batch axis, zero-padding each to the same number of steps."""
    padded = [np.pad(one, [(0, num_steps - len(one))] + [(0, 0)] * (one.ndim - 1)) for one in arrays]
    return np.concatenate(padded, axis=1)
