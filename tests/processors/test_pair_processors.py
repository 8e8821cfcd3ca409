"""Processors with edge or pair states: comparison with NumPy loops, memory and options."""

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nar.processors import EdgeTransformer, Features, FloydNet, RelationalTransformer
from nar.processors.base import FactoredFeatures, dense
from nar.processors.edge_transformer import triangular_attention
from nar.processors.floydnet import pivotal_attention
from nar.processors.presets import DiagonalEdgeTransformer

BATCH, NODES, SIZE, HIDDEN, HEADS = 2, 4, 3, 6, 2
PROCESSORS = (RelationalTransformer, EdgeTransformer, FloydNet)
every_processor = pytest.mark.parametrize("make", PROCESSORS)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def random_step(num_nodes=NODES):
    """Random features, hidden states and memory."""
    pairs = (BATCH, num_nodes, num_nodes)
    edges = FactoredFeatures(normal(0, *pairs, 2), normal(1, 2, SIZE), normal(2, SIZE))
    adjacency = np.tile(np.eye(num_nodes, dtype=bool), (BATCH, 1, 1))
    features = Features(normal(3, BATCH, num_nodes, SIZE), edges, normal(4, BATCH, SIZE), adjacency)
    return features, normal(5, BATCH, num_nodes, HIDDEN), normal(6, *pairs, HIDDEN)


@functools.cache
def network(make, **options):
    """Random parameters of a processor as NumPy arrays, and its compiled function."""

    def forward(features, hidden, memory):
        return make(HIDDEN, num_heads=HEADS, **options)(features, hidden, memory)

    pure = hk.without_apply_rng(hk.transform(forward))
    shapes = jax.eval_shape(pure.init, jax.random.key(0), *random_step())
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: 0.5 * random.standard_normal(leaf.shape).astype("f"), shapes)
    return params, jax.jit(pure.apply)


def parameters(make, **options):
    """Parameters by module name, without the name of the processor."""
    params, _ = network(make, **options)
    return {module.split("/", 1)[1]: leaves for module, leaves in params.items() if "/" in module}


def apply_processor(make, features, hidden, memory, **options):
    """Parameters by module name, and the output of the processor."""
    params, apply = network(make, **options)
    return parameters(make, **options), apply(params, features, hidden, memory)


def assert_close(first, second, tolerance=1e-4):
    np.testing.assert_allclose(first, second, rtol=tolerance, atol=tolerance)


# ---------------------------------------------------------------------------------------------------
# NumPy reference of layers, for one sample


class NumpyLayers:
    """Linear maps and layer norms of a processor by name, in NumPy."""

    def __init__(self, params, prefix=""):
        self._params, self._prefix = params, prefix

    def linear(self, name, *inputs):
        leaves = self._params[self._prefix + name]
        return np.concatenate(inputs, axis=-1) @ leaves["w"] + leaves.get("b", 0)

    def norm(self, name, x):
        leaves = self._params[self._prefix + name]
        centered = x - x.mean(axis=-1, keepdims=True)
        return (
            leaves["scale"] * centered / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + 1e-5)
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


def pooled(layer, pairs):
    """Sum over the pairs that end in each node, plus the sum over those that start in it."""
    return layer.linear("ending", pairs).sum(axis=0) + layer.linear("starting", pairs).sum(axis=1)


def sample(index, features, hidden, memory):
    """One sample as numpy arrays: nodes, edges, graph, hidden, memory."""
    arrays = (features.nodes, dense(features.edges), features.graph, hidden, memory)
    return [np.asarray(array[index]) for array in arrays]


# ---------------------------------------------------------------------------------------------------
# Formulas


