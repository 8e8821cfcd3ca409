"""What there is to predict: the entries over which losses are means. Nothing of it depends on parameters."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

from nar.model import Learned, NetConfig, count_nodes
from nar.specs import MASKED, Kind, Location, Probe, Spec
from nar.traces import TraceBatch

Array = jax.Array

AUXILIARY = "auxiliary"
"""Stands before the names of losses that are not of probes, and is their stage."""

HALTING = f"{AUXILIARY}/halting"


def _all(truth: Array) -> Array:
    return jnp.ones(truth.shape, bool)


LOSS_MASKS: Mapping[Kind, Callable[[Array], Array]] = MappingProxyType(
    {
        Kind.SCALAR: _all,
        Kind.CATEGORICAL: lambda truth: (truth == 1).any(axis=-1),
        Kind.MASK: lambda truth: truth != MASKED,
        Kind.MASK_ONE: lambda truth: (truth == 1).any(axis=-1),
        Kind.POINTER: _all,
        Kind.SHOULD_BE_PERMUTATION: _all,
        Kind.PERMUTATION_POINTER: lambda truth: jnp.ones(truth.shape[:-1], bool),
    }
)
"""By kind: truth -> [...] bool over locations, where there is something to predict."""


def hint_step_mask(step_limits: Array | None, batch_size: int, num_steps: int) -> Array:
    """[S, B] bool: at which steps the hints of a sample count, if its trace has any.

    Args:
      step_limits: [B], how many steps each sample takes; None if the network learns it, and all are weighed.
      batch_size: B.
      num_steps: S.
    """
    if step_limits is None:
        return jnp.ones((num_steps, batch_size), bool)
    return jnp.arange(1, num_steps + 1)[:, None] <= step_limits[None]


def output_loss_mask(probe: Probe, batch: TraceBatch) -> Array:
    """[B, ...] bool, over locations; of a chunk, those of the traces that end in it."""
    counted = LOSS_MASKS[probe.kind](batch.outputs[probe.name])
    if batch.offsets is not None:
        last = jnp.maximum(batch.lengths - 1, 1) - batch.offsets
        ends_here = (last > 0) & (last < batch.num_steps)
        counted &= ends_here.reshape(ends_here.shape + (1,) * (counted.ndim - 1))
    return counted & _real_entries(probe, batch, counted)


def hint_loss_mask(probe: Probe, batch: TraceBatch, weighed: Array) -> Array:
    """[S, B, ...] bool over locations: entry t is of the hints of step t + 1; S is at most T - 1.

    Args:
      probe: a hint.
      batch: the truth.
      weighed: [S, B] bool, at which steps hints count.
    """
    counted = LOSS_MASKS[probe.kind](batch.hints[probe.name][1 : len(weighed) + 1])
    steps = jnp.arange(1, len(counted) + 1)[:, None]
    lengths = batch.lengths if batch.offsets is None else batch.lengths - batch.offsets
    running = (steps < lengths[None]) & weighed[: len(counted)]
    running = running.reshape(running.shape + (1,) * (counted.ndim - running.ndim))
    return counted & running & _real_entries(probe, batch, counted)


def loss_counts(config: NetConfig, spec: Spec, batch: TraceBatch) -> dict[str, Array]:
    """Over how many entries each loss is a mean in training, by name, before anything is predicted.

    The entry `auxiliary` is that of all losses of a processor: they are means over samples and their steps.

    Args:
      config: of the network.
      spec: of the batch, after transforms.
      batch: the truth.
    """
    num_nodes = count_nodes(spec, batch)
    step_limits = config.termination.step_limits(batch, num_nodes)
    max_steps = config.termination.max_steps(batch, num_nodes)
    if batch.offsets is not None:
        step_limits = jnp.clip(step_limits - batch.offsets, 0, max_steps)
    learned = isinstance(config.termination, Learned)
    weighed = hint_step_mask(None if learned else step_limits, batch.batch_size, max_steps)
    counted = {probe.name: output_loss_mask(probe, batch) for probe in spec.outputs}
    if config.hints.decoded:
        counted |= {probe.name: hint_loss_mask(probe, batch, weighed) for probe in spec.hints}
    counts = {name: entries.sum() for name, entries in counted.items()}
    return {**counts, AUXILIARY: step_limits.sum(), HALTING: jnp.asarray(batch.batch_size)}


def _real_entries(probe: Probe, batch: TraceBatch, counted: Array) -> Array:
    """Which of the entries [..., B, locations] belong to real nodes; broadcasts against them."""
    if batch.num_nodes is None or probe.location is Location.GRAPH or probe.kind is Kind.MASK_ONE:
        return jnp.ones((1,) * counted.ndim, bool)
    num_nodes = counted.shape[-1]
    real = jnp.arange(num_nodes)[None] < batch.num_nodes[:, None]
    if probe.location is Location.EDGE:
        real = real[:, :, None] & real[:, None, :]
    return real.reshape((1,) * (counted.ndim - real.ndim) + real.shape)
