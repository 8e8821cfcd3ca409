"""What a network does with traces of any size: its outputs, and hints and states of each step."""

import dataclasses
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from nar.algorithms import find_algorithm
from nar.data import Transforms, bucket_length, pad_batch, take
from nar.evaluation.compiler_options import options_for
from nar.evaluation.scores import decode_outputs, decode_hint
from nar.model import FromTrace, Model, Params, Predictions, make_model, make_recorder
from nar.traces import Trace, TraceBatch
from nar.training import Devices

KINDS = ("outputs", "hints", "states")
"""What is observed: outputs alone; hints of each step too, in more memory; hidden states too."""

PAIRS_IN_CACHE = 2**12
"""Pairs of nodes that a CPU predicts at once: more do not fit its caches, and take longer."""


@dataclasses.dataclass(frozen=True)
class InferenceResult:
    """What was seen.

    Attributes:
      batch: what was predicted, after transforms.
      outputs: decided, by name, as a trace holds them: [B, ...].
      steps: [B], how many steps were taken.
      hints: decided, by name, [S, B, ...]: entry t predicts the hints of step t + 1. S is the largest number
        of steps; behind a sample's own steps they mean nothing. Empty if they were not asked for, or the
        network does not decode them.
      states: [S, B, N, H], behind the processor at each step; None if they were not asked for.
    """

    batch: TraceBatch
    outputs: dict[str, np.ndarray]
    steps: np.ndarray
    hints: dict[str, np.ndarray]
    states: np.ndarray | None

    def trace(self, index: int) -> Trace:
        """What was predicted for one sample, as a trace: its first hints were given, the others predicted.

        Hints that the network does not decode are not in it.
        """
        steps = self.steps[index]
        return Trace(
            inputs={name: value[index] for name, value in self.batch.inputs.items()},
            hints={
                name: np.concatenate([self.batch.hints[name][:1, index], value[:steps, index]])
                for name, value in self.hints.items()
            },
            outputs={name: value[index] for name, value in self.outputs.items()},
        )


