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

from nar.batches import BY_SHAPE
from nar.losses import AUXILIARY
from nar.model import Params
from nar.traces import TraceBatch

Array = jax.Array
Scalars = dict[str, Array]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Part:
    """Some of the traces of a batch, or all of them.

    Attributes:
      batch: the traces.
      rows: whatever else there is for each trace, any pytree of arrays [B, ...].
      key: of what is random.
      shares: by name of a loss, the share of its entries that lies in this part; empty if that is all.
    """

    batch: TraceBatch
    key: Array
    rows: Any = ()
    shares: Mapping[str, Array] = dataclasses.field(default_factory=dict)

    def weigh(self, losses: Mapping[str, Array]) -> Scalars:
        """What the losses of this part, by name, add to those of the whole batch."""
        if not self.shares:
            return dict(losses)
        others = self.shares[AUXILIARY]
        return {name: value * self.shares.get(name, others) for name, value in losses.items()}


LossOfPart = Callable[[Params, Part], tuple[Array, tuple[Scalars, Any]]]
"""(params, part) -> (loss, (metrics, rows)); what a part adds to loss and metrics, and new rows [B, ...]."""


def value_and_gradient(
    loss: LossOfPart, params: Params, whole: Part, num_parts: int, counts: Callable[[TraceBatch], Scalars]
) -> tuple[tuple[Array, tuple[Scalars, Any]], Params]:
    """Loss, metrics and rows of a batch, and the gradient with respect to the parameters.

    Part p has the traces p, p + num_parts, ...: where the batch is split over devices, each device's traces
    are split evenly.

    Args:
      loss: of a part.
      params: of the network.
      whole: the batch.
      num_parts: how many parts there are; `check_parts` says which numbers will do.
      counts: batch -> by name of a loss, over how many entries it is a mean, as `nar.losses.loss_counts`.
    """
    gradient_of = jax.value_and_grad(loss, has_aux=True)
    if num_parts == 1:
        return gradient_of(params, whole)
    totals = counts(whole.batch)

    def add(total: Params, part: tuple[Array, TraceBatch, Any]) -> tuple[Params, Any]:
        number, batch, rows = part
        shares = {name: count / jnp.maximum(totals[name], 1) for name, count in counts(batch).items()}
        result, gradient = gradient_of(
            params, Part(batch, jax.random.fold_in(whole.key, number), rows, shares)
        )
        return jax.tree.map(jnp.add, total, gradient), result

    parts = jnp.arange(num_parts), split_batch(whole.batch, num_parts), split(whole.rows, num_parts)
    gradient, (losses, (metrics, rows)) = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), parts)
    return (losses.sum(), ({name: value.sum() for name, value in metrics.items()}, join(rows))), gradient


def check_parts(batch_size: int, num_parts: int, num_devices: int = 1) -> None:
    """Raises ValueError unless batches have so many equal parts, and these can be split over the devices."""
    if isinstance(num_parts, bool) or not isinstance(num_parts, int) or num_parts < 0:
        raise ValueError(f"accumulate must be an integer of at least 1, or 0, got {num_parts!r}")
    if num_parts == BY_SHAPE:
        return
    if batch_size % num_parts:
        raise ValueError(f"accumulate must divide the batch_size {batch_size}, got {num_parts}")
    if batch_size // num_parts % num_devices:
        raise ValueError(
            f"batch_size {batch_size} in {num_parts} parts (accumulate) makes parts of "
            f"{batch_size // num_parts}, which must be a multiple of the {num_devices} devices"
        )


def split_batch(batch: TraceBatch, num_parts: int) -> TraceBatch:
    """A batch with a leading axis of parts; hints become [parts, T, B / parts, ...]."""
    fields = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    return TraceBatch(
        **{name: split(value, num_parts, axis=1 if name == "hints" else 0) for name, value in fields.items()}
    )


def split(tree: Any, num_parts: int, axis: int = 0) -> Any:
    """Arrays [..., B, ...] as [parts, ..., B / parts, ...]; each part has every so many-th row."""

    def of_leaf(leaf: Array) -> Array:
        before, size, behind = leaf.shape[:axis], leaf.shape[axis], leaf.shape[axis + 1 :]
        return jnp.moveaxis(leaf.reshape(*before, size // num_parts, num_parts, *behind), axis + 1, 0)

    return jax.tree.map(of_leaf, tree)


def join(tree: Any) -> Any:
    """Arrays [parts, B / parts, ...] as [B, ...] again, in the order before `split`."""
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1).reshape(-1, *leaf.shape[2:]), tree)
