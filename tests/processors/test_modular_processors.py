"""The shared workspace, production system and schemata against their formulas, and the hard choice."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from processor_contract import (
    Compiled,
    assert_bfloat16_close_to_float32,
    random_features,
    transformed,
    with_dense_edges,
)

from nar.processors import Context, ProcessorOutput
from nar.processors.layers.choice import choose
from nar.processors.presets import SCOFF
from nar.processors.production_system import ProductionSystem
from nar.processors.shared_workspace import SharedWorkspace
from nar.processors.wrappers.schemata import Schemata

HIDDEN, SLOTS, WRITERS = 8, 3, 2


def inputs():
    features, hidden = random_features()
    return with_dense_edges(features), hidden


def without_prefix(params, module):
    """Parameters by the names of layers; "~" has those of the module itself."""
    return {name.removeprefix(module).lstrip("/") or "~": leaves for name, leaves in params.items()}


def linear(params, name, *values):
    layer = params[name]
    return np.concatenate(values, -1) @ layer["w"] + layer.get("b", 0.0)


def softmax(logits, axis=-1):
    weights = np.exp(logits - logits.max(axis, keepdims=True))
    return weights / weights.sum(axis, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def assert_close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def workspace_step(params, features, hidden, slots):
    """One sample of the shared workspace, node by node and slot by slot."""
    nodes, edges, graph, adjacency = features
    own = linear(params, "own", nodes, hidden) + linear(params, "graph", graph)
    seen = linear(params, "edge", edges)
    states = np.stack(
        [np.maximum(own[j] + seen[adjacency[:, j], j].max(axis=0), 0) for j in range(len(nodes))]
    )
    keys, values = linear(params, "node_key", states), linear(params, "node_value", states)
    new = np.zeros_like(slots)
    for k, slot in enumerate(slots):
        logits = keys @ linear(params, "slot_query", slot + params["~"]["slots"][k]) / HIDDEN**0.5
        writers = np.argsort(-logits)[:WRITERS]
        written = softmax(logits[writers]) @ values[writers]
        kept, added = np.split(sigmoid(linear(params, "slot_gates", slot, written)), 2)
        new[k] = kept * slot + added * np.tanh(written)
    logits = linear(params, "node_query", states) @ linear(params, "slot_key", new).T / HIDDEN**0.5
    return states, softmax(logits) @ linear(params, "slot_value", new), new


def test_shared_workspace_matches_its_formula():
    features, hidden = inputs()
    slots = np.random.default_rng(1).standard_normal((len(hidden), SLOTS, HIDDEN)).astype(np.float32)

    def step(features, hidden, slots):
        processor = SharedWorkspace(HIDDEN, num_slots=SLOTS, num_writers=WRITERS, layer_norm=False)
        return processor(features, hidden, slots)

    params, output = transformed(step, features, hidden, slots)
    params = without_prefix(params, "shared_workspace")
    for index in range(len(hidden)):
        sample = [np.asarray(part[index]) for part in features[:4]]
        states, read, new = workspace_step(params, sample, hidden[index], slots[index])
        assert_close(output.nodes[index], states + read)
        assert_close(output.messages[index], read)
        assert_close(output.memory[index], new)


def test_fewer_nodes_than_writers_all_write():
    features, hidden = inputs()

    def outputs(num_writers):
        def step(features, hidden):
            return SharedWorkspace(HIDDEN, num_writers=num_writers)(features, hidden).nodes

        return transformed(step, features, hidden)[1]

    np.testing.assert_array_equal(outputs(100), outputs(hidden.shape[1]))
    assert not np.allclose(outputs(100), outputs(1))


def production_step(params, features, hidden):
    """One sample of the production system, node by node."""
    nodes, edges, graph, adjacency = features
    x = np.maximum(linear(params, "own", nodes, hidden) + linear(params, "graph", graph), 0)
    queries = linear(params, "rule_query", x) + linear(params, "rule_query_graph", graph)
    node_queries, keys = linear(params, "node_query", x), linear(params, "node_key", x)
    new, chosen = np.zeros_like(x), []
    for i in range(len(x)):
        rule = int(np.argmax(params["~"]["rules"] @ queries[i]))
        logits = keys @ node_queries[i] / HIDDEN**0.5 + linear(params, "edge_logit", edges[:, i])[:, 0]
        other = int(np.argmax(np.where(adjacency[:, i], logits, -np.inf)))
        inner = linear(params, f"condition_{rule}", x[i], x[other])
        inner = inner + linear(params, "edge", edges[other, i]) + linear(params, "rule_graph", graph)
        new[i] = x[i] + linear(params, f"action_{rule}", np.maximum(inner, 0))
        chosen.append((rule, other))
    return new, chosen


def test_production_system_matches_its_formula():
    processor = hk.without_apply_rng(
        hk.transform(lambda *step: ProductionSystem(HIDDEN, num_rules=3, layer_norm=False)(*step))
    )
    params = jax.tree.map(np.asarray, processor.init(jax.random.key(0), *inputs()))
    apply, choices = jax.jit(processor.apply), set()
    by_name = without_prefix(params, "production_system")
    for seed in range(5):
        features, hidden = random_features(seed)
        features = with_dense_edges(features)
        output = apply(params, features, hidden)
        for index in range(len(hidden)):
            sample = [np.asarray(part[index]) for part in features[:4]]
            nodes, chosen = production_step(by_name, sample, hidden[index])
            assert_close(output.nodes[index], nodes)
            choices |= {rule for rule, _ in chosen}
    assert choices == {0, 1, 2}


@pytest.mark.parametrize("make", [ProductionSystem, SCOFF])
def test_all_units_learn_in_training(make):
    features, hidden = inputs()
    processor = hk.transform(lambda *step: make(HIDDEN)(*step, (), Context(is_training=True)).nodes)
    params = processor.init(jax.random.key(0), features, hidden)

    @jax.jit
    def loss(params):
        keys = jax.random.split(jax.random.key(0), 50)
        nodes = jax.vmap(lambda key: processor.apply(params, key, features, hidden))(keys)
        return (nodes @ jnp.arange(float(HIDDEN))).mean()

    slopes = jax.grad(loss)(params)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(slopes))


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [lambda: ProductionSystem(HIDDEN, num_rules=1), lambda: SCOFF(HIDDEN, num_schemata=1)]
)
def test_bfloat16_accuracy_without_a_choice(make):
    """With one unit, and one neighbor of each node, nothing is chosen that rounding could change."""
    features, hidden = inputs()
    alone = np.broadcast_to(np.eye(hidden.shape[1], dtype=bool), features.adjacency.shape)
    assert_bfloat16_close_to_float32(Compiled(make), features._replace(adjacency=alone), hidden)


class Constant:
    """A processor whose new states are given."""

    def __init__(self, nodes):
        self.nodes = nodes

    def initial_memory(self, batch_size, num_nodes):
        return ()

    def __call__(self, features, hidden, memory=(), context=None):
        return ProcessorOutput(self.nodes)


def schemata(features, hidden, x, is_training=False, key=None):
    def step(features, hidden, x):
        context = Context(is_training=is_training)
        return Schemata(Constant(x), HIDDEN, num_schemata=3)(features, hidden, context=context).nodes

    function = hk.transform(step)
    params = jax.tree.map(np.asarray, function.init(jax.random.key(0), features, hidden, x))
    return params, np.asarray(function.apply(params, key, features, hidden, x))


def candidates(params, hidden, x):
    """[B, N, K, H] states that the units propose, by the equations of Cho et al. 2014."""
    params = {name.removeprefix("schemata/"): value for name, value in params.items()}
    states = []
    for k in range(3):
        update, reset = np.split(sigmoid(linear(params, f"gates_{k}", x, hidden)), 2, axis=-1)
        proposed = np.tanh(linear(params, f"proposal_{k}", x, reset * hidden))
        states.append((1 - update) * hidden + update * proposed)
    states = np.stack(states, axis=2)
    query, keys = linear(params, "query", hidden, x), linear(params, "key", states)
    return states, np.einsum("bnh,bnkh->bnk", query, keys) / HIDDEN**0.5


def test_schemata_match_their_formula():
    features, hidden = inputs()
    x = np.random.default_rng(2).standard_normal(hidden.shape).astype(np.float32)
    params, nodes = schemata(features, hidden, x)
    states, logits = candidates(params, hidden, x)
    chosen = logits.argmax(-1)
    assert len(np.unique(chosen)) > 1
    assert_close(nodes, np.take_along_axis(states, chosen[..., None, None], 2)[:, :, 0])


def test_training_draws_schemata():
    features, hidden = inputs()
    x = np.random.default_rng(2).standard_normal(hidden.shape).astype(np.float32)
    states, _ = candidates(schemata(features, hidden, x)[0], hidden, x)
    drawn = []
    for seed in range(20):
        _, nodes = schemata(features, hidden, x, True, jax.random.key(seed))
        distances = np.abs(states - nodes[:, :, None]).max(-1)
        assert (distances.min(-1) < 1e-5).all()
        drawn.append(distances.argmin(-1))
    assert all(len(np.unique(choices)) > 1 for choices in np.reshape(drawn, (20, -1)).T)


def test_choice_is_hard_and_has_the_gradient_of_the_softmax():
    logits = jnp.asarray(np.random.default_rng(0).standard_normal((6, 4)), jnp.float32)
    weights = jnp.arange(24.0).reshape(6, 4)
    one_hot = np.asarray(choose(logits, 0.5, None))
    np.testing.assert_allclose(one_hot, np.eye(4)[np.asarray(logits).argmax(-1)], atol=1e-6)
    np.testing.assert_allclose(
        jax.grad(lambda x: (weights * choose(x, 0.5, None)).sum())(logits),
        jax.grad(lambda x: (weights * jax.nn.softmax(x / 0.5)).sum())(logits),
        rtol=1e-5,
    )


def test_choices_in_training_have_the_probabilities_of_the_softmax():
    logits = jnp.log(jnp.array([0.5, 0.3, 0.2]))
    draws = choose(jnp.broadcast_to(logits, (20_000, 3)), 1.0, jax.random.key(0))
    np.testing.assert_allclose(np.asarray(draws).mean(0), [0.5, 0.3, 0.2], atol=0.015)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SharedWorkspace(8, num_slots=0), "num_slots must be an integer of at least 1, got 0"),
        (lambda: SCOFF(8, num_schemata=1.5), "num_schemata must be an integer of at least 1, got 1.5"),
        (lambda: ProductionSystem(8, temperature=-1.0), "temperature must be positive, got -1.0"),
        (lambda: SCOFF(8, temperature=0.0), "temperature must be positive, got 0.0"),
    ],
)
def test_invalid_options(make, message):
    with pytest.raises(ValueError, match=message):
        hk.transform(lambda: make() and None).init(None)
