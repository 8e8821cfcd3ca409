"""A rollout that also returns the hidden states of every step, for analysis."""

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
    """Output and hidden states of a step."""

    output: StepOutput
    hidden: Array


class _RecordingStep:
    """A step that also outputs its hidden states."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self.remat = False
        self.zero_output = _RecordedStep(step.zero_output, jnp.zeros_like(step.initial_carry().hidden))

    def advance(self, carry: Carry, index: Array) -> tuple[Carry, _RecordedStep]:
        new, output = self._step.advance(carry, index)
        return new, _RecordedStep(output, new.hidden)


def make_recorder(model: Model) -> Callable[..., tuple[Predictions, Array]]:
    """Makes an evaluation function that returns hidden states along with predictions.

    Args:
      model: network whose parameters the function takes.

    Returns:
      `(params, task, batch, num_steps=None) -> (predictions, hidden)`: the predictions of `model.apply`, and
      the hidden states after the processor at each step, [S, B, N, H]. Entries after a sample's last step
      are undefined.
    """

    def forward(task: str, batch: TraceBatch, num_steps: int | None) -> tuple[Predictions, Array]:
        spec = model.specs[task]
        step = Step(model.config, task, spec, batch, False, 0)
        indices = jnp.arange(step.max_steps if num_steps is None else num_steps)
        final, recorded = unroll(_RecordingStep(step), step.initial_carry(), indices)
        losses = {name: value.sum() / final.steps.sum() for name, value in recorded.output.losses.items()}
        outputs = step.decoders(spec.outputs, step.decoder_inputs(final.last_decoder_inputs))
        return Predictions(outputs, recorded.output.hints, losses, final.steps), recorded.hidden

    transformed = hk.transform(forward)

    def record(
        params: Any, task: str, batch: TraceBatch, num_steps: int | None = None
    ) -> tuple[Predictions, Array]:
        return transformed.apply(params, None, task, batch, num_steps)

    return record
