"""Gradient accumulation: the gradient of a batch, one micro-batch at a time.

The losses of a batch are means over entries, of which micro-batches have different numbers, so each mean is
weighted by the micro-batch's share of the entries. The sum is the loss of the whole batch, and its gradient
is exact up to rounding. This holds for hint and output losses, auxiliary losses of processors and the
termination loss. Random draws (Gumbel noise, dropout, teacher forcing) use one key per micro-batch.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from nar.data import AUTO_MICROBATCHES
from nar.losses import AUXILIARY
from nar.model import Params
from nar.traces import TraceBatch

Array = jax.Array
Scalars = dict[str, Array]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class MicroBatch:
    """A subset of the traces of a batch, or all of them.

    Attributes:
      batch: the traces.
      key: PRNG key of the forward pass.
      carry: further arrays per trace, such as the chunk carry; any pytree of arrays [B, ...].
      shares: share of each loss's entries that lie in this micro-batch, by loss name; empty if it is the
        whole batch.
    """

    batch: TraceBatch
    key: Array
    carry: Any = ()
    shares: Mapping[str, Array] = dataclasses.field(default_factory=dict)

    def weight_losses(self, losses: Mapping[str, Array]) -> Scalars:
        """Contributions of this micro-batch's losses to those of the whole batch, by name."""
        if not self.shares:
            return dict(losses)
        others = self.shares[AUXILIARY]
        return {name: value * self.shares.get(name, others) for name, value in losses.items()}


MicroBatchLoss = Callable[[Params, MicroBatch], tuple[Array, tuple[Scalars, Any]]]
"""(params, micro-batch) -> (loss, (metrics, carry)).

Loss and metrics are contributions to those of the whole batch; the new carry has arrays [B, ...]."""


def accumulated_value_and_grad(
    loss: MicroBatchLoss,
    params: Params,
    whole: MicroBatch,
    num_microbatches: int,
    counts: Callable[[TraceBatch], Scalars],
) -> tuple[tuple[Array, tuple[Scalars, Any]], Params]:
    """Loss, metrics and carry of a batch, and the gradient with respect to the parameters.

    Micro-batch k has the traces k, k + num_microbatches, ..., so that a batch that is sharded over devices
    gives each device the same number of traces in every micro-batch.

    Args:
      loss: loss of a micro-batch.
      params: model parameters.
      whole: the batch.
      num_microbatches: number of micro-batches, valid by `check_grad_accumulation_steps`.
      counts: batch -> number of entries that each loss is averaged over, as `nar.losses.loss_counts`.

    Returns:
      ((loss, (metrics, carry)), gradient).
    """
    gradient_of = jax.value_and_grad(loss, has_aux=True)
    if num_microbatches == 1:
        return gradient_of(params, whole)
    totals = counts(whole.batch)

    def accumulate(total: Params, microbatch: tuple[Array, TraceBatch, Any]) -> tuple[Params, Any]:
        index, batch, carry = microbatch
        shares = {name: count / jnp.maximum(totals[name], 1) for name, count in counts(batch).items()}
        result, gradient = gradient_of(
            params, MicroBatch(batch, jax.random.fold_in(whole.key, index), carry, shares)
        )
        return jax.tree.map(jnp.add, total, gradient), result

    microbatches = (
        jnp.arange(num_microbatches),
        split_batch(whole.batch, num_microbatches),
        split(whole.carry, num_microbatches),
    )
    zeros = jax.tree.map(jnp.zeros_like, params)
    gradient, (losses, (metrics, carry)) = jax.lax.scan(accumulate, zeros, microbatches)
    return (losses.sum(), ({name: value.sum() for name, value in metrics.items()}, join(carry))), gradient


def check_grad_accumulation_steps(batch_size: int, num_microbatches: int, num_devices: int = 1) -> None:
    """Checks that batches split into equal micro-batches that can be sharded over the devices.

    Raises:
      ValueError: if they do not.
    """
    if isinstance(num_microbatches, bool) or not isinstance(num_microbatches, int) or num_microbatches < 0:
        raise ValueError(
            f"grad_accumulation_steps must be an integer of at least 1, or 0, got {num_microbatches!r}"
        )
    if num_microbatches == AUTO_MICROBATCHES:
        return
    if batch_size % num_microbatches:
        raise ValueError(
            f"grad_accumulation_steps must divide the batch_size {batch_size}, got {num_microbatches}"
        )
    if batch_size // num_microbatches % num_devices:
        raise ValueError(
            f"batch_size {batch_size} with grad_accumulation_steps={num_microbatches} gives micro-batches of "
            f"{batch_size // num_microbatches}, which must be a multiple of the {num_devices} devices"
        )


def split_batch(batch: TraceBatch, num_microbatches: int) -> TraceBatch:
    """A batch with a leading axis of M micro-batches; hints become [M, T, B / M, ...]."""
    fields = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    return TraceBatch(
        **{
            name: split(value, num_microbatches, axis=1 if name == "hints" else 0)
            for name, value in fields.items()
        }
    )


def split(tree: Any, num_microbatches: int, axis: int = 0) -> Any:
    """Arrays [..., B, ...] as [M, ..., B / M, ...]; micro-batch k has every M-th row, from row k."""

    def split_leaf(leaf: Array) -> Array:
        before, size, after = leaf.shape[:axis], leaf.shape[axis], leaf.shape[axis + 1 :]
        return jnp.moveaxis(
            leaf.reshape(*before, size // num_microbatches, num_microbatches, *after), axis + 1, 0
        )

    return jax.tree.map(split_leaf, tree)


def join(tree: Any) -> Any:
    """Inverse of `split`: arrays [M, B / M, ...] as [B, ...], in the original order."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1).reshape(-1, *leaf.shape[2:]), tree)
