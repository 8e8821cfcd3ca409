"""A condition of the rollout that `vmap` does not batch: some sample takes the next step."""

import jax

Array = jax.Array


@jax.custom_batching.custom_vmap
def any_active(active: Array) -> Array:
    """True if any sample takes the next step; under `vmap`, any sample of any batch.

    The result is thus never batched, and `vmap` keeps a `cond` on it instead of converting it to a `select`,
    which computes both branches.
    """
    return active.any()


@any_active.def_vmap
def _under_vmap(axis_size: int, is_batched: list[bool], active: Array) -> tuple[Array, bool]:
    del axis_size, is_batched
    return any_active(active.reshape(-1)), False
