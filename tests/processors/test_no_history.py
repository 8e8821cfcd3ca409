"""Wrappers that decide what a processor is told of the past: states, gates, steps."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from processor_contract import initial_params

from nar.processors import Context, Features, GatedHistory, NoHistory, ProcessorOutput, StepEncoding, dense
from nar.processors.wrappers.step_encoding import encode_step

BATCH, NODES, SIZE, HIDDEN = 2, 4, 3, 5


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def random_features(mask=None):
    edges = normal(0, BATCH, NODES, NODES, SIZE)
    adjacency = np.ones((BATCH, NODES, NODES), bool)
    return Features(normal(1, BATCH, NODES, SIZE), edges, normal(2, BATCH, SIZE), adjacency, mask)


class Echo(hk.Module):
    """A processor that returns what it is given: states, graph, and its memory plus one."""

    def initial_memory(self, batch_size, num_nodes):
        return jnp.zeros((batch_size, num_nodes))

    def __call__(self, features, hidden, memory=(), context=Context()):
        return ProcessorOutput(
            hidden,
            edges=dense(features.edges),
            graph=features.graph,
            memory=memory + 1,
            losses={"own": memory[:, 0]},
        )


def apply(wrap, features, hidden, memory, context=Context(), seed=None):
    """Parameters, random if there is a seed, and what the wrapped `Echo` returns."""
    pure = hk.without_apply_rng(hk.transform(lambda f, h, m: wrap(Echo())(f, h, m, context)))
    params = initial_params(lambda *arguments: wrap(Echo())(*arguments, context), features, hidden, memory)
    if seed is not None:
        random = np.random.default_rng(seed)
        params = jax.tree.map(lambda leaf: random.standard_normal(leaf.shape).astype("f"), params)
    return params, jax.jit(pure.apply)(params, features, hidden, memory)


# ---------------------------------------------------------------------------------------------------
# Without a history


def test_forgetting_hides_states_and_memory():
    features, hidden = random_features(), normal(3, BATCH, NODES, HIDDEN)
    params, processed = apply(NoHistory, features, hidden, ())
    assert not params
    assert not processed.nodes.any()
    assert not processed.losses["own"].any()  # the memory with which Echo starts
    np.testing.assert_array_equal(processed.edges, features.edges)
    assert processed.memory == ()


def test_what_forgets_has_no_memory():
    memory = hk.transform(lambda: NoHistory(Echo()).initial_memory(BATCH, NODES)).apply({}, None)
    assert memory == ()


# ---------------------------------------------------------------------------------------------------
# A gate over it


@pytest.mark.parametrize("masked", [False, True])
def test_gated_history_is_its_formula(masked):
    mask = np.array([[True] * 4, [True, True, False, False]])
    features, hidden = random_features(mask if masked else None), normal(3, BATCH, NODES, HIDDEN)
    memory = np.full((BATCH, NODES), 7.0, np.float32)
    params, processed = apply(GatedHistory, features, hidden, memory, seed=0)
    z = np.concatenate([features.nodes, hidden], axis=-1)
    nodes, graph = params["history/nodes"], params["history/graph"]
    logits = z @ nodes["w"] + nodes["b"] + (np.asarray(features.graph) @ graph["w"])[:, None]
    gate = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(processed.nodes, gate * np.asarray(hidden), rtol=1e-5, atol=1e-6)
    for index in range(BATCH):
        real = mask[index] if masked else np.ones(NODES, bool)
        expected = np.mean(np.linalg.norm(gate[index, real], axis=-1) / HIDDEN**0.5)
        assert processed.losses["gate"][index] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(processed.losses["own"], [7, 7])
    np.testing.assert_array_equal(processed.memory, np.full((BATCH, NODES), 8.0))


@pytest.mark.parametrize(("bias", "share"), [(30.0, 1.0), (-30.0, 0.0)])
def test_a_gate_may_be_open_or_closed(bias, share):
    """From all of the history, with a loss of 1, to none of it, with a loss of 0."""
    features, hidden = random_features(), normal(3, BATCH, NODES, HIDDEN)

    def wrap(processor):
        return GatedHistory(processor, bias=bias)

    _, processed = apply(wrap, features, hidden, np.zeros((BATCH, NODES), np.float32))
    np.testing.assert_allclose(processed.nodes, share * hidden, atol=1e-6)
    np.testing.assert_allclose(processed.losses["gate"], share, atol=1e-6)


@pytest.mark.parametrize(("training_step", "share"), [(0, 0), (5, 0.5), (10, 1), (99, 1)])
def test_the_loss_grows_over_training(training_step, share):
    features, hidden = random_features(), normal(3, BATCH, NODES, HIDDEN)
    memory = np.zeros((BATCH, NODES), np.float32)

    def wrap(processor):
        return GatedHistory(processor, annealing_steps=10)

    _, full = apply(GatedHistory, features, hidden, memory)
    _, annealed = apply(wrap, features, hidden, memory, Context(training_step=training_step))
    np.testing.assert_allclose(annealed.losses["gate"], share * full.losses["gate"], rtol=1e-6)
    np.testing.assert_array_equal(annealed.nodes, full.nodes)


def test_bad_number_of_annealing_steps():
    with pytest.raises(ValueError, match="annealing_steps must be an integer of at least 0, got -1"):
        hk.transform(lambda: GatedHistory(Echo(), annealing_steps=-1)).init(None)


def test_the_loss_closes_the_gate():
    features, hidden = random_features(), normal(3, BATCH, NODES, HIDDEN)

    def forward():
        return GatedHistory(Echo())(features, hidden, hidden[..., 0])

    pure, params = hk.without_apply_rng(hk.transform(forward)), initial_params(forward)
    gate_loss = jax.jit(jax.value_and_grad(lambda params: pure.apply(params).losses["gate"].mean()))
    sizes = []
    for _ in range(30):
        size, gradients = gate_loss(params)
        params = jax.tree.map(lambda leaf, gradient: leaf - 2 * np.asarray(gradient), params, gradients)
        sizes.append(float(size))
    assert sizes[0] > 0.4 and sizes[-1] < 0.1


# ---------------------------------------------------------------------------------------------------
# The number of the step


def test_stepwise_is_its_formula():
    features, hidden = random_features(), normal(3, BATCH, NODES, HIDDEN)

    def wrap(processor):
        return StepEncoding(processor, num_frequencies=2)

    for step in (0, 3, jnp.asarray(41)):
        context = Context(step=step)
        params, processed = apply(
            wrap, features, hidden, np.zeros((BATCH, NODES), np.float32), context, seed=0
        )
        encoded = [function(float(step) * f) for f in (1, 0.01) for function in (np.sin, np.cos)]
        expected = features.graph + (np.array(encoded) @ params["stepwise/step"]["w"])[None]
        np.testing.assert_allclose(processed.graph, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(processed.nodes, hidden)


def test_steps_differ():
    """No two of a thousand steps look alike."""
    encoded = np.asarray(jax.jit(jax.vmap(lambda step: encode_step(step, 8)))(np.arange(1000)))
    distances = np.linalg.norm(encoded[:, None] - encoded[None], axis=-1)
    assert distances[~np.eye(1000, dtype=bool)].min() > 0.1


def test_bad_number_of_frequencies():
    with pytest.raises(ValueError, match="num_frequencies must be an integer of at least 1, got 0"):
        hk.transform(lambda: StepEncoding(Echo(), num_frequencies=0)).init(None)
