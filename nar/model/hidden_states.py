"""A rollout that also keeps the hidden states of every step, for whoever looks into a network."""

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from nar.model.model import Model
from nar.model.rollout import Predictions, unroll
from nar.model.step import Carry, Step, StepOutput
from nar.traces import TraceBatch

Array = jax.Array


class _RecordedStep(NamedTuple):
    """What a step leaves behind, and its states."""

    outcome: StepOutput
    hidden: Array


class _RecordingStep:
    """A step that keeps its states."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self.remat = False
        self.zero_outcome = _RecordedStep(step.zero_outcome, jnp.zeros_like(step.start().hidden))

    def advance(self, carry: Carry, index: Array) -> tuple[Carry, _RecordedStep]:
        new, outcome = self._step.advance(carry, index)
        return new, _RecordedStep(outcome, new.hidden)


def make_recorder(model: Model) -> Callable[..., tuple[Predictions, Array]]:
    """A function of the arguments of `model.apply`, but for a key, in evaluation.

    Args:
      model: whose parameters it takes.

    Returns:
      `(params, task, batch, num_steps=None) -> (predictions, hidden)`: what `model.apply` predicts, and
      [S, B, N, H], the states behind the processor at each step. Behind a sample's own steps they mean
      nothing.
    """

    def forward(task: str, batch: TraceBatch, num_steps: int | None) -> tuple[Predictions, Array]:
        spec = model.specs[task]
        step = Step(model.config, task, spec, batch, False, 0)
        indices = jnp.arange(step.max_steps if num_steps is None else num_steps)
        final, kept = unroll(_RecordingStep(step), step.start(), indices)
        losses = {name: value.sum() / final.steps.sum() for name, value in kept.outcome.losses.items()}
        outputs = step.decoders(spec.outputs, step.decoder_inputs(final.last_decoder_inputs))
        return Predictions(outputs, kept.outcome.hints, losses, final.steps), kept.hidden

    transformed = hk.transform(forward)

    def record(
        params: Any, task: str, batch: TraceBatch, num_steps: int | None = None
    ) -> tuple[Predictions, Array]:
        return transformed.apply(params, None, task, batch, num_steps)

    return record
