"""The rollout: encode, process, decode, feed the predicted hints back, step after step.

One body serves all steps: the first step is fed the true first hints, which are a function of the inputs, in
the form in which predictions are fed back later. Outputs are decoded once, after the last step, from what
each sample's own last step left behind.
"""

import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp

from nar.model.config import NetConfig
from nar.model.step import Carry, Outcome, Step, keep
from nar.model.values import Values
from nar.specs import Spec
from nar.traces import TraceBatch

Array = jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a network predicts for a batch.

    Attributes:
      outputs: logits by name, [B, ...].
      hints: logits by name, [T-1, B, ...]: entry t predicts the hints of step t + 1; empty if hints are not
        decoded.
      losses: auxiliary losses of the processor by name, scalars: means over samples and their own steps.
    """

    outputs: Values
    hints: Values
    losses: Values


def rollout(
    config: NetConfig,
    task: str,
    spec: Spec,
    batch: TraceBatch,
    is_training: bool,
    num_steps: int | None = None,
    training_step: Array | int = 0,
) -> Predictions:
    """Predictions of a batch, to be called inside a Haiku transform.

    Without teacher forcing nothing of `batch` is read but inputs, first hints and lengths.

    Args:
      config: what the network is made of.
      task: name of the algorithm; parameters of encoders and decoders are named by it.
      spec: of the batch, after transforms.
      batch: what to predict.
      is_training: whether there is noise in permutations and teacher forcing.
      num_steps: how many steps to take; by default one less than the batch holds, at least one.
      training_step: how many steps of training came before, for what changes over training.
    """
    step = Step(config, task, spec, batch, is_training, training_step)
    num_steps = max(1, batch.num_steps - 1) if num_steps is None else num_steps
    longest = jnp.maximum(batch.lengths.max() - 1, 1)
    start = step.start()
    _, *shapes = hk.eval_shape(step.advance, start, jnp.zeros((), jnp.int32))
    nothing_seen, no_outcome = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)

    def advance(carry: Carry, index: Array) -> tuple[Carry, Outcome]:
        new, seen, (logits, losses) = step.advance(carry, index)
        running = (batch.lengths > index + 1) | (index == 0)
        counted = {name: jnp.where(running, value, 0) for name, value in losses.items()}
        return new._replace(last=keep(seen, carry.last, running)), (logits, counted)

    def rest(carry: Carry, index: Array) -> tuple[Carry, Outcome]:
        del index
        return carry, no_outcome

    def body(carry: Carry, index: Array) -> tuple[Carry, Outcome]:
        # Behind the end of the longest trace nothing is computed: padding of steps costs next to nothing.
        if hk.running_init():
            return advance(carry, index)
        return hk.cond(index < longest, advance, rest, carry, index)

    final, (hints, losses) = hk.scan(body, start._replace(last=nothing_seen), jnp.arange(num_steps))
    return Predictions(
        outputs=step.decoders(spec.outputs, step.readout(start.hints, final.last)),
        hints=hints,
        losses={
            name: value.sum() / jnp.clip(batch.lengths - 1, 1, num_steps).sum()
            for name, value in losses.items()
        },
    )
