"""Gradients of a batch that is taken in parts, one after another, in the memory of one part.

The losses of a batch are means over entries of which its parts have more or fewer, so each mean of a part is
weighed by its share of the entries: the sum is the loss of the whole batch, and its gradient is the gradient,
up to rounding. That holds for losses of hints and outputs, for those of processors and for that of halting.
What is random (noise in permutations, dropout, teacher forcing) is drawn for each part by a key of its own.
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
    """Some of the traces of a batch, or all of them.

    Attributes:
      batch: the traces.
      rows: whatever else there is for each trace, any pytree of arrays [B, ...].
      key: of what is random.
      shares: by name of a loss, the share of its entries that lies in this part; empty if that is all.
    """

    batch: TraceBatch
    key: Array
    carry: Any = ()
    shares: Mapping[str, Array] = dataclasses.field(default_factory=dict)

    def weight_losses(self, losses: Mapping[str, Array]) -> Scalars:
        """What the losses of this part, by name, add to those of the whole batch."""
        if not self.shares:
            return dict(losses)
        others = self.shares[AUXILIARY]
        return {name: value * self.shares.get(name, others) for name, value in losses.items()}


MicroBatchLoss = Callable[[Params, MicroBatch], tuple[Array, tuple[Scalars, Any]]]
"""(params, part) -> (loss, (metrics, rows)); what a part adds to loss and metrics, and new rows [B, ...]."""


def value_and_gradient(
    loss: MicroBatchLoss,
    params: Params,
    whole: MicroBatch,
    num_microbatches: int,
    counts: Callable[[TraceBatch], Scalars],
) -> tuple[tuple[Array, tuple[Scalars, Any]], Params]:
    """Loss, metrics and rows of a batch, and the gradient with respect to the parameters.

    Part p has the traces p, p + num_microbatches, ...: where the batch is split over devices, each device's
    traces are split evenly.

    Args:
      loss: of a part.
      params: of the network.
      whole: the batch.
      num_microbatches: how many parts there are; `check_grad_accumulation_steps` says which numbers will do.
      counts: batch -> by name of a loss, over how many entries it is a mean, as `nar.losses.loss_counts`.
    """
    gradient_of = jax.value_and_grad(loss, has_aux=True)
    if num_microbatches == 1:
        return gradient_of(params, whole)
    totals = counts(whole.batch)

    def add(total: Params, part: tuple[Array, TraceBatch, Any]) -> tuple[Params, Any]:
        number, batch, carry = part
        shares = {name: count / jnp.maximum(totals[name], 1) for name, count in counts(batch).items()}
        result, gradient = gradient_of(
            params, MicroBatch(batch, jax.random.fold_in(whole.key, number), carry, shares)
        )
        return jax.tree.map(jnp.add, total, gradient), result

    parts = (
        jnp.arange(num_microbatches),
        split_batch(whole.batch, num_microbatches),
        split(whole.carry, num_microbatches),
    )
    gradient, (losses, (metrics, carry)) = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), parts)
    return (losses.sum(), ({name: value.sum() for name, value in metrics.items()}, join(carry))), gradient


def check_grad_accumulation_steps(batch_size: int, num_microbatches: int, num_devices: int = 1) -> None:
    """Raises ValueError unless batches have so many equal parts, and these can be split over the devices."""
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
            f"batch_size {batch_size} in {num_microbatches} parts (grad_accumulation_steps) makes parts of "
            f"{batch_size // num_microbatches}, which must be a multiple of the {num_devices} devices"
        )


def split_batch(batch: TraceBatch, num_microbatches: int) -> TraceBatch:
    """A batch with a leading axis of parts; hints become [parts, T, B / parts, ...]."""
    fields = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    return TraceBatch(
        **{
            name: split(value, num_microbatches, axis=1 if name == "hints" else 0)
            for name, value in fields.items()
        }
    )


def split(tree: Any, num_microbatches: int, axis: int = 0) -> Any:
    """Arrays [..., B, ...] as [parts, ..., B / parts, ...]; each part has every so many-th row."""

    def of_leaf(leaf: Array) -> Array:
        before, size, behind = leaf.shape[:axis], leaf.shape[axis], leaf.shape[axis + 1 :]
        return jnp.moveaxis(
            leaf.reshape(*before, size // num_microbatches, num_microbatches, *behind), axis + 1, 0
        )

    return jax.tree.map(of_leaf, tree)


def join(tree: Any) -> Any:
    """Arrays [parts, B / parts, ...] as [B, ...] again, in the order before `split`."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1).reshape(-1, *leaf.shape[2:]), tree)
