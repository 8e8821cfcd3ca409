"""Processors with states of edges or of pairs: each against its formula in plain loops, and their options."""

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nar.processors import (
    EdgeTransformer,
    FactoredFeatures,
    Features,
    FloydNet,
    RelationalTransformer,
    dense,
)
from nar.processors.edge_transformer import triangular_attention
from nar.processors.floydnet import pivotal_attention

BATCH, NODES, SIZE, HIDDEN, HEADS = 2, 4, 3, 6, 2
MAKERS = (RelationalTransformer, EdgeTransformer, FloydNet)
every_maker = pytest.mark.parametrize("make", MAKERS)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def random_step(num_nodes=NODES):
    """Features, states and a memory."""
    pairs = (BATCH, num_nodes, num_nodes)
    edges = FactoredFeatures(normal(0, *pairs, 2), normal(1, 2, SIZE), normal(2, SIZE))
    adjacency = np.tile(np.eye(num_nodes, dtype=bool), (BATCH, 1, 1))
    features = Features(normal(3, BATCH, num_nodes, SIZE), edges, normal(4, BATCH, SIZE), adjacency)
    return features, normal(5, BATCH, num_nodes, HIDDEN), normal(6, *pairs, HIDDEN)


@functools.cache
def network(make, **options):
    """Parameters of a processor, off their initial 0 and 1, as numpy arrays, and its compiled function."""

    def forward(features, hidden, memory):
        return make(HIDDEN, num_heads=HEADS, **options)(features, hidden, memory)

    pure = hk.without_apply_rng(hk.transform(forward))
    shapes = jax.eval_shape(pure.init, jax.random.key(0), *random_step())
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: 0.5 * random.standard_normal(leaf.shape).astype("f"), shapes)
    return params, jax.jit(pure.apply)


def parameters(make, **options):
    """The parameters by name."""
    params, _ = network(make, **options)
    return {module.split("/", 1)[1]: leaves for module, leaves in params.items() if "/" in module}


def processed(make, features, hidden, memory, **options):
    """The parameters by name, and what the processor returns."""
    params, apply = network(make, **options)
    return parameters(make, **options), apply(params, features, hidden, memory)


def assert_close(first, second, tolerance=1e-4):
    np.testing.assert_allclose(first, second, rtol=tolerance, atol=tolerance)


# ---------------------------------------------------------------------------------------------------
# Parts in numpy, for one sample


class Plain:
    """The linear maps and norms of a processor, by name, on numpy arrays."""

    def __init__(self, params, prefix=""):
        self._params, self._prefix = params, prefix

    def linear(self, name, *inputs):
        leaves = self._params[self._prefix + name]
        return np.concatenate(inputs, axis=-1) @ leaves["w"] + leaves.get("b", 0)

    def norm(self, name, x):
        leaves = self._params[self._prefix + name]
        centred = x - x.mean(axis=-1, keepdims=True)
        return (
            leaves["scale"] * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
            + (leaves["offset"])
        )

    def feed_forward(self, name, x):
        inner = np.maximum(self.linear(f"{name}/inner", x), 0)
        return self.linear(f"{name}/outer", inner)


def softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def heads(x):
    return x.reshape(HEADS, -1)


def pooled(plain, pairs):
    """Sums of what pairs say about the node in which they end, and about that in which they start."""
    return plain.linear("ending", pairs).sum(axis=0) + plain.linear("starting", pairs).sum(axis=1)


def sample(index, features, hidden, memory):
    """One sample as numpy arrays: nodes, edges, graph, hidden, memory."""
    arrays = (features.nodes, dense(features.edges), features.graph, hidden, memory)
    return [np.asarray(array[index]) for array in arrays]


# ---------------------------------------------------------------------------------------------------
# Formulas