def test_relational_transformer_matches_its_formula():
    step = random_step()
    params, ours = apply_processor(RelationalTransformer, *step, num_layers=1, node_size=5, edge_size=4)
    outer, layer = NumpyLayers(params), NumpyLayers(params, "layer_0/")
    for index in range(BATCH):
        nodes, edges, graph, hidden, memory = sample(index, *step)
        n = outer.linear("node", nodes, hidden) + outer.linear("node_graph", graph)
        e = outer.linear("edge", edges, memory) + outer.linear("edge_graph", graph)
        new = []
        for j in range(NODES):
            logits, values = np.zeros((NODES, HEADS)), []
            for i in range(NODES):
                query, key, value = np.split(layer.linear("edge_query_key_value", e[i, j]), 3)
                receiver_maps = np.split(layer.linear("node_query_key_value", n[j]), 3)
                sender_maps = np.split(layer.linear("node_query_key_value", n[i]), 3)
                query, key = query + receiver_maps[0], key + sender_maps[1]
                logits[i] = (heads(query) * heads(key)).sum(axis=-1) / (HIDDEN / HEADS) ** 0.5
                values.append(heads(value + sender_maps[2]))
            weights = [softmax(logits[:, k]) for k in range(HEADS)]
            message = np.stack([weights[k] @ np.array(values)[:, k] for k in range(HEADS)])
            assert_close(ours.messages[index, j], message.ravel())
            updated = layer.norm("node_norm_0", n[j] + layer.linear("out", message.ravel()))
            new.append(layer.norm("node_norm_1", updated + layer.feed_forward("node_ff", updated)))
            assert_close(ours.nodes[index, j], new[j])
        for i in range(NODES):
            for j in range(NODES):
                inner = layer.linear("edge_pair", e[i, j], e[j, i])
                inner = inner + layer.linear("edge_sender", new[i]) + layer.linear("edge_receiver", new[j])
                edge = e[i, j] + layer.linear("edge_out", np.maximum(inner, 0))
                edge = layer.norm("edge_norm_0", edge)
                edge = layer.norm("edge_norm_1", edge + layer.feed_forward("edge_ff", edge))
                assert_close(ours.edges[index, i, j], edge)
                assert_close(ours.memory[index, i, j], edge)


def embedded(layer, nodes, edges, graph, hidden, memory):
    sender, receiver = layer.linear("sender", nodes, hidden), layer.linear("receiver", nodes, hidden)
    pairs = layer.linear("pair", edges, memory) + layer.linear("graph", graph)
    return pairs + sender[:, None] + receiver[None]


def transformed(layer, r):
    """A layer of the edge transformer."""
    maps = np.split(layer.linear("query_key_first_second", layer.norm("norm_0", r)), 4, axis=-1)
    attended = np.asarray(triangular_attention_loop(*(x.reshape(NODES, NODES, HEADS, -1) for x in maps)))
    r = layer.norm("norm_1", r + layer.linear("out", attended.reshape(r.shape)))
    return layer.norm("norm_2", r + layer.feed_forward("feed_forward", r))


def test_published_edge_transformer_matches_its_formula():
    features, hidden, _ = random_step()
    params, ours = apply_processor(DiagonalEdgeTransformer, features, hidden, (), num_layers=2)
    outer = NumpyLayers(params)
    assert "ending" not in params and "node" not in params
    for index in range(BATCH):
        nothing = np.zeros((BATCH, NODES, NODES, 0))
        r = embedded(outer, *sample(index, features, hidden, nothing))
        for number in range(2):
            r = transformed(NumpyLayers(params, f"layer_{number}/"), r)
        assert_close(ours.edges[index], r)
        assert_close(ours.nodes[index], [r[i, i] for i in range(NODES)])
    assert ours.memory == ()


def test_edge_transformer_matches_its_formula():
    step = random_step()
    params, ours = apply_processor(EdgeTransformer, *step, aggregation="sum")
    outer, layer = NumpyLayers(params), NumpyLayers(params, "layer_0/")
    for index in range(BATCH):
        r = transformed(layer, embedded(outer, *sample(index, *step)))
        messages = pooled(outer, r)
        assert_close(ours.memory[index], r)
        assert_close(ours.edges[index], r)
        assert_close(ours.messages[index], messages)
        assert_close(
            ours.nodes[index], outer.norm("node_norm", outer.linear("node", np.maximum(messages, 0)))
        )


