"""Processors: one contract for all of `PROCESSORS`, and each part against a plain definition."""

import dataclasses
import functools
import inspect
import pathlib
import re

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest

import nar
from nar.model.dm_clrs.layouts import LAYOUTS
from nar.processors import (
    AGGREGATIONS,
    GAT,
    LSTM,
    MPNN,
    PGN,
    PROCESSORS,
    Apart,
    Context,
    DeepSets,
    FactoredFeatures,
    Features,
    FullGraph,
    Gated,
    GATv2,
    Linear,
    Masked,
    MemNet,
    Processed,
    TripletGMPNN,
    Triplets,
    dense,
    find_aggregation,
    find_processor,
    full_adjacency,
    largest,
)
from nar.processors.aggregation import NO_MESSAGE
from nar.processors.memnet import position_encoding, read_words
from nar.processors.triplets import max_plus

every_processor = pytest.mark.parametrize("name", PROCESSORS)
OF_MEMORY = ("memnet_full", "memnet_masked")
"""Those that know their nodes apart, take features for words, and do not read hidden states."""
BATCH, NODES, SIZE, HIDDEN, CHANNELS = 2, 5, 6, 8, 3


def random_features(seed=0, num_nodes=NODES):
    """Features with factored edges, and states."""
    random = np.random.default_rng(seed)

    def normal(*shape):
        return jnp.asarray(random.standard_normal(shape), jnp.float32)

    adjacency = (random.random((BATCH, num_nodes, num_nodes)) < 0.5) | np.eye(num_nodes, dtype=bool)
    edges = FactoredFeatures(
        normal(BATCH, num_nodes, num_nodes, CHANNELS), normal(CHANNELS, SIZE), normal(SIZE)
    )
    nodes, graph = normal(BATCH, num_nodes, SIZE), normal(BATCH, SIZE)
    return Features(nodes, edges, graph, jnp.asarray(adjacency)), normal(BATCH, num_nodes, HIDDEN)


def reads_history(name):
    """Whether it reads the states of the previous step."""
    return name not in (*OF_MEMORY, "forgetnet")


def in_type(dtype, tree):
    return jax.tree.map(lambda leaf: leaf if leaf.dtype == bool else leaf.astype(dtype), tree)


def with_dense_edges(features):
    return features._replace(edges=dense(features.edges))


@functools.cache
def network(name):
    """Parameters of a processor, moved off their initial 0 and 1, and its pure function."""

    def forward(features, hidden):
        processor = PROCESSORS[name](HIDDEN)
        memory = processor.initial_memory(BATCH, features.nodes.shape[1])
        return processor(features, hidden, memory, Context())

    transformed = hk.without_apply_rng(hk.transform(forward))
    random = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: leaf + 0.1 * random.standard_normal(leaf.shape).astype(np.float32),
        transformed.init(jax.random.key(0), *random_features()),
    )
    return params, transformed.apply


@functools.cache
def compiled(name):
    return jax.jit(network(name)[1])


def run(name, features, hidden):
    return compiled(name)(network(name)[0], features, hidden)


def assert_close(first, second, tolerance=1e-5):
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance), first, second)


# ---------------------------------------------------------------------------------------------------
# The contract


@every_processor
def test_shapes(name):
    processed = run(name, *random_features())
    assert isinstance(processed, Processed)
    assert processed.nodes.shape == (BATCH, NODES, HIDDEN)
    assert processed.messages is None or processed.messages.shape == (BATCH, NODES, HIDDEN)
    assert processed.edges is None or processed.edges.shape == (BATCH, NODES, NODES, HIDDEN)
    assert processed.graph is None or processed.graph.shape == (BATCH, HIDDEN)
    assert all(loss.shape == (BATCH,) for loss in processed.losses.values())
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(processed))


def assert_order_does_not_matter(call):
    features, hidden = random_features()
    order = np.array([3, 1, 4, 0, 2])

    def nodes(value):
        return value[:, order]

    def pairs(value):
        return value[:, order][:, :, order]

    factored = features.edges
    permuted = features._replace(
        nodes=nodes(features.nodes),
        edges=FactoredFeatures(pairs(factored.values), factored.vectors, factored.bias),
        adjacency=pairs(features.adjacency),
    )
    before, after = call(features, hidden), call(permuted, nodes(hidden))
    assert_close(after.nodes, nodes(before.nodes))
    assert_close(after.messages, None if before.messages is None else nodes(before.messages))
    assert_close(after.edges, None if before.edges is None else pairs(before.edges))
    assert_close(after.graph, before.graph)
    assert_close(after.pointable, None if before.pointable is None else pairs(before.pointable))
    assert_close(after.losses, before.losses)


@pytest.mark.parametrize("name", sorted(set(PROCESSORS) - set(OF_MEMORY)))
def test_order_of_nodes_does_not_matter(name):
    assert_order_does_not_matter(functools.partial(run, name))


