"""Weight uncertainty: initial distribution, divergence by hand, samples, gradients, evaluation by means."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nar
from nar.data import Transforms
from nar.losses import loss_terms
from nar.model import NetConfig, make_model
from nar.model.weight_uncertainty import (
    SUFFIX,
    WeightUncertainty,
    divergence_from_prior,
    has_uncertainty,
    sample_weights,
)
from nar.processors import PGN

TASKS = ("bfs", "minimum")
SPECS = {task: Transforms().spec(nar.ALGORITHMS[task]) for task in TASKS}
CONFIG = NetConfig(functools.partial(PGN), 4, weight_uncertainty=WeightUncertainty(0.02, 0.1, 0.5))
MODEL = make_model(CONFIG, SPECS)
PLAIN = make_model(dataclasses.replace(CONFIG, weight_uncertainty=None), SPECS)


@functools.cache
def batches():
    return {
        task: Transforms().apply(nar.ALGORITHMS[task], nar.sample_traces(task, 5, 3, 0)) for task in TASKS
    }


@functools.cache
def params():
    return jax.jit(MODEL.init)(jax.random.key(0), batches())


def means(tree):
    return {
        task: {
            module: {name: leaf for name, leaf in leaves.items() if not name.endswith(SUFFIX)}
            for module, leaves in modules.items()
        }
        for task, modules in tree.items()
    }


def rho_of(*deviations):
    """The inverse of softplus."""
    return jnp.log(jnp.expm1(jnp.array(deviations)))


def test_initial_means_are_those_of_the_network_and_deviations_are_given():
    expected = jax.jit(PLAIN.init)(jax.random.key(0), batches())
    jax.tree.map(np.testing.assert_array_equal, means(params()), expected)
    assert has_uncertainty(params()) and not has_uncertainty(expected)
    for module, leaves in params()["processor"].items():
        for name, leaf in means(params())["processor"][module].items():
            np.testing.assert_allclose(
                jax.nn.softplus(leaves[name + SUFFIX]), np.full(leaf.shape, 0.02), 1e-5
            )


def test_samples_have_means_and_deviations():
    tree = {
        "processor": {
            "m": {"w": jnp.array([1.0, -2.0]), f"w{SUFFIX}": jnp.log(jnp.expm1(jnp.array([0.1, 0.5])))}
        }
    }
    draws = jax.vmap(lambda key: sample_weights(tree, key)["processor"]["m"]["w"])(
        jax.random.split(jax.random.key(0), 20_000)
    )
    np.testing.assert_allclose(draws.mean(0), [1.0, -2.0], atol=0.02)
    np.testing.assert_allclose(draws.std(0), [0.1, 0.5], rtol=0.02)


def test_divergence_by_hand():
    tree = {
        "processor": {"m": {"w": jnp.array([0.3]), f"w{SUFFIX}": rho_of(0.2)}},
        "bfs": {"n": {"b": jnp.array([0.0]), f"b{SUFFIX}": rho_of(0.1)}},
    }
    expected = np.log(0.1 / 0.2) + (0.2**2 + 0.3**2) / (2 * 0.1**2) - 0.5
    np.testing.assert_allclose(divergence_from_prior(tree, 0.1), expected, rtol=1e-5)


def test_evaluation_uses_the_means():
    evaluate = jax.jit(MODEL.apply, static_argnums=(2, 4))
    plain = jax.jit(PLAIN.apply, static_argnums=(2, 4))
    found = evaluate(params(), None, "bfs", batches()["bfs"], False)
    expected = plain(means(params()), None, "bfs", batches()["bfs"], False)
    jax.tree.map(np.testing.assert_array_equal, found.outputs, expected.outputs)
    assert not found.losses


def test_training_draws_all_parameters_and_every_one_learns():
    @jax.jit
    def loss(params, key):
        predictions = MODEL.apply(params, key, "bfs", batches()["bfs"], True)
        terms = loss_terms(SPECS["bfs"], batches()["bfs"], predictions)
        return sum(term.mean for term in terms.values()), terms["auxiliary/weight_uncertainty"].mean

    own = {name: params()[name] for name in ("processor", "bfs")}
    key = jax.random.key(1)
    total, divergence = loss(own, key)
    np.testing.assert_allclose(divergence, 0.5 * divergence_from_prior(own, 0.1), rtol=1e-5)
    assert loss(own, key)[0] == total != loss(own, jax.random.key(2))[0]
    slopes = jax.grad(lambda params: loss(params, key)[0])(own)
    assert all(np.isfinite(leaf).all() and np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(slopes))
    with pytest.raises(ValueError, match="training with weight uncertainty needs a random key"):
        MODEL.apply(own, None, "bfs", batches()["bfs"], True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deviation": -1.0}, "weight_uncertainty deviation must be a positive number, got -1.0"),
        ({"prior": 0.0}, "weight_uncertainty prior must be a positive number, got 0.0"),
        ({"weight": float("nan")}, "weight_uncertainty weight must be a finite number >= 0, got nan"),
    ],
)
def test_invalid_options(options, message):
    with pytest.raises(ValueError, match=message):
        WeightUncertainty(**options)