def test_relational_transformer_is_its_formula():
    step = random_step()
    params, ours = processed(RelationalTransformer, *step, num_layers=1, node_size=5, edge_size=4)
    outer, plain = Plain(params), Plain(params, "layer_0/")
    for index in range(BATCH):
        nodes, edges, graph, hidden, memory = sample(index, *step)
        n = outer.linear("node", nodes, hidden) + outer.linear("node_graph", graph)
        e = outer.linear("edge", edges, memory) + outer.linear("edge_graph", graph)
        new = []
        for j in range(NODES):
            logits, values = np.zeros((NODES, HEADS)), []
            for i in range(NODES):
                query, key, value = np.split(plain.linear("edge_query_key_value", e[i, j]), 3)
                of_receiver = np.split(plain.linear("node_query_key_value", n[j]), 3)
                of_sender = np.split(plain.linear("node_query_key_value", n[i]), 3)
                query, key = query + of_receiver[0], key + of_sender[1]
                logits[i] = (heads(query) * heads(key)).sum(axis=-1) / (HIDDEN / HEADS) ** 0.5
                values.append(heads(value + of_sender[2]))
            weights = [softmax(logits[:, k]) for k in range(HEADS)]
            message = np.stack([weights[k] @ np.array(values)[:, k] for k in range(HEADS)])
            assert_close(ours.messages[index, j], message.ravel())
            updated = plain.norm("node_norm_0", n[j] + plain.linear("out", message.ravel()))
            new.append(plain.norm("node_norm_1", updated + plain.feed_forward("node_ff", updated)))
            assert_close(ours.nodes[index, j], new[j])
        for i in range(NODES):
            for j in range(NODES):
                inner = plain.linear("edge_pair", e[i, j], e[j, i])
                inner = inner + plain.linear("edge_sender", new[i]) + plain.linear("edge_receiver", new[j])
                edge = e[i, j] + plain.linear("edge_out", np.maximum(inner, 0))
                edge = plain.norm("edge_norm_0", edge)
                edge = plain.norm("edge_norm_1", edge + plain.feed_forward("edge_ff", edge))
                assert_close(ours.edges[index, i, j], edge)
                assert_close(ours.memory[index, i, j], edge)


def embedded(plain, nodes, edges, graph, hidden, memory):
    sender, receiver = plain.linear("sender", nodes, hidden), plain.linear("receiver", nodes, hidden)
    pairs = plain.linear("pair", edges, memory) + plain.linear("graph", graph)
    return pairs + sender[:, None] + receiver[None]


def test_edge_transformer_is_its_formula():
    step = random_step()
    params, ours = processed(EdgeTransformer, *step, aggregation="sum")
    outer, plain = Plain(params), Plain(params, "layer_0/")
    for index in range(BATCH):
        r = embedded(outer, *sample(index, *step))
        maps = np.split(plain.linear("query_key_first_second", plain.norm("norm_0", r)), 4, axis=-1)
        attended = np.asarray(loop_triangular(*(x.reshape(NODES, NODES, HEADS, -1) for x in maps)))
        r = plain.norm("norm_1", r + plain.linear("out", attended.reshape(r.shape)))
        r = plain.norm("norm_2", r + plain.feed_forward("feed_forward", r))
        messages = pooled(outer, r)
        assert_close(ours.memory[index], r)
        assert_close(ours.edges[index], r)
        assert_close(ours.messages[index], messages)
        assert_close(
            ours.nodes[index], outer.norm("node_norm", outer.linear("node", np.maximum(messages, 0)))
        )


def test_floydnet_is_its_formula():
    step = random_step()
    params, ours = processed(FloydNet, *step, aggregation="sum")
    outer, plain = Plain(params), Plain(params, "layer_0/")
    for index in range(BATCH):
        r = outer.linear("embedded", np.maximum(embedded(outer, *sample(index, *step)), 0))
        x = plain.norm("norm_0", r + plain.linear("transposed", r.swapaxes(0, 1)))
        maps = np.split(plain.linear("query_keys_values", x), 5, axis=-1)
        attended = np.asarray(loop_pivotal(*(y.reshape(NODES, NODES, HEADS, -1) for y in maps)))
        r = r + plain.linear("out", attended.reshape(r.shape))
        r = r + plain.feed_forward("feed_forward", plain.norm("norm_1", r))
        r = outer.norm("pair_norm", r)
        messages = pooled(outer, r)
        assert_close(ours.memory[index], r)
        assert_close(ours.edges[index], r)
        assert_close(ours.messages[index], messages)
        assert_close(
            ours.nodes[index], outer.norm("node_norm", outer.linear("node", np.maximum(messages, 0)))
        )