@pytest.mark.parametrize("name", OF_MEMORY)
def test_order_of_nodes_matters_to_memory_networks(name):
    """The offsets of the places in their memory are all that tells nodes apart."""
    params, _ = network(name)
    assert params["memnet"]["places"].any()
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_order_does_not_matter(functools.partial(run, name))
    alike = {**params, "memnet": {**params["memnet"], "places": 0 * params["memnet"]["places"]}}
    assert_order_does_not_matter(functools.partial(compiled(name), alike))


def padded(features, hidden, more, garbage):
    """`more` nodes of garbage that are connected with nothing."""

    def fill(value, axes):
        width = [(0, 0), *[(0, more)] * axes] + [(0, 0)] * (value.ndim - 1 - axes)
        return jnp.pad(value, width, constant_values=garbage)

    num_nodes = features.nodes.shape[1]
    adjacency = np.zeros((BATCH, num_nodes + more, num_nodes + more), bool)
    adjacency[:, :num_nodes, :num_nodes] = features.adjacency
    adjacency |= np.eye(num_nodes + more, dtype=bool)
    edges = features.edges
    new = Features(
        nodes=fill(features.nodes, 1),
        edges=FactoredFeatures(fill(edges.values, 2), edges.vectors, edges.bias),
        graph=features.graph,
        adjacency=jnp.asarray(adjacency),
        mask=jnp.broadcast_to(jnp.arange(num_nodes + more)[None] < num_nodes, (BATCH, num_nodes + more)),
    )
    return new, fill(hidden, 1)


@every_processor
@pytest.mark.parametrize("garbage", [0.0, 50.0])
def test_padding_nodes_change_nothing(name, garbage):
    features, hidden = random_features()
    before, after = run(name, features, hidden), run(name, *padded(features, hidden, 3, garbage))
    assert_close(after.nodes[:, :NODES], before.nodes)
    if before.messages is not None:
        assert_close(after.messages[:, :NODES], before.messages)
    if before.edges is not None:
        assert_close(after.edges[:, :NODES, :NODES], before.edges)
    assert_close(after.graph, before.graph)
    assert_close(after.losses, before.losses)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(after))


@every_processor
def test_padding_nodes_get_no_gradient(name):
    features, hidden = padded(*random_features(), 2, 1.0)
    params, apply = network(name)

    def of_real_nodes(params, nodes, hidden):
        processed = apply(params, features._replace(nodes=nodes), hidden)
        edges = 0 if processed.edges is None else processed.edges[:, :NODES, :NODES].sum()
        return processed.nodes[:, :NODES].sum() + edges

    gradient = jax.jit(jax.grad(of_real_nodes, argnums=(0, 1, 2)))
    gradients = gradient(params, features.nodes, hidden)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
    for gradient, is_read in zip(gradients[1:], (name not in OF_MEMORY, reads_history(name)), strict=True):
        assert not gradient[:, NODES:].any()
        assert gradient[:, :NODES].any() == is_read


@every_processor
def test_edges_may_be_factored_or_not(name):
    features, hidden = random_features()
    assert_close(run(name, features, hidden), run(name, with_dense_edges(features), hidden), 1e-4)


@every_processor
def test_every_feature_is_read(name):
    features, hidden = random_features()
    before = run(name, features, hidden)
    factored = features.edges
    changed = {
        "nodes": features._replace(nodes=features.nodes + 1),
        "edges": features._replace(
            edges=FactoredFeatures(factored.values + 1, factored.vectors, factored.bias)
        ),
        "graph": features._replace(graph=features.graph + 1),
    }
    for field, value in changed.items():
        assert np.abs(run(name, value, hidden).nodes - before.nodes).max() > 1e-3, field
    change = np.abs(run(name, features, hidden + 1).nodes - before.nodes).max()
    assert (change > 1e-3) == reads_history(name)


READ_THE_GRAPH = {"gat", "gatv2", "memnet_masked", *(name for name in LAYOUTS if "pgn" in name)}


@pytest.mark.parametrize("name", LAYOUTS)
def test_which_read_the_graph(name):
    features, hidden = random_features()
    alone = jnp.broadcast_to(jnp.eye(NODES, dtype=bool), features.adjacency.shape)
    before, after = (run(name, f, hidden).nodes for f in (features, features._replace(adjacency=alone)))
    assert (np.abs(after - before).max() > 1e-3) == (name in READ_THE_GRAPH)


@every_processor
def test_which_mask_predictions(name):
    features, hidden = random_features()
    pointable = run(name, features, hidden).pointable
    assert (pointable is not None) == name.endswith("pgn_mask")
    if pointable is not None:
        np.testing.assert_array_equal(pointable, features.adjacency)


@every_processor
def test_samples_are_apart(name):
    features, hidden = random_features()
    before = run(name, features, hidden)
    other = features._replace(nodes=features.nodes.at[1].add(1), graph=features.graph.at[1].add(1))
    after = run(name, other, hidden.at[1].add(1))
    assert_close(jax.tree.map(lambda leaf: leaf[0], after), jax.tree.map(lambda leaf: leaf[0], before))


