"""The rollout: encode, process, decode and feed the predicted hints back, for every step.

All steps share one scan body: the first step receives the true initial hints, which are a function of the
inputs, in the same dense form as predictions that are fed back later. Outputs are decoded once, after the
scan, from the decoder inputs of each sample's last step; only learned halting decodes them at every step.

All recurrent state is in `Carry`. For time chunks, the part that the next chunk needs is returned with the
predictions; predicting chunk by chunk is equivalent to predicting the whole trace.
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
    """The distribution over halting steps, and the outputs at each; S is the maximum number of steps.

    Attributes:
      log_probabilities: [S, B], of stopping at each step; minus infinity after a sample's step limit.
      outputs: logits by name at each step, [S, B, ...].
    """

    log_probabilities: Array
    outputs: Values


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Predictions:
    """Predictions of a network for a batch.

    Attributes:
      outputs: logits by name, [B, ...], at each sample's last step; for a chunk, valid only where the trace
        ends in it.
      hints: logits by name, [S, B, ...]: entry t predicts the hints of step t + 1. S is the number of steps
        of the scan, T - 1 if the trace determines it. Entries after a sample's last step are undefined.
        Empty if hints are not decoded.
      losses: auxiliary losses by name, scalars: those of the processor, averaged over samples and their
        steps; and `halting`, in training with learned halting.
      steps: [B] int32, number of steps that each sample took, within the chunk if there are chunks.
      halting: in training with learned halting; otherwise None.
      chunk_carry: for a chunk, the state to pass to the next one; otherwise None.
      hidden: if requested, the hidden states after the processor at each step, [S, B, N, H], in the compute
        dtype; otherwise None. Entries after a sample's last step are undefined.
    """

    outputs: Values
    hints: Values
    losses: Values
    steps: Array
    halting: Halting | None = None
    chunk_carry: ChunkCarry | None = None
    hidden: Array | None = None


def rollout(
    config: NetConfig,
    task: str,
    spec: Spec,
    batch: TraceBatch,
    is_training: bool,
    num_steps: int | None = None,
    training_step: Array | int = 0,
    chunk_carry: ChunkCarry | None = None,
    return_hidden: bool = False,
) -> Predictions:
    """Predicts a batch; call it inside a Haiku transform.

    Without teacher forcing only the inputs, the initial hints and, if the trace determines the number of
    steps, the lengths of `batch` are read.

    Args:
      config: configuration of the network.
      task: name of the algorithm, which prefixes the parameters of encoders and decoders.
      spec: spec of the batch, after transforms.
      batch: batch to predict.
      is_training: enables dropout, teacher forcing and noise on permutations.
      num_steps: length of the scan; by default the maximum of `config.termination`.
      training_step: number of training steps taken before, for schedules.
      chunk_carry: for a chunk, the state after the previous one; ignored where a trace begins in this chunk.
      return_hidden: whether to return the hidden states of every step.

    Raises:
      ValueError: if a chunk is given to a network with another termination than `FromTrace`.
    """
    if batch.offsets is not None and not isinstance(config.termination, FromTrace):
        name = type(config.termination).__name__
        raise ValueError(f"time chunks require the termination FromTrace, got {name}")
    step = Step(config, task, spec, batch, is_training, training_step, return_hidden)
    initial = step.initial_carry(chunk_carry)
    final, output = unroll(step, initial, jnp.arange(step.max_steps if num_steps is None else num_steps))
    num_taken = jnp.maximum(final.steps.sum(), 1)
    losses = {name: value.sum() / num_taken for name, value in output.losses.items()}
    if is_training and output.halt is not None:
        return _predict_with_halting(config, step, output, losses)
    outputs = step.decoders(spec.outputs, step.decoder_inputs(final.last_decoder_inputs))
    next_chunk_carry = None
    if batch.offsets is not None:
        next_chunk_carry = ChunkCarry(final.hints, final.hidden, final.memory)
    return Predictions(
        outputs, output.hints, losses, final.steps, chunk_carry=next_chunk_carry, hidden=output.hidden
    )


def initial_chunk_carry(config: NetConfig, spec: Spec, batch: TraceBatch) -> ChunkCarry:
    """The `ChunkCarry` before the first chunk: zeros. Call it inside a Haiku transform."""
    num_nodes = count_nodes(spec, batch)
    hints = {
        probe.name: jnp.zeros_like(densify(probe, jnp.asarray(batch.hints[probe.name])[0], num_nodes))
        for probe in (spec.hints if config.hints.encoded else ())
    }
    return first_chunk_carry(config, config.make_processor(), hints, batch.batch_size, num_nodes)


def unroll(step: Any, carry: Carry, indices: Array) -> tuple[Carry, Any]:
    """Scans over the given step indices; outputs get a leading axis.

    `step` is a `Step` or has the same `advance`, `zero_output` and `remat`, with outputs of any type.

    Steps after all samples have finished are skipped by `cond`, so padding is nearly free. Rematerialization
    is also applied inside the condition, so that the compiler sees it together with the gradient.
    """
    advance = hk.remat(step.advance, prevent_cse=False) if step.remat else step.advance

    def skip(carry: Carry, index: Array) -> tuple[Carry, Any]:
        del index
        return carry, step.zero_output

    def body(carry: Carry, index: Array) -> tuple[Carry, Any]:
        if hk.running_init():
            return step.advance(carry, index)
        return hk.cond(_any_active(carry.active), advance, skip, carry, index)

    return hk.scan(hk.remat(body, prevent_cse=False) if step.remat else body, carry, indices)


@jax.custom_batching.custom_vmap
def _any_active(active: Array) -> Array:
    """True if any sample takes the next step; under `vmap`, any sample of any batch.

    The result is thus never batched, and `vmap` keeps a `cond` on it instead of converting it to a `select`,
    which computes both branches.
    """
    return active.any()


@_any_active.def_vmap
def _any_active_under_vmap(axis_size: int, is_batched: list[bool], active: Array) -> tuple[Array, bool]:
    del axis_size, is_batched
    return _any_active(active.reshape(-1)), False


def _predict_with_halting(config: NetConfig, step: Step, output: StepOutput, losses: Values) -> Predictions:
    """Predictions in training with learned halting, from the outputs of all steps."""
    assert isinstance(config.termination, Learned) and output.halt is not None
    log_p = log_halting(output.halt, step.step_limits)
    divergence = divergence_from_prior(log_p, step.step_limits, config.termination.prior)
    stopped = config.termination.has_stopped(log_survivals(output.halt))
    numbers = jnp.arange(1, len(stopped) + 1)[:, None]
    steps = jnp.where(stopped, numbers, step.step_limits[None]).min(axis=0)
    rows = jnp.arange(len(steps))
    return Predictions(
        outputs={name: value[steps - 1, rows] for name, value in output.outputs.items()},
        hints=output.hints,
        losses={**losses, "halting": config.termination.weight * divergence.mean()},
        steps=jnp.minimum(steps, step.step_limits),
        halting=Halting(log_p, output.outputs),
        hidden=output.hidden,
    )