class Inference:
    """Looks at a network; it compiles once for each algorithm, size and bucket of lengths.

    Attributes:
      show_progress: whether a bar shows the time left.
    """

    def __init__(
        self,
        model: Model,
        transforms: Transforms,
        batch_size: int = 32,
        devices: Devices | None = None,
        *,
        kind: str = "outputs",
        true_lengths: bool = False,
        show_progress: bool = False,
    ) -> None:
        """Compiles nothing yet.

        Args:
          model: the network.
          transforms: those that it is trained with.
          batch_size: how many traces are predicted at once, at most: on a CPU not more than fit its caches.
            Rounded up to a multiple of the devices.
          devices: where to predict; by default on one. If they belong to several processes, all of them ask
            for the same and get the same.
          kind: what is observed, one of `KINDS`.
          true_lengths: whether it takes as many steps as the algorithm did, whatever its own rule.
          show_progress: whether a bar shows the time left.

        Raises:
          ValueError: if the kind is unknown.
        """
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
        if true_lengths:
            model = make_model(dataclasses.replace(model.config, termination=FromTrace()), model.specs)
        self._model, self._transforms, self._kind = model, transforms, kind
        self._devices = devices or Devices.one()
        self._batch_size = batch_size
        self.show_progress = show_progress
        record = make_recorder(model)

        def predict(params: Params, task: str, batch: TraceBatch, num_steps: int | None) -> tuple[Any, ...]:
            if kind == "states":
                predictions, states = record(params, task, batch, num_steps)
            else:
                predictions, states = model.apply(params, None, task, batch, False, num_steps), None
            hints = {} if kind == "outputs" else predictions.hints
            return Predictions(predictions.outputs, hints, {}, predictions.steps), states

        self._predict = jax.jit(
            predict,
            static_argnums=(1, 3),
            out_shardings=self._devices.replicated,
            compiler_options=options_for(self._devices.platform),
        )

    @property
    def num_programs(self) -> int:
        """How many shapes of batches it has compiled for."""
        return self._predict._cache_size()  # pyright: ignore[reportAttributeAccessIssue]

    def run(self, params: Params, task: str, traces: TraceBatch) -> InferenceResult:
        """Looks at the network at work.

        Args:
          params: of the network.
          task: name of the algorithm.
          traces: raw ones, as `nar.traces` makes them.
        """
        return self.run_transformed(params, task, self._transforms.apply(find_algorithm(task), traces))

    def run_transformed(self, params: Params, task: str, batch: TraceBatch) -> InferenceResult:
        """The same, with traces after transforms."""
        params = jax.device_put(params, self._devices.replicated)
        at_once, num_steps = self._at_once(batch), self._num_steps(batch)
        starts = range(0, batch.batch_size, at_once)
        parts = [
            self._run(params, task, take(batch, slice(start, start + at_once)), at_once, num_steps)
            for start in tqdm(starts, f"scoring {task}", leave=False, disable=not self.show_progress)
        ]
        longest = max(len(part.states if part.states is not None else _first(part.hints)) for part in parts)
        return InferenceResult(
            batch=batch,
            outputs={
                name: np.concatenate([part.outputs[name] for part in parts]) for name in parts[0].outputs
            },
            steps=np.concatenate([part.steps for part in parts]),
            hints={name: _joined([part.hints[name] for part in parts], longest) for name in parts[0].hints},
            states=None
            if parts[0].states is None
            else _joined([part.states for part in parts if part.states is not None], longest),
        )

    def _at_once(self, batch: TraceBatch) -> int:
        most = self._batch_size
        if self._devices.platform == "cpu":
            most = min(most, max(1, PAIRS_IN_CACHE // batch.inputs["pos"].shape[1] ** 2))
        return self._devices.round_up(most)

    def _num_steps(self, batch: TraceBatch) -> int | None:
        """The same for all parts of a batch, so that they share a program; unneeded steps are skipped."""
        if isinstance(self._model.config.termination, FromTrace):
            return max(1, bucket_length(batch.num_steps) - 1)
        return None

    def _run(
        self, params: Params, task: str, part: TraceBatch, at_once: int, num_steps: int | None
    ) -> InferenceResult:
        spec, real = self._model.specs[task], part.batch_size
        predictions, states = self._predictions(params, task, pad_batch(part, at_once), num_steps)
        steps = np.asarray(predictions.steps)[:real]
        hints = {
            probe.name: decode_hint(probe, predictions.hints[probe.name])[: steps.max(), :real]
            for probe in spec.hints
            if probe.name in predictions.hints
        }
        return InferenceResult(
            batch=part,
            outputs={name: value[:real] for name, value in decode_outputs(spec, predictions.outputs).items()},
            steps=steps,
            hints=hints,
            states=None if states is None else np.asarray(states, np.float32)[: steps.max(), :real],
        )

    def _predictions(
        self, params: Params, task: str, batch: TraceBatch, num_steps: int | None
    ) -> tuple[Predictions, Any]:
        # Of the hints, the network sees the first only.
        first = {name: value[:1] for name, value in batch.hints.items()}
        batch = dataclasses.replace(batch, hints=first, outputs={})
        share = self._devices.put_batch(take(batch, self._devices.share(batch.batch_size)))
        predicted = self._predict(params, task, share, num_steps)
        return jax.tree.map(lambda value: value.addressable_data(0), predicted)


def _first(values: dict[str, np.ndarray]) -> np.ndarray:
    return next(iter(values.values()), np.zeros(0))


def _joined(parts: list[np.ndarray], longest: int) -> np.ndarray:
    """Arrays [S, B, ...] along the second axis, with zeros behind those of fewer steps."""
    padded = [np.pad(part, [(0, longest - len(part))] + [(0, 0)] * (part.ndim - 1)) for part in parts]
    return np.concatenate(padded, axis=1)