@every_processor
@pytest.mark.parametrize("factored", [False, True])
def test_half_precision(name, factored):
    """Of features in bfloat16 everything that is made is in bfloat16, and near; parameters stay float32."""
    features, hidden = random_features()
    if not factored:
        features = with_dense_edges(features)
    half = in_type(jnp.bfloat16, (features, hidden))
    expected = run(name, *in_type(jnp.float32, half))
    if factored:  # the vectors are parameters, too
        half = (
            half[0]._replace(edges=dataclasses.replace(features.edges, values=half[0].edges.values)),
            half[1],
        )
    found = run(name, *half)
    for leaf, wanted in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        if wanted.dtype == bool:
            continue
        assert (leaf.dtype, wanted.dtype) == (jnp.bfloat16, jnp.float32)
        leaf = np.asarray(leaf, np.float32)
        assert np.isfinite(leaf).all()
        assert np.abs(leaf - wanted).max() < 0.1 * np.abs(wanted).max()


@every_processor
def test_parameters_are_float32_whatever_the_features(name):
    def forward(features, hidden):
        return PROCESSORS[name](HIDDEN)(features, hidden)

    for dtype in (jnp.bfloat16, jnp.float32):
        features, hidden = in_type(dtype, random_features())
        params = jax.eval_shape(hk.transform(forward).init, jax.random.key(0), features, hidden)
        assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


@every_processor
def test_gradients_reach_every_parameter(name):
    features, hidden = random_features()
    params, apply = network(name)

    def loss(params):
        processed = apply(params, features, hidden)
        return (processed.nodes**2).sum() + (0 if processed.edges is None else (processed.edges**2).sum())

    gradients = jax.jit(jax.grad(loss))(params)
    for module, leaves in gradients.items():
        for leaf, gradient in leaves.items():
            assert np.abs(gradient).max() > 0, (module, leaf)


@every_processor
@pytest.mark.parametrize(
    ("field", "shape", "message"),
    [
        ("nodes", (BATCH, NODES), "nodes must have shape (B, N, F), got (2, 5)"),
        ("nodes", (BATCH, NODES + 1, SIZE), "edges must have shape (2, 6, 6, F), got (2, 5, 5, 6)"),
        ("edges", (BATCH, NODES, NODES), "edges must have shape (2, 5, 5, F), got (2, 5, 5)"),
        ("edges", (BATCH, NODES, NODES + 1, SIZE), "edges must have shape (2, 5, 5, F), got (2, 5, 6, 6)"),
        ("graph", (BATCH + 1, SIZE), "graph must have shape (2, F), got (3, 6)"),
        ("graph", (BATCH, 1, SIZE), "graph must have shape (2, F), got (2, 1, 6)"),
        ("adjacency", (BATCH, NODES, NODES + 1), "adjacency must have shape (2, 5, 5), got (2, 5, 6)"),
        ("mask", (BATCH, NODES + 1), "mask must have shape (2, 5), got (2, 6)"),
    ],
)
def test_wrong_shapes(name, field, shape, message):
    features, hidden = random_features()
    dtype = bool if field in ("adjacency", "mask") else np.float32
    wrong = features._replace(**{field: jnp.ones(shape, dtype)})
    with pytest.raises(ValueError, match=re.escape(message)):
        run(name, wrong, hidden)


@every_processor
def test_wrong_shape_of_hidden(name):
    features, hidden = random_features()
    with pytest.raises(ValueError, match=r"hidden must have shape \(2, 5, H\), got \(2, 4, 8\)"):
        run(name, features, hidden[:, 1:])


@every_processor
def test_works_alone_on_plain_arrays(name):
    """As in the docstring of the room: inside `hk.transform`, on numpy arrays, without memory or context."""

    def forward(nodes, edges, graph, adjacency, hidden):
        features = Features(nodes, edges, graph, adjacency)
        return PROCESSORS[name](hidden_size=HIDDEN)(features, hidden).nodes

    features, hidden = jax.tree.map(np.asarray, random_features())
    arrays = (features.nodes, dense(features.edges), features.graph, features.adjacency, hidden)
    transformed = hk.transform(forward)
    params = transformed.init(jax.random.key(0), *arrays)
    assert_close(jax.tree.map(jnp.shape, params), jax.tree.map(jnp.shape, network(name)[0]))
    nodes = transformed.apply(network(name)[0], None, *arrays)
    assert_close(nodes, run(name, with_dense_edges(features), hidden).nodes)


@pytest.mark.parametrize("name", ["gta", "", None, 3, ["mpnn"], {}, PGN, float("nan")])
def test_unknown_processor(name):
    with pytest.raises(ValueError, match="unknown processor .*; known: " + ", ".join(PROCESSORS)):
        find_processor(name)
    assert find_processor("mpnn") is PROCESSORS["mpnn"]


