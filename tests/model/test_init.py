"""Parameter initialization: distributions, independence of arrays, and few compilations."""

import contextlib

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from configs import base
from nar.model.init import (
    draw_params,
    find_parameter_specs,
    nest_params,
    to_numpy_initializer,
    truncated_normal,
)
from nar.runs.build import new_state
from nar.runs.components import build_graph_run
from nar.training.loop import Compilations

FEATURES = np.ones((3, 64), np.float32)


def custom_init(shape, dtype):
    """An initializer without a numpy equivalent."""
    return jax.random.uniform(hk.next_rng_key(), shape, dtype, 2.0, 3.0)


def forward():
    hidden = hk.Linear(512, name="first")(FEATURES)
    hidden = hk.LayerNorm(-1, True, True, name="norm")(hidden)
    # An initializer with a traced standard deviation, as third-party processors may have.
    wide = hk.initializers.TruncatedNormal(jnp.sqrt(jnp.mean(FEATURES)))
    hidden = hk.Linear(256, w_init=wide, b_init=hk.initializers.Constant(-3.0), name="second")(hidden)
    hk.get_parameter("custom", [40, 50], init=custom_init)
    return hidden


def make(key, function=forward):
    return nest_params(draw_params(find_parameter_specs(function), function, key))


def test_parameters_have_the_shapes_and_dtypes_of_haiku():
    shapes = jax.eval_shape(hk.transform(forward).init, jax.random.key(0))
    params = make(jax.random.key(0))
    assert jax.tree.map(lambda x: (x.shape, x.dtype), params) == jax.tree.map(
        lambda x: (x.shape, x.dtype), shapes
    )


def test_values_have_the_distribution_of_their_initializers():
    params = jax.tree.map(np.asarray, make(jax.random.key(0)))
    for name, deviation in (("first", 64**-0.5), ("second", 1.0)):
        values = params[name]["w"].ravel()
        assert np.abs(values).max() <= 2 * deviation * (1 + 1e-6)
        assert stats.kstest(values / deviation, stats.truncnorm(-2, 2).cdf).pvalue > 1e-3
    assert stats.kstest(params["~"]["custom"].ravel() - 2, "uniform").pvalue > 1e-3
    np.testing.assert_array_equal(params["first"]["b"], 0)
    np.testing.assert_array_equal(params["second"]["b"], -3)
    np.testing.assert_array_equal(params["norm"]["scale"], 1)


@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (0.5, 4.0), (-1.0, 0.0)])
def test_truncated_normal_distribution(bounds):
    values = truncated_normal(np.random.default_rng(0), (100, 300), *bounds)
    assert values.min() >= bounds[0] and values.max() <= bounds[1]
    assert stats.kstest(values.ravel(), stats.truncnorm(*bounds).cdf).pvalue > 1e-3


def test_parameters_differ_between_names_and_keys():
    first, second = make(jax.random.key(0)), make(jax.random.key(1))
    for module, name in (("first", "w"), ("second", "w"), ("~", "custom")):
        assert not np.isclose(first[module][name], second[module][name]).all()

    def two_layers():
        return hk.Linear(64, name="one")(FEATURES) + hk.Linear(64, name="other")(FEATURES)

    params = make(jax.random.key(0), two_layers)
    assert abs(np.corrcoef(params["one"]["w"].ravel(), params["other"]["w"].ravel())[0, 1]) < 0.1


def test_a_parameter_does_not_depend_on_others():
    single = make(jax.random.key(3), lambda: hk.Linear(512, name="first")(FEATURES))
    np.testing.assert_array_equal(single["first"]["w"], make(jax.random.key(3))["first"]["w"])

    def only_custom():
        hk.get_parameter("custom", [40, 50], init=custom_init)

    np.testing.assert_array_equal(
        make(jax.random.key(3), only_custom)["~"]["custom"], make(jax.random.key(3))["~"]["custom"]
    )


@pytest.mark.slow
def test_jit_and_vmap_draw_the_same_values():
    keys = jax.random.split(jax.random.key(0), 3)
    batched = jax.jit(jax.vmap(make))(keys)
    for index, key in enumerate(keys):
        params = jax.tree.map(lambda leaf: leaf[index], batched)  # noqa: B023
        jax.tree.map(np.testing.assert_array_equal, params, jax.jit(make)(key))
        jax.tree.map(np.testing.assert_array_equal, params, make(key))


def test_initializers_with_array_arguments_have_no_numpy_equivalent():
    assert to_numpy_initializer(hk.initializers.TruncatedNormal(jnp.ones(()))) is None
    assert to_numpy_initializer(hk.initializers.Constant(np.ones(3))) is None
    assert to_numpy_initializer(lambda shape, dtype: jnp.ones(shape, dtype)) is None
    assert to_numpy_initializer(jnp.ones) and to_numpy_initializer(hk.initializers.TruncatedNormal(2))


@pytest.mark.slow
def test_initialization_compiles_few_programs():
    config = base.get_config().to_dict()
    config["algorithms"] = ("bfs", "minimum", "heapsort")
    components = build_graph_run(config)
    jax.clear_caches()
    with contextlib.closing(Compilations()) as compilations:
        state = new_state(components, seed=0)
    assert len(jax.tree.leaves(state)) > 400
    assert compilations.programs.total() < 10, compilations.programs