def test_floydnet_matches_its_formula():
    step = random_step()
    params, ours = apply_processor(FloydNet, *step, aggregation="sum")
    outer, layer = NumpyLayers(params), NumpyLayers(params, "layer_0/")
    for index in range(BATCH):
        r = outer.linear("embedded", np.maximum(embedded(outer, *sample(index, *step)), 0))
        x = layer.norm("norm_0", r + layer.linear("transposed", r.swapaxes(0, 1)))
        maps = np.split(layer.linear("query_keys_values", x), 5, axis=-1)
        attended = np.asarray(pivotal_attention_loop(*(y.reshape(NODES, NODES, HEADS, -1) for y in maps)))
        r = r + layer.linear("out", attended.reshape(r.shape))
        r = r + layer.feed_forward("feed_forward", layer.norm("norm_1", r))
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


def triangular_attention_loop(query, key, first, second, real=None):
    """Reference for one sample, [N, N, K, D]."""
    num_nodes, _, num_heads, size = query.shape
    real = range(num_nodes) if real is None else real
    result = np.zeros(query.shape)
    for i, j, k in np.ndindex(num_nodes, num_nodes, num_heads):
        weights = softmax(np.array([query[i, a, k] @ key[a, j, k] / size**0.5 for a in real]))
        values = (first[i, a, k] * second[a, j, k] for a in real)
        result[i, j, k] = sum(weight * value for weight, value in zip(weights, values, strict=True))
    return result


def pivotal_attention_loop(query, first_key, second_key, first, second, real=None):
    """Reference for one sample, [N, N, K, D]."""
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
    "triangular": (triangular_attention, triangular_attention_loop, 4),
    "pivotal": (pivotal_attention, pivotal_attention_loop, 5),
}
every_attention = pytest.mark.parametrize("name", ATTENTIONS)


@every_attention
def test_attention_ignores_padding_nodes(name):
    """The third node of the second sample is padding."""
    ours, loop, num_arguments = ATTENTIONS[name]
    arrays = [normal(seed, 2, 3, 3, 2, 4) for seed in range(num_arguments)]
    mask = np.array([[True] * 3, [True, True, False]])
    attend = jax.jit(ours)
    masked = attend(*arrays, mask=mask)
    for index in range(2):
        real = np.flatnonzero(mask[index])
        assert_close(masked[index], loop(*(np.asarray(array[index]) for array in arrays), real))
    assert_close(masked[0], attend(*arrays)[0])


def test_gradients_of_triangular_attention_match_autodiff():
    """Compares with the gradients of the formula that builds an array [B, N, N, N, K, D]."""
    arrays = [normal(seed, 1, 3, 3, 2, 2) for seed in range(4)]

    def naive(query, key, first, second):
        logits = jnp.einsum("bilkd,bljkd->biljk", query, key) / query.shape[-1] ** 0.5
        values = first[:, :, :, None] * second[:, None]
        return (jax.nn.softmax(logits, axis=2)[..., None] * values).sum(axis=2)

    weights = normal(9, 1, 3, 3, 2, 2)
    ours, theirs = (
        jax.jit(jax.grad(lambda *x, f=f: (f(*x) * weights).sum(), argnums=(0, 1, 2, 3)))(*arrays)
        for f in (triangular_attention, naive)
    )
    jax.tree.map(functools.partial(assert_close, tolerance=1e-5), ours, theirs)


@every_attention
def test_attention_allocates_no_array_of_triples_and_features(name):
    """Temporary memory with gradients stays below the size of an array [B, N, N, N, H]."""
    attention, _, num_arguments = ATTENTIONS[name]
    batch_size, num_nodes, num_heads, size = 2, 40, 2, 32
    array = jax.ShapeDtypeStruct((batch_size, num_nodes, num_nodes, num_heads, size), jnp.float32)
    gradient = jax.grad(lambda *x: (attention(*x) ** 2).sum(), argnums=tuple(range(num_arguments)))
    compiled = jax.jit(gradient).lower(*[array] * num_arguments).compile()
    triples = 4 * batch_size * num_nodes**3 * num_heads * size
    assert compiled.memory_analysis().temp_size_in_bytes < triples / 2


