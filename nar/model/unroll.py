"""The scan over the steps of a rollout, which skips steps after all samples have finished."""

from typing import TYPE_CHECKING

import haiku as hk
import jax

if TYPE_CHECKING:
    from nar.model.rollout import Carry, Step, StepOutput

Array = jax.Array


def unroll(step: "Step", carry: "Carry", indices: Array) -> "tuple[Carry, StepOutput]":
    """Scans over the given step indices; outputs get a leading axis.

    Steps after all samples have finished are skipped by `cond`, so padding is nearly free. Rematerialization
    is also applied inside the condition, so that the compiler sees it together with the gradient. A single
    step, as in windows of one, is taken without loop and condition.
    """
    advance = hk.remat(step.advance, prevent_cse=False) if step.remat else step.advance

    def skip(carry: "Carry", index: Array) -> "tuple[Carry, StepOutput]":
        del index
        return carry, step.zero_output

    def body(carry: "Carry", index: Array) -> "tuple[Carry, StepOutput]":
        if hk.running_init():
            return step.advance(carry, index)
        return hk.cond(_any_active(carry.active), advance, skip, carry, index)

    if len(indices) == 1:
        carry, output = advance(carry, indices[0])
        return carry, jax.tree.map(lambda leaf: leaf[None], output)
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
