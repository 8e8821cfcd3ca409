"""The Sinkhorn operator."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from networks import assert_close

from nar.model.sinkhorn import log_sinkhorn


def random_square(count, num_nodes):
    return np.random.default_rng(0).standard_normal((count, num_nodes, num_nodes)).astype(np.float32)


def sinkhorn(logits, iterations, **options):
    return np.asarray(jax.jit(lambda logits: jnp.exp(log_sinkhorn(logits, iterations, **options)))(logits))


@pytest.mark.parametrize("num_nodes", [2, 5])
def test_sinkhorn_is_doubly_stochastic_without_diagonal(num_nodes):
    ten_iterations = jax.jit(lambda logits: log_sinkhorn(logits, 10, temperature=1.0))
    log_matrix = random_square(3, num_nodes)
    for _ in range(6):
        log_matrix = ten_iterations(log_matrix)
    matrix = np.exp(log_matrix)
    np.testing.assert_allclose(matrix.sum(axis=-1), 1, atol=1e-4)
    np.testing.assert_allclose(matrix.sum(axis=-2), 1, atol=1e-5)
    assert not matrix[:, range(num_nodes), range(num_nodes)].any()


@pytest.mark.parametrize("has_noise", [False, True], ids=["exact", "noise"])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_sinkhorn_is_that_of_dm_clrs(has_noise, temperature):
    @jax.jit
    def both(logits, key):
        key = key if has_noise else None
        ours = log_sinkhorn(logits, 5, temperature=temperature, noise_key=key)
        return ours, oracle.decoders.log_sinkhorn(logits, 5, temperature, True, key)

    with oracle.relaxed():
        assert_close(*both(random_square(2, 4), jax.random.key(3)))


def test_sinkhorn_maps_padding_nodes_to_themselves():
    logits = random_square(2, 6)
    matrix = sinkhorn(logits, 8, mask=np.array([[True] * 4 + [False] * 2, [True] * 6]))
    assert_close(matrix[0, :4, :4], sinkhorn(logits[0, :4, :4], 8))
    np.testing.assert_array_equal(matrix[0, 4:], np.eye(6)[4:])
    np.testing.assert_array_equal(matrix[0, :, 4:], np.eye(6)[:, 4:])
    assert_close(matrix[1], sinkhorn(logits[1], 8))


def test_sinkhorn_finds_a_cycle():
    order = np.array([2, 0, 3, 1, 4])
    truth = np.zeros((5, 5), np.float32)
    truth[order, np.roll(order, 1)] = 1
    np.testing.assert_allclose(sinkhorn(truth, 10), truth, atol=1e-3)