# ---------------------------------------------------------------------------------------------------
# Memory and options


def step_with_padding():
    """`random_step` with the last node of the second sample as padding."""
    features, hidden, memory = random_step()
    return features._replace(mask=np.array([[True] * 4, [True, True, True, False]])), hidden, memory


@every_processor
def test_output_depends_on_memory_and_empty_memory_is_zero(make):
    features, hidden, memory = step_with_padding()
    with_memory, with_zeros, with_empty = (
        apply_processor(make, features, hidden, x, num_layers=1)[1]
        for x in (memory, np.zeros_like(memory), ())
    )
    assert np.abs(with_memory.nodes - with_zeros.nodes).max() > 1e-2
    jax.tree.map(assert_close, with_empty, with_zeros)
    assert with_memory.memory.shape == memory.shape


@every_processor
def test_initial_memory(make):
    def initial():
        return make(HIDDEN, num_heads=HEADS).initial_memory(BATCH, NODES)

    memory = jax.jit(hk.transform(initial).apply)({}, None)
    np.testing.assert_array_equal(memory, np.zeros((BATCH, NODES, NODES, HIDDEN)))


@every_processor
def test_memory_of_padding_pairs_is_zero(make):
    _, result = apply_processor(make, *step_with_padding(), num_layers=1)
    assert not result.memory[1, 3].any() and not result.memory[1, :, 3].any()
    assert result.memory[1, :3, :3].all() and result.memory[0].all()


@every_processor
def test_memory_of_wrong_shape_is_rejected(make):
    features, hidden, memory = random_step()
    with pytest.raises(ValueError, match=r"memory must have shape \(2, 4, 4, 6\), got \(2, 4, 3, 6\)"):
        apply_processor(make, features, hidden, memory[:, :, 1:])


@every_processor
@pytest.mark.parametrize("num_layers", [1, 2])
def test_layers_do_not_share_parameters(make, num_layers):
    params = parameters(make, num_layers=num_layers)
    assert {name.split("/")[0] for name in params if name.startswith("layer")} == {
        f"layer_{layer}" for layer in range(num_layers)
    }


def test_edge_updates_can_be_disabled():
    features, hidden, memory = random_step()
    params, result = apply_processor(RelationalTransformer, features, hidden, memory, edge_updates=False)
    assert not any("edge_out" in name for name in params)
    e = NumpyLayers(params).linear("edge", np.asarray(dense(features.edges)), np.asarray(memory))
    e = e + NumpyLayers(params).linear("edge_graph", np.asarray(features.graph))[:, None, None]
    assert_close(result.edges, e)


@every_processor
@pytest.mark.parametrize("num_heads", [0, 4])
def test_num_heads_must_divide_hidden_size(make, num_heads):
    with pytest.raises(ValueError, match=f"num_heads must divide hidden_size = 6, got {num_heads}"):
        hk.transform(lambda: make(HIDDEN, num_heads=num_heads)).init(None)


@every_processor
@pytest.mark.parametrize("value", [0, -1, 1.5, "2", True])
def test_num_layers_must_be_a_positive_integer(make, value):
    with pytest.raises(ValueError, match=f"num_layers must be an integer of at least 1, got {value!r}"):
        hk.transform(lambda: make(8, num_layers=value)).init(None)


@pytest.mark.parametrize("make", [EdgeTransformer, FloydNet])
def test_unknown_aggregation(make):
    with pytest.raises(ValueError, match="unknown aggregation 'median'; known: max, sum, mean"):
        hk.transform(lambda: make(8, aggregation="median")).init(None)
