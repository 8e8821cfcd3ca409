"""The rollout: encode, process, decode, feed the predicted hints back, step after step.

One body serves all steps: the first step is fed the true first hints, which are a function of the inputs, in
the form in which predictions are fed back later. Outputs are decoded once, after the last step, from what
each sample's own last step left behind; only to learn when to stop they are decoded at each step.

All that a step hands to the next is in its `Carry`. Of time chunks, what of it the next chunk needs comes
with the predictions, and chunk after chunk they are those of the whole trace.
"""

import dataclasses
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.model.config import NetConfig
from nar.model.hints import Values, densify
from nar.model.step import Carry, ChunkCarry, Step, StepOutput, first_chunk_carry
from nar.model.step_features import count_nodes
from nar.model.termination import FromTrace, Learned, divergence_from_prior, log_halting, log_survivals
from nar.specs import Spec
from nar.traces import TraceBatch

Array = jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Halting:
    """Where a network that learns when to stop might have stopped; S is the largest number of steps.

    Attributes:
      log_probabilities: [S, B], to stop at each step; minus infinity behind the most that a sample may take.
      outputs: logits by name at each step, [S, B, ...].
    """

    log_probabilities: Array
    outputs: Values


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a network predicts for a batch.

    Attributes:
      outputs: logits by name, [B, ...], at each sample's last step; of a chunk they mean something where the
        trace ends in it.
      hints: logits by name, [S, B, ...]: entry t predicts the hints of step t + 1. S is the number of steps
        for which there is room, T - 1 if the trace decides. Behind a sample's own steps they mean nothing.
        Empty if hints are not decoded.
      losses: auxiliary losses by name, scalars: those of the processor, means over samples and their own
        steps; and `halting`, in training, if the network learns when to stop.
      steps: [B] int32, how many steps each sample took, of a chunk only those in it.
      halting: in training, if the network learns when to stop; otherwise None.
      chunk_carry: of a chunk, what the next one is to be given; otherwise None.
    """

    outputs: Values
    hints: Values
    losses: Values
    steps: Array
    halting: Halting | None = None
    chunk_carry: ChunkCarry | None = None


def rollout(
    config: NetConfig,
    task: str,
    spec: Spec,
    batch: TraceBatch,
    is_training: bool,
    num_steps: int | None = None,
    training_step: Array | int = 0,
    chunk_carry: ChunkCarry | None = None,
) -> Predictions:
    """Predictions of a batch, to be called inside a Haiku transform.

    Without teacher forcing nothing of `batch` is read but inputs, first hints and, if the trace decides how
    many steps there are, lengths.

    Args:
      config: what the network is made of.
      task: name of the algorithm; parameters of encoders and decoders are named by it.
      spec: of the batch, after transforms.
      batch: what to predict.
      is_training: whether there is noise in permutations, dropout and teacher forcing.
      num_steps: for how many steps to make room; by default for those that `config.termination` asks for.
      training_step: how many steps of training came before, for what changes over training.
      chunk_carry: of a chunk, the carry after the previous chunk; not read where a trace begins here.

    Raises:
      ValueError: if a chunk is given to a network whose steps are not those of the trace.
    """
    if batch.offsets is not None and not isinstance(config.termination, FromTrace):
        raise ValueError("time chunks need a network that takes the steps of the trace (termination)")
    step = Step(config, task, spec, batch, is_training, training_step)
    start = step.start(chunk_carry)
    final, outcome = unroll(step, start, jnp.arange(step.max_steps if num_steps is None else num_steps))
    num_taken = jnp.maximum(final.steps.sum(), 1)
    losses = {name: value.sum() / num_taken for name, value in outcome.losses.items()}
    if is_training and outcome.halt is not None:
        return _halted(config, step, outcome, losses)
    outputs = step.decoders(spec.outputs, step.decoder_inputs(final.last_decoder_inputs))
    chunk_carry = None
    if batch.offsets is not None:
        chunk_carry = ChunkCarry(final.hints, final.hidden, final.memory)
    return Predictions(outputs, outcome.hints, losses, final.steps, chunk_carry=chunk_carry)


def initial_chunk_carry(config: NetConfig, spec: Spec, batch: TraceBatch) -> ChunkCarry:
    """What stands for the chunk before the first one, to be called inside a Haiku transform; zeros."""
    num_nodes = count_nodes(spec, batch)
    hints = {
        probe.name: jnp.zeros_like(densify(probe, jnp.asarray(batch.hints[probe.name])[0], num_nodes))
        for probe in (spec.hints if config.hints.encoded else ())
    }
    return first_chunk_carry(config, config.make_processor(), hints, batch.batch_size, num_nodes)


def unroll(step: Any, carry: Carry, indices: Array) -> tuple[Carry, Any]:
    """Takes the steps of these indices; outcomes get a leading axis.

    `step` is a `Step`, or what advances like one, with outcomes of its own.

    Once every sample has stopped nothing is computed: room for more steps costs next to nothing. What is
    recomputed for a gradient is so within the condition, so that the compiler sees it beside the gradient.
    """
    advance = hk.remat(step.advance, prevent_cse=False) if step.remat else step.advance

    def rest(carry: Carry, index: Array) -> tuple[Carry, Any]:
        del index
        return carry, step.zero_outcome

    def body(carry: Carry, index: Array) -> tuple[Carry, Any]:
        if hk.running_init():
            return step.advance(carry, index)
        return hk.cond(_any(carry.active), advance, rest, carry, index)

    return hk.scan(hk.remat(body, prevent_cse=False) if step.remat else body, carry, indices)


@jax.custom_batching.custom_vmap
def _any(active: Array) -> Array:
    """Whether any sample takes the next step; under `vmap`, any sample at all.

    So the condition on it stays one, while `vmap` would make of it a selection between both of its branches.
    """
    return active.any()


@_any.def_vmap
def _any_at_all(axis_size: int, is_batched: list[bool], active: Array) -> tuple[Array, bool]:
    del axis_size, is_batched
    return _any(active.reshape(-1)), False


def _halted(config: NetConfig, step: Step, outcome: StepOutput, losses: Values) -> Predictions:
    """Predictions of a network that learns when to stop, from all its steps."""
    assert isinstance(config.termination, Learned) and outcome.halt is not None
    log_p = log_halting(outcome.halt, step.step_limits)
    divergence = divergence_from_prior(log_p, step.step_limits, config.termination.prior)
    stopped = config.termination.has_stopped(log_survivals(outcome.halt))
    numbers = jnp.arange(1, len(stopped) + 1)[:, None]
    steps = jnp.where(stopped, numbers, step.step_limits[None]).min(axis=0)
    rows = jnp.arange(len(steps))
    return Predictions(
        outputs={name: value[steps - 1, rows] for name, value in outcome.outputs.items()},
        hints=outcome.hints,
        losses={**losses, "halting": config.termination.weight * divergence.mean()},
        steps=jnp.minimum(steps, step.step_limits),
        halting=Halting(log_p, outcome.outputs),
    )
