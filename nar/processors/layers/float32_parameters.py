"""Parameters in float32 for modules that compute in bfloat16."""

import contextlib
from collections.abc import Iterator
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp


@contextlib.contextmanager
def float32_parameters() -> Iterator[None]:
    """Stores parameters in at least float32; a context, or the decorator of a function to transform.

    Modules of Haiku, such as `hk.Linear`, request parameters in the dtype of their inputs, which may be
    bfloat16. They get them in this dtype, cast from float32: computation is in bfloat16, whereas parameters,
    and so their gradients and the optimizer state, are float32.
    """

    def create(next_creator: Any, shape: Any, dtype: Any, init: Any, context: Any) -> jax.Array:
        del context
        stored = jnp.promote_types(dtype, jnp.float32) if jnp.issubdtype(dtype, jnp.floating) else dtype
        return next_creator(shape, stored, init)

    def get(next_getter: Any, value: jax.Array, context: Any) -> jax.Array:
        return next_getter(value.astype(context.original_dtype))

    with hk.custom_creator(create), hk.custom_getter(get):
        yield
