"""Functions of decoders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import assert_close

from nar.model.decoders import max_dot


@pytest.mark.parametrize("decimals", [0, 6])
def test_max_dot_and_its_gradients_equal_the_plain_formula(decimals):
    """Rounding to integers produces ties."""
    random = np.random.default_rng(0)
    pair, target, w = (
        random.standard_normal(shape).round(decimals).astype(np.float32)
        for shape in ((2, 3, 3, 4), (2, 3, 4), (4,))
    )
    cotangent = random.standard_normal((2, 3, 3, 3)).astype(np.float32)

    def plain(pair, target, w):
        return jnp.einsum("bijkh,h->bijk", jnp.maximum(pair[:, :, :, None], target[:, None, None]), w)

    @jax.jit
    def both(*arguments):
        (value, vjp), (expected, plain_vjp) = (jax.vjp(f, *arguments) for f in (max_dot, plain))
        return (value, *vjp(cotangent)), (expected, *plain_vjp(cotangent))

    for value, expected in zip(*both(pair, target, w), strict=True):
        assert_close(value, expected)