def test_table_of_processors():
    assert nar.PROCESSORS is PROCESSORS
    with pytest.raises(TypeError):
        PROCESSORS["new"] = PGN


def test_every_processor_is_documented():
    """In the table of all, with the name of its class, and in the README of the repository."""
    root = pathlib.Path(nar.__file__).parents[1]
    table = (root / "nar/processors/README.md").read_text()
    readme = (root / "README.md").read_text()
    for name, make in PROCESSORS.items():
        assert f"`{name}`" in table and f"`{name}`" in readme
        assert f"`{make.__name__}`" in table or name.startswith("triplet")
        options = set(inspect.signature(make).parameters) - {"hidden_size", "name", "options"}
        assert all(f"`{option}`" in table for option in options), (name, options)


# ---------------------------------------------------------------------------------------------------
# Options of the parts


def transformed(function, *arguments, seed=0):
    """Parameters of a function that uses Haiku modules, and what it returns."""
    pure = hk.without_apply_rng(hk.transform(function))
    params = pure.init(jax.random.key(seed), *arguments)
    return params, pure.apply(params, *arguments)


@pytest.mark.parametrize("make", [PGN, MPNN])
@pytest.mark.parametrize("message_layers", [0, 1, 3])
def test_message_layers(make, message_layers):
    features, hidden = random_features()
    params, _ = transformed(lambda f, h: make(HIDDEN, message_layers=message_layers)(f, h), features, hidden)
    assert sum("message_" in module for module in params) == message_layers


@pytest.mark.parametrize("layer_norm", [False, True])
def test_layer_norm(layer_norm):
    features, hidden = random_features()
    params, processed = transformed(lambda f, h: PGN(HIDDEN, layer_norm=layer_norm)(f, h), features, hidden)
    assert ("pgn/norm" in params) == layer_norm
    normalised = np.allclose(processed.nodes.mean(axis=-1), 0, atol=1e-5)
    assert normalised == layer_norm


def test_options_pass_through_compositions():
    """Options of the innermost part can be given to every processor of the table, as a config does."""
    features, hidden = random_features()
    for name in [name for name in LAYOUTS if LAYOUTS[name].num_messages]:
        factory = PROCESSORS[name]
        options = {"message_layers": 1, "aggregation": "sum", "layer_norm": False}
        if "triplet" in name:
            options["num_triplet_features"] = 2
        params, _ = transformed(
            lambda f, h, make=factory, kw=options: make(HIDDEN, **kw)(f, h), features, hidden
        )
        assert not any("norm" in module or "message_1" in module for module in params)
        if "triplet" in name:
            assert next(w for m, w in params.items() if m.endswith("triplets/out"))["w"].shape == (2, HIDDEN)


def test_pgn_is_its_formula():
    """Loops over receivers, with the sum of messages over neighbours alone."""
    features, hidden = random_features()
    params, processed = transformed(
        lambda f, h: PGN(HIDDEN, aggregation=AGGREGATIONS["sum"], layer_norm=False)(f, h), features, hidden
    )

    def linear(name, x):
        return x @ np.asarray(params[f"pgn/{name}"]["w"]) + np.asarray(params[f"pgn/{name}"]["b"])

    edges, adjacency = np.asarray(dense(features.edges)), np.asarray(features.adjacency)
    z = np.concatenate([features.nodes, hidden], axis=-1)
    for b in range(BATCH):
        for j in range(NODES):
            received = 0
            for i in np.flatnonzero(adjacency[b, :, j]):
                message = linear("receiver", z[b, j]) + linear("sender", z[b, i])
                message = (
                    message + linear("edge", edges[b, i, j]) + linear("graph", np.asarray(features.graph[b]))
                )
                for layer in range(2):
                    message = linear(f"message_{layer}", np.maximum(message, 0))
                received = received + message
            assert_close(processed.messages[b, j], received, 1e-4)
            expected = np.maximum(linear("own", z[b, j]) + linear("received", received), 0)
            assert_close(processed.nodes[b, j], expected, 1e-4)


@pytest.mark.parametrize("masked", [False, True])
def test_full_graph(masked):
    features, hidden = random_features()
    if masked:
        features, hidden = padded(features, hidden, 2, 0.0)
    adjacency = full_adjacency(features)
    num_nodes = hidden.shape[1]
    for i in range(num_nodes):
        for j in range(num_nodes):
            assert adjacency[:, i, j].all() == (i == j or max(i, j) < NODES)
            assert adjacency[:, i, j].any() == adjacency[:, i, j].all()


class Recurrent(hk.Module):
    """A processor with memory: it counts its steps."""

    def initial_memory(self, batch_size, num_nodes):
        return jnp.zeros((batch_size, num_nodes))

    def __call__(self, features, hidden, memory=(), context=None):
        return Processed(
            hidden + 1, messages=hidden, memory=memory + 1, losses={"own": jnp.ones(len(hidden))}
        )


