"""Loss masks: the entries over which the losses of probes are averaged. They depend on the batch only."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from nar.kinds import KindTable, check_by_location
from nar.specs import MASKED, Kind, Location, Probe
from nar.traces import TraceBatch

Array = jax.Array


def _all(truth: Array) -> Array:
    return jnp.ones(truth.shape, bool)


LOSS_MASKS = KindTable[Callable[[Array], Array]](
    "loss_mask",
    {
        Kind.SCALAR: _all,
        Kind.VECTOR: lambda truth: jnp.ones(truth.shape[:-1], bool),
        Kind.CATEGORICAL: lambda truth: (truth == 1).any(axis=-1),
        Kind.MASK: lambda truth: truth != MASKED,
        Kind.MASK_ONE: lambda truth: (truth == 1).any(axis=-1),
        Kind.POINTER: _all,
        Kind.SHOULD_BE_PERMUTATION: _all,
        Kind.PERMUTATION_POINTER: lambda truth: jnp.ones(truth.shape[:-1], bool),
    },
)
"""By kind: ground truth -> mask [...] over locations, True where there is something to predict."""


def hint_step_mask(step_limits: Array | None, batch_size: int, num_steps: int) -> Array:
    """Mask [S, B] of the steps at which hints contribute to the loss, as far as the trace has them.

    Args:
      step_limits: [B], number of steps of each sample; None with learned halting, where all steps count.
      batch_size: B.
      num_steps: S.
    """
    if step_limits is None:
        return jnp.ones((num_steps, batch_size), bool)
    return jnp.arange(1, num_steps + 1)[:, None] <= step_limits[None]


def output_loss_mask(probe: Probe, batch: TraceBatch) -> Array:
    """Loss mask [B, ...] of an output over locations; for a chunk, only of traces that end in it."""
    mask = _loss_mask(probe, batch.outputs[probe.name])
    if batch.offsets is not None:
        last = jnp.maximum(batch.lengths - 1, 1) - batch.offsets
        ends_here = (last > 0) & (last < batch.num_steps)
        mask &= ends_here.reshape(ends_here.shape + (1,) * (mask.ndim - 1))
    return mask & _padding_mask(probe, batch, mask)


def hint_loss_mask(probe: Probe, batch: TraceBatch, step_mask: Array, first: int = 1) -> Array:
    """Loss mask [S, B, ...] of a hint over locations: entry t belongs to hint step t + `first`.

    Args:
      probe: the hint.
      batch: ground truth.
      step_mask: [S, B] bool, the steps at which hints contribute to the loss; S is at most T - `first`.
      first: hint step of the first entry: 1 for predictions of the next step, 0 for the hints of each step.
    """
    mask = _loss_mask(probe, batch.hints[probe.name][first : len(step_mask) + first])
    steps = jnp.arange(first, len(mask) + first)[:, None]
    lengths = batch.lengths if batch.offsets is None else batch.lengths - batch.offsets
    active = (steps < lengths[None]) & step_mask[: len(mask)]
    active = active.reshape(active.shape + (1,) * (mask.ndim - active.ndim))
    return mask & active & _padding_mask(probe, batch, mask)


def _loss_mask(probe: Probe, truth: Array) -> Array:
    mask = LOSS_MASKS[probe.kind](truth)
    check_by_location(probe.kind, "loss_mask", mask, truth)
    return mask.astype(bool)


def _padding_mask(probe: Probe, batch: TraceBatch, mask: Array) -> Array:
    """True at entries of real nodes and slots; broadcasts against a loss mask [..., B, locations]."""
    is_edge = probe.location is Location.EDGE and probe.kind.root is not Kind.MASK_ONE
    if is_edge and batch.neighbors is not None:
        used = jnp.asarray(batch.neighbors.mask)
        return used.reshape((1,) * (mask.ndim - used.ndim) + used.shape)
    if batch.num_nodes is None or probe.location is Location.GRAPH or probe.kind.root is Kind.MASK_ONE:
        return jnp.ones((1,) * mask.ndim, bool)
    real = jnp.arange(mask.shape[-1])[None] < batch.num_nodes[:, None]
    if probe.location is Location.EDGE:
        real = real[:, :, None] & real[:, None, :]
    return real.reshape((1,) * (mask.ndim - real.ndim) + real.shape)
