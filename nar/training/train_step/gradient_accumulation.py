"""Gradient accumulation: the gradient of a batch, one micro-batch at a time.

A loss of a batch is a mean over entries, whose number varies between micro-batches. Their total numbers are
needed before the first gradient, and depend on the batch only: the same objective is evaluated for its counts
alone, and the compiler drops everything else. The gradient is thus that of the whole batch, up to rounding.
Random draws (Gumbel noise, dropout, teacher forcing) use one key per micro-batch.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nar.data import AUTO_MICROBATCHES
from nar.data.views import map_views
from nar.losses import LossTerm
from nar.model import Params
from nar.traces import TraceBatch

Array = jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class MicroBatch:
    """A subset of the traces of a batch, or all of them.

    Attributes:
      batch: the traces, perhaps with views.
      key: PRNG key of the forward pass.
      step: number of training steps taken before.
      carry: further arrays per trace, such as chunk carries; any pytree of arrays [B, ...].
    """

    batch: Any
    key: Array
    step: Array | int = 0
    carry: Any = ()


class ObjectiveResult(NamedTuple):
    """Result of an objective for a micro-batch.

    Attributes:
      terms: losses by name.
      metrics: other metrics by name, which are averaged like losses.
      carry: the new carry.
    """

    terms: dict[str, LossTerm]
    metrics: dict[str, LossTerm]
    carry: Any


class BatchResult(NamedTuple):
    """Result of an objective for a whole batch.

    Attributes:
      loss: the weighted sum of the losses.
      losses: losses by name, not weighted.
      metrics: other metrics by name.
      carry: the new carry.
    """

    loss: Array
    losses: dict[str, Array]
    metrics: dict[str, Array]
    carry: Any


Evaluate = Callable[[Params, MicroBatch], ObjectiveResult]

TotalLoss = Callable[[Mapping[str, Array]], Array]
"""losses by name -> weighted sum."""


def accumulated_value_and_grad(
    evaluate: Evaluate, total_loss: TotalLoss, params: Params, whole: MicroBatch, num_microbatches: int
) -> tuple[BatchResult, Params]:
    """Result for a batch, and the gradient of its loss with respect to the parameters.

    Micro-batch k has the traces k, k + num_microbatches, ..., so that a batch that is sharded over devices
    gives each device the same number of traces in every micro-batch.

    Args:
      evaluate: evaluates the objective.
      total_loss: weighs the losses.
      params: model parameters.
      whole: the batch.
      num_microbatches: number of micro-batches, valid by `check_grad_accumulation_steps`.
    """

    def loss(
        params: Params, microbatch: MicroBatch, counts: Mapping[str, Array] | None
    ) -> tuple[Array, tuple[dict[str, Array], ObjectiveResult]]:
        result = evaluate(params, microbatch)
        counts = jax.lax.stop_gradient(_counts(result) if counts is None else counts)
        losses = {name: LossTerm(term.sum, counts[name]).mean for name, term in result.terms.items()}
        return total_loss(losses), (losses, result)

    gradient_of = jax.value_and_grad(loss, has_aux=True)
    if num_microbatches == 1:
        (total, (losses, result)), gradient = gradient_of(params, whole, None)
        return BatchResult(total, losses, _means(result.metrics), result.carry), gradient
    # With `jit` the objective is traced once, for the counts and for the gradients.
    evaluate = jax.jit(evaluate)
    microbatches = split_microbatches(whole, num_microbatches)
    counts = _sum(jax.lax.map(lambda microbatch: _counts(evaluate(params, microbatch)), microbatches))

    def accumulate(total: Params, microbatch: MicroBatch) -> tuple[Params, Any]:
        result, gradient = gradient_of(params, microbatch, counts)
        return jax.tree.map(jnp.add, total, gradient), result

    zeros = jax.tree.map(jnp.zeros_like, params)
    gradient, (total, (losses, results)) = jax.lax.scan(accumulate, zeros, microbatches)
    metrics = _means(_sum(results.metrics))
    return BatchResult(total.sum(), _sum(losses), metrics, join(results.carry)), gradient


def _counts(result: ObjectiveResult) -> dict[str, Array]:
    return {name: jnp.asarray(term.count) for name, term in result.terms.items()}


def _sum(tree: Any) -> Any:
    """Sums over the leading axis of micro-batches."""
    return jax.tree.map(lambda leaf: leaf.sum(axis=0), tree)


def _means(terms: Mapping[str, LossTerm]) -> dict[str, Array]:
    return {name: term.mean for name, term in terms.items()}


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


def split_microbatches(whole: MicroBatch, num_microbatches: int) -> MicroBatch:
    """The micro-batches of a batch, with a leading axis of M micro-batches and different keys."""
    indices = jnp.arange(num_microbatches)
    return MicroBatch(
        batch=map_views(lambda view: split_batch(view, num_microbatches), whole.batch),
        key=jax.vmap(lambda index: jax.random.fold_in(whole.key, index))(indices),
        step=jnp.broadcast_to(whole.step, (num_microbatches,)),
        carry=split(whole.carry, num_microbatches),
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