@pytest.mark.parametrize(
    "wrap", [FullGraph, lambda inner: Gated(inner, HIDDEN), lambda inner: Triplets(inner, HIDDEN)]
)
def test_wrappers_hand_on_memory_and_losses(wrap):
    features, hidden = random_features()

    def forward(features, hidden):
        processor = wrap(Recurrent())
        memory = processor.initial_memory(BATCH, NODES)
        for _ in range(2):
            processed = processor(features, hidden, memory)
            memory = processed.memory
        return processed

    _, processed = transformed(forward, features, hidden)
    assert_close(processed.memory, np.full((BATCH, NODES), 2.0))
    assert list(processed.losses) == ["own"]


# ---------------------------------------------------------------------------------------------------
# Compositions: wrappers around whatever makes sense

COMPOSED = {
    "triplets of attention": lambda: Triplets(GAT(HIDDEN, num_heads=2), HIDDEN),
    "gated attention": lambda: Gated(FullGraph(GATv2(HIDDEN)), HIDDEN),
    "gated sets with triplets": lambda: Triplets(Gated(DeepSets(HIDDEN), HIDDEN), HIDDEN),
    "gates apart": lambda: Apart(Gated(PGN(HIDDEN, aggregation="recurrent"), HIDDEN)),
    "a gated memory of numbers": lambda: Gated(MemNet(HIDDEN, embed=False, num_hops=2), HIDDEN),
    "masked attention": lambda: Masked(Triplets(GATv2(HIDDEN), HIDDEN)),
    "an LSTM behind": lambda: LSTM(Gated(GAT(HIDDEN), HIDDEN), HIDDEN),
}


@pytest.mark.parametrize("kind", COMPOSED)
def test_compositions_keep_the_contract(kind):
    features, hidden = random_features()
    pure = hk.without_apply_rng(hk.transform(lambda f, h: COMPOSED[kind]()(f, h)))
    params = jax.tree.map(lambda leaf: leaf + 0.05, pure.init(jax.random.key(0), features, hidden))
    apply = functools.partial(jax.jit(pure.apply), params)
    before, after = apply(features, hidden), apply(*padded(features, hidden, 2, 7.0))
    assert before.nodes.shape == (BATCH, NODES, HIDDEN)
    assert_close(after.nodes[:, :NODES], before.nodes)
    assert_order_does_not_matter(apply)
    assert apply(*in_type(jnp.bfloat16, (features, hidden))).nodes.dtype == jnp.bfloat16

    def loss(params):
        processed = pure.apply(params, features, hidden)
        return (processed.nodes**2).sum() + (0 if processed.edges is None else (processed.edges**2).sum())

    gradients = jax.jit(jax.grad(loss))(params)
    assert all(np.isfinite(leaf).all() and np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradients))


def test_nodes_that_are_apart_hear_nothing_of_each_other():
    features, hidden = random_features()
    _, before = transformed(lambda f, h: Apart(MPNN(HIDDEN))(f, h), features, hidden)
    others = features._replace(nodes=features.nodes.at[:, 1:].add(1.0))
    _, after = transformed(lambda f, h: Apart(MPNN(HIDDEN))(f, h), others, hidden.at[:, 1:].add(1.0))
    assert_close(after.nodes[:, 0], before.nodes[:, 0])
    assert np.abs(after.nodes[:, 1:] - before.nodes[:, 1:]).max() > 1e-2


def test_nodes_that_are_apart_have_no_edges():
    features, hidden = random_features()
    with pytest.raises(ValueError, match="nodes that are apart have no edges and no graph"):
        transformed(lambda f, h: Apart(Triplets(PGN(HIDDEN), HIDDEN))(f, h), features, hidden)


def test_apart_averages_losses_and_keeps_memory_of_real_nodes():
    class Loud(Recurrent):
        def __call__(self, features, hidden, memory=(), context=None):
            loss = {"own": features.nodes[:, 0, 0]}
            return super().__call__(features, hidden, memory)._replace(losses=loss)

    features, hidden = padded(*random_features(), 2, 50.0)

    def forward(features, hidden):
        processor = Apart(Loud())
        return processor(features, hidden, processor.initial_memory(*hidden.shape[:2]))

    _, processed = transformed(forward, features, hidden)
    assert_close(processed.losses["own"], features.nodes[:, :NODES, 0].mean(axis=1))
    assert processed.memory.shape == (BATCH, NODES + 2, 1)


@pytest.mark.parametrize("make", [GAT, GATv2])
@pytest.mark.parametrize("num_heads", [0, 3, -1])
def test_heads_divide_sizes(make, num_heads):
    with pytest.raises(ValueError, match=f"num_heads must divide hidden_size = 8, got {num_heads}"):
        hk.transform(lambda: make(HIDDEN, num_heads=num_heads)).init(None)
    with pytest.raises(ValueError, match="num_heads must divide attention_size = 6, got 4"):
        hk.transform(lambda: GATv2(HIDDEN, num_heads=4, attention_size=6)).init(None)


