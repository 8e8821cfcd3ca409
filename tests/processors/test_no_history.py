"""Wrappers for the history of a rollout: no history, gated history, step encoding."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from processor_contract import initial_params

from nar.processors import Context, Features, NoHistory, ProcessorOutput
from nar.processors.base import dense
from nar.processors.wrappers.no_history import GatedHistory
from nar.processors.wrappers.step_encoding import StepEncoding, encode_step

BATCH, NODES, SIZE, HIDDEN = 2, 4, 3, 5


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def random_features(mask=None):
    edges = normal(0, BATCH, NODES, NODES, SIZE)
    adjacency = np.ones((BATCH, NODES, NODES), bool)
    return Features(normal(1, BATCH, NODES, SIZE), edges, normal(2, BATCH, SIZE), adjacency, mask)


class Echo(hk.Module):
    """Processor that returns its inputs (hidden states, edges, graph) and its memory plus one."""

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
    """Applies a wrapped `Echo`; returns its parameters, random if there is a seed, and its output."""
    pure = hk.without_apply_rng(hk.transform(lambda f, h, m: wrap(Echo())(f, h, m, context)))
    params = initial_params(lambda *arguments: wrap(Echo())(*arguments, context), features, hidden, memory)
    if seed is not None:
        random = np.random.default_rng(seed)
        params = jax.tree.map(lambda leaf: random.standard_normal(leaf.shape).astype("f"), params)
    return params, jax.jit(pure.apply)(params, features, hidden, memory)


# ---------------------------------------------------------------------------------------------------
# No history


def test_no_history_hides_hidden_states_and_memory():
    features, hidden = random_features(), normal(3, BATCH, NODES, HIDDEN)
    params, output = apply(NoHistory, features, hidden, ())
    assert not params
    assert not output.nodes.any()
    assert not output.losses["own"].any()  # the initial memory of Echo
    np.testing.assert_array_equal(output.edges, features.edges)
    assert output.memory == ()


def test_no_history_has_no_memory():
    memory = hk.transform(lambda: NoHistory(Echo()).initial_memory(BATCH, NODES)).apply({}, None)
    assert memory == ()


# ---------------------------------------------------------------------------------------------------
# Gated history


@pytest.mark.parametrize("masked", [False, True])
def test_gated_history_matches_its_formula(masked):
    mask = np.array([[True] * 4, [True, True, False, False]])
    features, hidden = random_features(mask if masked else None), normal(3, BATCH, NODES, HIDDEN)
    memory = np.full((BATCH, NODES), 7.0, np.float32)
    params, output = apply(GatedHistory, features, hidden, memory, seed=0)
    z = np.concatenate([features.nodes, hidden], axis=-1)
    nodes, graph = params["history/nodes"], params["history/graph"]
    logits = z @ nodes["w"] + nodes["b"] + (np.asarray(features.graph) @ graph["w"])[:, None]
    gate = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(output.nodes, gate * np.asarray(hidden), rtol=1e-5, atol=1e-6)
    for index in range(BATCH):
        real = mask[index] if masked else np.ones(NODES, bool)
        expected = np.mean(np.linalg.norm(gate[index, real], axis=-1) / HIDDEN**0.5)
        assert output.losses["gate"][index] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(output.losses["own"], [7, 7])
    np.testing.assert_array_equal(output.memory, np.full((BATCH, NODES), 8.0))


@pytest.mark.parametrize(("bias", "gate"), [(30.0, 1.0), (-30.0, 0.0)])
def test_gate_bias_opens_or_closes_the_gate(bias, gate):
    """An open gate passes the full history, with loss 1; a closed one none of it, with loss 0."""
    features, hidden = random_features(), normal(3, BATCH, NODES, HIDDEN)

    def wrap(processor):
        return GatedHistory(processor, bias=bias)

    _, output = apply(wrap, features, hidden, np.zeros((BATCH, NODES), np.float32))
    np.testing.assert_allclose(output.nodes, gate * hidden, atol=1e-6)
    np.testing.assert_allclose(output.losses["gate"], gate, atol=1e-6)


@pytest.mark.parametrize(("training_step", "scale"), [(0, 0), (5, 0.5), (10, 1), (99, 1)])
def test_gate_loss_is_annealed(training_step, scale):
    features, hidden = random_features(), normal(3, BATCH, NODES, HIDDEN)
    memory = np.zeros((BATCH, NODES), np.float32)

    def wrap(processor):
        return GatedHistory(processor, annealing_steps=10)

    _, full = apply(GatedHistory, features, hidden, memory)
    _, annealed = apply(wrap, features, hidden, memory, Context(training_step=training_step))
    np.testing.assert_allclose(annealed.losses["gate"], scale * full.losses["gate"], rtol=1e-6)
    np.testing.assert_array_equal(annealed.nodes, full.nodes)


def test_annealing_steps_must_not_be_negative():
    with pytest.raises(ValueError, match="annealing_steps must be an integer of at least 0, got -1"):
        hk.transform(lambda: GatedHistory(Echo(), annealing_steps=-1)).init(None)


def test_minimizing_the_gate_loss_closes_the_gate():
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
# Step encoding


def test_step_encoding_matches_its_formula():
    features, hidden = random_features(), normal(3, BATCH, NODES, HIDDEN)

    def wrap(processor):
        return StepEncoding(processor, num_frequencies=2)

    for step in (0, 3, jnp.asarray(41)):
        context = Context(step=step)
        params, output = apply(wrap, features, hidden, np.zeros((BATCH, NODES), np.float32), context, seed=0)
        encoded = [function(float(step) * f) for f in (1, 0.01) for function in (np.sin, np.cos)]
        expected = features.graph + (np.array(encoded) @ params["step_encoding/step"]["w"])[None]
        np.testing.assert_allclose(output.graph, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(output.nodes, hidden)


def test_step_encodings_are_distinct():
    """Any two of a thousand steps have distinct encodings."""
    encoded = np.asarray(jax.jit(jax.vmap(lambda step: encode_step(step, 8)))(np.arange(1000)))
    distances = np.linalg.norm(encoded[:, None] - encoded[None], axis=-1)
    assert distances[~np.eye(1000, dtype=bool)].min() > 0.1


def test_num_frequencies_must_be_positive():
    with pytest.raises(ValueError, match="num_frequencies must be an integer of at least 1, got 0"):
        hk.transform(lambda: StepEncoding(Echo(), num_frequencies=0)).init(None)