# ---------------------------------------------------------------------------------------------------
# Attention over pairs


def loop_triangular(query, key, first, second, real=None):
    """Of one sample, [N, N, K, D]."""
    num_nodes, _, num_heads, size = query.shape
    real = range(num_nodes) if real is None else real
    result = np.zeros(query.shape)
    for i, j, k in np.ndindex(num_nodes, num_nodes, num_heads):
        weights = softmax(np.array([query[i, a, k] @ key[a, j, k] / size**0.5 for a in real]))
        ways = (first[i, a, k] * second[a, j, k] for a in real)
        result[i, j, k] = sum(weight * way for weight, way in zip(weights, ways, strict=True))
    return result


def loop_pivotal(query, first_key, second_key, first, second, real=None):
    """Of one sample, [N, N, K, D]."""
    num_nodes, _, num_heads, size = query.shape
    real = range(num_nodes) if real is None else real
    result = np.zeros(query.shape)
    for i, k, h in np.ndindex(num_nodes, num_nodes, num_heads):
        keys = [first_key[i, j, h] + second_key[j, k, h] for j in real]
        weights = softmax(np.array([query[i, k, h] @ key / (2 * size) ** 0.5 for key in keys]))
        values = (first[i, j, h] + second[j, k, h] for j in real)
        result[i, k, h] = sum(weight * value for weight, value in zip(weights, values, strict=True))
    return result


ATTENTIONS = {
    "triangular": (triangular_attention, loop_triangular, 4),
    "pivotal": (pivotal_attention, loop_pivotal, 5),
}
every_attention = pytest.mark.parametrize("name", ATTENTIONS)


@every_attention
def test_attention_skips_padding_nodes(name):
    """The third node of the second sample is padding; it counts for nobody."""
    ours, loop, num_arguments = ATTENTIONS[name]
    arrays = [normal(seed, 2, 3, 3, 2, 4) for seed in range(num_arguments)]
    mask = np.array([[True] * 3, [True, True, False]])
    attend = jax.jit(ours)
    masked = attend(*arrays, mask=mask)
    for index in range(2):
        real = np.flatnonzero(mask[index])
        assert_close(masked[index], loop(*(np.asarray(array[index]) for array in arrays), real))
    assert_close(masked[0], attend(*arrays)[0])


def test_gradients_of_triangular_attention():
    """Those of the same formula, written with the array that is avoided."""
    arrays = [normal(seed, 1, 3, 3, 2, 2) for seed in range(4)]

    def plain(query, key, first, second):
        logits = jnp.einsum("bilkd,bljkd->biljk", query, key) / query.shape[-1] ** 0.5
        ways = first[:, :, :, None] * second[:, None]
        return (jax.nn.softmax(logits, axis=2)[..., None] * ways).sum(axis=2)

    weights = normal(9, 1, 3, 3, 2, 2)
    ours, theirs = (
        jax.jit(jax.grad(lambda *x, f=f: (f(*x) * weights).sum(), argnums=(0, 1, 2, 3)))(*arrays)
        for f in (triangular_attention, plain)
    )
    jax.tree.map(functools.partial(assert_close, tolerance=1e-5), ours, theirs)