def test_attention_reads_edges_of_its_own_node():
    """Node i weighs j by edge (i, j), as in dm-clrs."""
    features, hidden = random_features()
    features = features._replace(adjacency=jnp.ones_like(features.adjacency), edges=dense(features.edges))
    changed = features._replace(edges=features.edges.at[:, 2, 3].add(3.0))
    for make in (GAT, GATv2):
        before, after = (
            transformed(lambda f, h, make=make: make(HIDDEN)(f, h), each, hidden)[1].nodes
            for each in (features, changed)
        )
        differs = np.abs(after - before).max(axis=(0, 2)) > 1e-6
        assert differs.tolist() == [False, False, True, False, False]


def test_limits_of_memory_networks():
    features, hidden = random_features()
    with pytest.raises(ValueError, match="memory_size 5 is for at most 4 nodes, got 5"):
        transformed(lambda f, h: MemNet(HIDDEN, memory_size=5)(f, h), features, hidden)
    wide = features._replace(graph=jnp.ones((BATCH, SIZE + 1)))
    with pytest.raises(ValueError, match=r"nodes, edges and graph must have as many features, got .*7"):
        transformed(lambda f, h: MemNet(HIDDEN)(f, h), wide, hidden)
    for option in ("embedding_size", "memory_size", "num_hops"):
        with pytest.raises(ValueError, match=f"{option} must be at least 1, got 0"):
            hk.transform(lambda option=option: MemNet(HIDDEN, **{option: 0})).init(None)


def test_words_are_looked_up():
    """Whole numbers from -H to H - 1 count from either end of the table; all others are its last row."""
    table = np.random.default_rng(0).standard_normal((4, 3)).astype("f")
    x = jnp.asarray([[0.0, 0.9, -0.9, 1.0, 3.2], [-1.0, -4.0, -5.0, 4.0, 1e9]])
    weights = position_encoding(5, 3)
    rows = np.array([[0, 0, 0, 1, 3], [3, 0, 3, 3, 3]])
    expected = (table[rows] * weights).sum(axis=1)
    assert_close(read_words(x, jnp.asarray(table), weights), expected)


# ---------------------------------------------------------------------------------------------------
# Gates


class Fixed(hk.Module):
    """A processor that returns what it is told."""

    def __init__(self, nodes, messages):
        super().__init__()
        self._processed = Processed(nodes, messages)

    def __call__(self, features, hidden, memory=(), context=None):
        return self._processed


@pytest.mark.parametrize("bias", [-3.0, 0.0])
def test_gate_is_its_formula(bias):
    features, hidden = random_features()
    new, messages = hidden[:, ::-1], 2 * hidden[::-1]
    params, processed = transformed(
        lambda f, h: Gated(Fixed(new, messages), HIDDEN, bias=bias)(f, h), features, hidden
    )
    z = np.concatenate([features.nodes, hidden], axis=-1)
    np.testing.assert_array_equal(params["gate/gate"]["b"], np.full(HIDDEN, bias))
    relu = np.maximum(z @ params["gate/state"]["w"] + messages @ params["gate/messages"]["w"], 0)
    gate = 1 / (1 + np.exp(-(relu @ np.asarray(params["gate/gate"]["w"]) + bias)))
    assert_close(processed.nodes, gate * new + (1 - gate) * hidden)


def test_a_gate_needs_messages_and_states_of_its_size():
    features, hidden = random_features()
    with pytest.raises(ValueError, match=r"a gate of size 9 needs states of that size, got \(2, 5, 8\)"):
        transformed(lambda f, h: Gated(PGN(9), 9)(f, h), features, hidden)
    with pytest.raises(ValueError, match="a gate needs a processor that returns its messages"):
        transformed(lambda f, h: Gated(Fixed(h, None), HIDDEN)(f, h), features, hidden)


# ---------------------------------------------------------------------------------------------------
# Aggregations


def softmax_of(messages, axis):
    weights = np.exp(messages)
    return (weights * messages).sum(axis) / weights.sum(axis)


PLAIN = {"max": np.max, "sum": np.sum, "mean": np.mean, "softmax": softmax_of}


def random_messages():
    random = np.random.default_rng(0)
    messages = random.standard_normal((BATCH, NODES, NODES, HIDDEN)).astype(np.float32)
    adjacency = random.random((BATCH, NODES, NODES)) < 0.4
    return messages, adjacency | np.eye(NODES, dtype=bool)


@pytest.mark.parametrize("name", PLAIN)
def test_aggregations_are_loops(name):
    messages, adjacency = random_messages()
    received = AGGREGATIONS[name](jnp.asarray(messages), jnp.asarray(adjacency))
    for b in range(BATCH):
        for j in range(NODES):
            expected = PLAIN[name](messages[b, adjacency[b, :, j], j], axis=0)
            assert_close(received[b, j], expected)


def test_recurrent_aggregation_is_an_lstm():
    """That of Haiku, over the neighbours alone, in the order of the nodes."""
    messages, adjacency = random_messages()
    params, received = transformed(AGGREGATIONS["recurrent"], jnp.asarray(messages), jnp.asarray(adjacency))
    params = {"lstm/linear": params["recurrent"]}

    def read(messages):
        lstm = hk.LSTM(HIDDEN)
        state = lstm.initial_state(None)
        for message in messages:
            hidden, state = lstm(message, state)
        return hidden

    theirs = hk.without_apply_rng(hk.transform(read))
    with oracle.relaxed():
        for b in range(BATCH):
            for j in range(NODES):
                expected = theirs.apply(params, jnp.asarray(messages[b, adjacency[b, :, j], j]))
                assert_close(received[b, j], expected)


@pytest.mark.parametrize("name", AGGREGATIONS)
@pytest.mark.parametrize("make", [PGN, MPNN, TripletGMPNN])
def test_aggregation_by_name_or_callable(name, make):
    """Both are the same; what is padding is not aggregated; what is in bfloat16 stays so."""
    features, hidden = random_features()

    def by(aggregation):
        return hk.without_apply_rng(hk.transform(lambda f, h: make(HIDDEN, aggregation=aggregation)(f, h)))

    network = by(name)
    params = network.init(jax.random.key(0), features, hidden)
    apply = jax.jit(network.apply)
    before = apply(params, features, hidden)
    assert_close(by(AGGREGATIONS[name]).apply(params, features, hidden), before, 1e-4)
    assert_close(apply(params, *padded(features, hidden, 2, 3.0)).nodes[:, :NODES], before.nodes)
    half = apply(params, *in_type(jnp.bfloat16, (features, hidden))).nodes
    assert half.dtype == jnp.bfloat16
    assert np.abs(np.asarray(half, np.float32) - before.nodes).max() < 0.1 * np.abs(before.nodes).max()
    equivariance = functools.partial(assert_order_does_not_matter, functools.partial(apply, params))
    if name == "recurrent":
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            equivariance()
    else:
        equivariance()


@pytest.mark.parametrize("name", ["min", "", None, 3, ["max"]])
def test_unknown_aggregation(name):
    with pytest.raises(ValueError, match="unknown aggregation .*; known: max, sum, mean, softmax, recurrent"):
        find_aggregation(name)


@pytest.mark.parametrize("name", AGGREGATIONS)
def test_gradients_of_aggregations(name):
    features, hidden = random_features()
    network = hk.without_apply_rng(hk.transform(lambda f, h: PGN(HIDDEN, aggregation=name)(f, h).nodes))
    params = network.init(jax.random.key(0), features, hidden)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    gradient = jax.grad(lambda params: (network.apply(params, features, hidden) ** 2).sum())
    for leaf in jax.tree.leaves(jax.jit(gradient)(params)):
        assert np.isfinite(leaf).all() and leaf.any()


def test_the_largest_of_no_messages():
    messages, adjacency = jnp.ones((1, 2, 2, 3)), jnp.zeros((1, 2, 2), bool)
    assert (AGGREGATIONS["max"](messages, adjacency) == NO_MESSAGE).all()


def test_largest_shares_its_derivative():
    values = jnp.asarray([[[1.0], [3.0], [3.0], [-jnp.inf]]])
    value, pull_back = jax.vjp(largest, values)
    np.testing.assert_array_equal(value, [[3.0]])
    np.testing.assert_array_equal(pull_back(jnp.ones((1, 1)))[0][0, :, 0], [0, 0.5, 0.5, 0])


def test_gradients_are_finite_however_they_are_compiled():
    """Without optimisation, XLA rounds what is below a maximum in two ways if edges have one channel."""
    features, hidden = random_features()
    edges = features.edges
    features = features._replace(edges=FactoredFeatures(edges.values[..., :1], edges.vectors[:1], edges.bias))
    params, apply = network("triplet_mpnn")

    def loss(params):
        processed = apply(params, features, hidden)
        return (processed.nodes**2).sum() + (processed.edges**2).sum()

    quickly, well = (
        jax.jit(jax.grad(loss), compiler_options={"xla_backend_optimization_level": level})(params)
        for level in (0, 3)
    )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(quickly))
    assert_close(quickly, well, 1e-3)


# ---------------------------------------------------------------------------------------------------
# Linear maps


def test_linear_is_haikus_on_the_concatenation():
    random = np.random.default_rng(0)
    parts = [jnp.asarray(random.standard_normal((2, 3, size)), jnp.float32) for size in (4, 1, 5)]
    ours, value = transformed(lambda *inputs: Linear(HIDDEN, name="map")(*inputs), *parts)
    with oracle.relaxed():
        theirs, _ = transformed(lambda x: hk.Linear(HIDDEN, name="map")(x), jnp.concatenate(parts, axis=-1))
    assert_close(ours, theirs)  # the same key, the same numbers: initialisation is the same
    w, b = np.asarray(ours["map"]["w"]), random.standard_normal(HIDDEN).astype(np.float32)
    pure = hk.without_apply_rng(hk.transform(lambda *inputs: Linear(HIDDEN, name="map")(*inputs)))
    assert_close(value, np.concatenate(parts, axis=-1) @ w)
    shifted = pure.apply({"map": {"w": w, "b": b}}, *parts)
    assert_close(shifted, np.concatenate(parts, axis=-1) @ w + b)