@every_attention
def test_no_array_of_triples_and_features(name):
    """With gradients, what is kept at once stays below the size of an array [B, N, N, N, H]."""
    attention, _, num_arguments = ATTENTIONS[name]
    batch_size, num_nodes, num_heads, size = 2, 40, 2, 32
    array = jax.ShapeDtypeStruct((batch_size, num_nodes, num_nodes, num_heads, size), jnp.float32)
    gradient = jax.grad(lambda *x: (attention(*x) ** 2).sum(), argnums=tuple(range(num_arguments)))
    compiled = jax.jit(gradient).lower(*[array] * num_arguments).compile()
    triples = 4 * batch_size * num_nodes**3 * num_heads * size
    assert compiled.memory_analysis().temp_size_in_bytes < triples / 2


# ---------------------------------------------------------------------------------------------------
# Memory and options


def masked_step():
    """That of `random_step`, with the last node of the second sample for padding."""
    features, hidden, memory = random_step()
    return features._replace(mask=np.array([[True] * 4, [True, True, True, False]])), hidden, memory


@every_maker
def test_the_memory_is_read_and_may_be_absent(make):
    features, hidden, memory = masked_step()
    with_memory, with_zeros, with_none = (
        processed(make, features, hidden, each, num_layers=1)[1]
        for each in (memory, np.zeros_like(memory), ())
    )
    assert np.abs(with_memory.nodes - with_zeros.nodes).max() > 1e-2
    jax.tree.map(assert_close, with_none, with_zeros)
    assert with_memory.memory.shape == memory.shape


@every_maker
def test_initial_memory(make):
    def initial():
        return make(HIDDEN, num_heads=HEADS).initial_memory(BATCH, NODES)

    memory = jax.jit(hk.transform(initial).apply)({}, None)
    np.testing.assert_array_equal(memory, np.zeros((BATCH, NODES, NODES, HIDDEN)))


@every_maker
def test_memory_of_padding_pairs_is_zero(make):
    _, result = processed(make, *masked_step(), num_layers=1)
    assert not result.memory[1, 3].any() and not result.memory[1, :, 3].any()
    assert result.memory[1, :3, :3].all() and result.memory[0].all()


@every_maker
def test_wrong_shape_of_memory(make):
    features, hidden, memory = random_step()
    with pytest.raises(ValueError, match=r"memory must have shape \(2, 4, 4, 6\), got \(2, 4, 3, 6\)"):
        processed(make, features, hidden, memory[:, :, 1:])


@every_maker
@pytest.mark.parametrize("num_layers", [1, 2])
def test_layers_have_parameters_of_their_own(make, num_layers):
    params = parameters(make, num_layers=num_layers)
    assert {name.split("/")[0] for name in params if name.startswith("layer")} == {
        f"layer_{layer}" for layer in range(num_layers)
    }


def test_edges_may_be_read_only():
    features, hidden, memory = random_step()
    params, result = processed(RelationalTransformer, features, hidden, memory, edge_updates=False)
    assert not any("edge_out" in name for name in params)
    e = Plain(params).linear("edge", np.asarray(dense(features.edges)), np.asarray(memory))
    e = e + Plain(params).linear("edge_graph", np.asarray(features.graph))[:, None, None]
    assert_close(result.edges, e)


@every_maker
@pytest.mark.parametrize("num_heads", [0, 4])
def test_heads_divide_the_hidden_size(make, num_heads):
    with pytest.raises(ValueError, match=f"num_heads must divide hidden_size = 6, got {num_heads}"):
        hk.transform(lambda: make(HIDDEN, num_heads=num_heads)).init(None)


@every_maker
@pytest.mark.parametrize("value", [0, -1, 1.5, "2", True])
def test_bad_number_of_layers(make, value):
    with pytest.raises(ValueError, match=f"num_layers must be an integer of at least 1, got {value!r}"):
        hk.transform(lambda: make(8, num_layers=value)).init(None)


@pytest.mark.parametrize("make", [EdgeTransformer, FloydNet])
def test_unknown_aggregation(make):
    with pytest.raises(ValueError, match="unknown aggregation 'median'; known: max, sum, mean"):
        hk.transform(lambda: make(8, aggregation="median")).init(None)