def test_linear_of_factored_features():
    features, _ = random_features()
    extra = jnp.ones((BATCH, NODES, NODES, 2))

    def both(edges, extra):
        linear = Linear(HIDDEN, bias=0.5, name="map")
        return linear(edges, extra), linear(dense(edges), extra)

    _, (factored, plain) = transformed(both, features.edges, extra)
    assert_close(factored, plain, 1e-5)
    assert features.edges.shape == dense(features.edges).shape


@pytest.mark.parametrize("bias", [0.0, -3.0])
def test_offset_of_linear(bias):
    params, _ = transformed(lambda x: Linear(HIDDEN, bias=bias, name="map")(x), jnp.ones((1, 2)))
    np.testing.assert_array_equal(params["map"]["b"], np.full(HIDDEN, bias))


# ---------------------------------------------------------------------------------------------------
# Triplets


def test_triplets_have_edges():
    for name in PROCESSORS:
        if name.startswith("triplet"):
            assert run(name, *random_features()).edges.shape == (BATCH, NODES, NODES, HIDDEN)


def test_max_plus_is_a_loop():
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, BATCH, NODES, NODES, 3)).astype(np.float32)
    product = max_plus(jnp.asarray(a), jnp.asarray(b))
    for j in range(NODES):
        for k in range(NODES):
            assert_close(product[:, j, k], np.max(a[:, :, j] + b[:, :, k], axis=1))


def test_triplets_are_those_of_dm_clrs():
    """Largest of all messages t_ijk over i, then mapped to edges: the plain way, with N**3 messages."""
    features, hidden = random_features()
    order = ("node_i", "node_j", "node_k", "edge_ij", "edge_ik", "edge_jk", "graph")
    params, processed = transformed(
        lambda f, h: Triplets(Fixed(h, h), HIDDEN, num_features=4)(f, h), features, hidden
    )
    random = np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: leaf + random.standard_normal(leaf.shape).astype("f"), params)
    pure = hk.without_apply_rng(
        hk.transform(lambda f, h: Triplets(Fixed(h, h), HIDDEN, num_features=4)(f, h))
    )
    processed = pure.apply(params, features, hidden)
    theirs = hk.without_apply_rng(hk.transform(oracle.baselines.processors.get_triplet_msgs))
    names = ["linear", *[f"linear_{k}" for k in range(1, 7)]]
    converted = {theirs: params[f"triplets/{ours}"] for ours, theirs in zip(order, names, strict=True)}
    z = jnp.concatenate([features.nodes, hidden], axis=-1)
    with oracle.relaxed():
        messages = theirs.apply(converted, z, dense(features.edges), features.graph, 4)
    out = params["triplets/out"]
    expected = np.maximum(
        np.max(np.asarray(messages), axis=1) @ np.asarray(out["w"]) + np.asarray(out["b"]), 0
    )
    assert_close(processed.edges, expected, 1e-4)


@pytest.mark.parametrize("num_nodes", [1, 2, 7, 9, 16])
@pytest.mark.parametrize("how", ["any", "ties", "masked"])
def test_max_plus_is_its_plain_form(num_nodes, how):
    def plain(a, b):
        return largest(a[:, :, :, None] + b[:, :, None])

    random = np.random.default_rng(num_nodes)
    shape = (2, num_nodes, num_nodes, 3)
    draw = random.normal if how == "any" else lambda size: random.integers(-1, 2, size).astype(float)
    a, b, da, db, g = (jnp.asarray(draw(size=shape), jnp.float32) for _ in range(5))
    if how == "masked":
        a = a.at[:, num_nodes // 2 + 1 :].set(-jnp.inf)
    for function in (lambda f: f, jax.jit):
        both = [function(f) for f in (max_plus, plain)]
        np.testing.assert_array_equal(*(f(a, b) for f in both))
        forward = [jax.jvp(f, (a, b), (da, db))[1] for f in both]
        np.testing.assert_allclose(*forward, rtol=1e-5, atol=1e-6)
        backward = [jax.vjp(f, a, b)[1](g) for f in both]
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5), *backward)


def test_max_plus_makes_no_array_of_all_triplets():
    shape = (2, 12, 12, 3)
    arguments = jnp.zeros(shape), jnp.zeros(shape)

    def gradient(a, b):
        return jax.grad(lambda a, b: max_plus(a, b).sum(), (0, 1))(a, b)

    for function in (max_plus, gradient):
        text = str(jax.make_jaxpr(function)(*arguments))
        assert "2,12,12,3" in text
        assert "2,12,12,12,3" not in text
        assert "12,2,12,12,3" not in text
