"""Processors: one contract for all of `PROCESSORS`, and each part against a plain definition."""

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
from processor_contract import (
    BATCH,
    HIDDEN,
    NODES,
    SIZE,
    Compiled,
    assert_bfloat16_close_to_float32,
    assert_close,
    assert_every_parameter_has_gradient,
    assert_invariant_to_padding_and_edge_format,
    assert_permutation_equivariant,
    cast_floating,
    dense_features,
    initial_params,
    padded,
    random_features,
    to_bfloat16,
    transformed,
)

import nar
from nar.model.dm_clrs.layouts import LAYOUTS
from nar.processors import (
    AGGREGATIONS,
    GAT,
    LSTM,
    MPNN,
    PGN,
    PROCESSORS,
    DeepSets,
    FactoredFeatures,
    FullGraph,
    Gated,
    GATv2,
    IsolatedNodes,
    Linear,
    Masked,
    MemNet,
    ProcessorOutput,
    TripletGMPNN,
    Triplets,
    check_shapes,
    dense,
    find_aggregation,
    find_processor,
    full_adjacency,
    max_with_ties,
)
from nar.processors.layers.aggregation import NO_MESSAGE
from nar.processors.memnet import embed_words, position_encoding
from nar.processors.wrappers.triplets import max_plus

OF_OTHERS = (
    "gat_full",
    "gatv2",
    "gmpnn",
    "gpgn",
    "gpgn_mask",
    "memnet_full",
    "mpnn",
    "pgn",
    "triplet_gpgn_mask",
    "triplet_mpnn",
    "triplet_pgn",
    "triplet_pgn_mask",
)
"""Made of parts that other processors are made of too, in the same way."""
every_processor = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in OF_OTHERS else []) for name in PROCESSORS],
)
HALF_QUICKLY = {("triplet_gmpnn", "factored"), ("gat", "factored"), ("deepsets", "dense")}
"""Types alone are tested of all; how near numbers in bfloat16 are, of these quickly."""
OF_MEMORY = ("memnet_full", "memnet_masked")
"""Those that know their nodes apart, take features for words, and do not read hidden states."""


def reads_history(name):
    """Whether it reads the states of the previous step."""
    return name not in (*OF_MEMORY, "forgetnet")


@functools.cache
def network(name):
    return Compiled(lambda: PROCESSORS[name](hidden_size=HIDDEN))


# ---------------------------------------------------------------------------------------------------
# The contract


@every_processor
def test_shapes(name):
    processed = network(name)(*dense_features())
    assert isinstance(processed, ProcessorOutput)
    assert processed.nodes.shape == (BATCH, NODES, HIDDEN)
    assert processed.messages is None or processed.messages.shape == (BATCH, NODES, HIDDEN)
    assert processed.edges is None or processed.edges.shape == (BATCH, NODES, NODES, HIDDEN)
    assert processed.graph is None or processed.graph.shape == (BATCH, HIDDEN)
    assert all(loss.shape == (BATCH,) for loss in processed.losses.values())
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(processed))


@pytest.mark.parametrize("name", sorted(set(PROCESSORS) - set(OF_MEMORY)))
def test_order_of_nodes_does_not_matter(name):
    assert_permutation_equivariant(network(name))


@pytest.mark.parametrize("name", OF_MEMORY)
def test_order_of_nodes_matters_to_memory_networks(name):
    """The offsets of the places in their memory are all that tells nodes apart."""
    params = network(name).params
    assert params["memnet"]["places"].any()
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_permutation_equivariant(network(name))
    alike = {**params, "memnet": {**params["memnet"], "places": 0 * params["memnet"]["places"]}}
    assert_permutation_equivariant(functools.partial(network(name).unpadded, alike))


@every_processor
@pytest.mark.parametrize("garbage", [pytest.param(0.0, marks=pytest.mark.slow), 50.0])
def test_padding_nodes_and_the_form_of_edges_change_nothing(name, garbage):
    """What works alone on plain arrays, and with all that a network gives it, computes the same."""
    assert_invariant_to_padding_and_edge_format(network(name), garbage)


@every_processor
def test_padding_nodes_get_no_gradient(name):
    _, gradients = network(name).padded(network(name).params, *padded(*random_features(), 2, 1.0))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
    for gradient, is_read in zip(gradients[1:], (name not in OF_MEMORY, reads_history(name)), strict=True):
        assert not gradient[:, NODES:].any()
        assert gradient[:, :NODES].any() == is_read


@every_processor
def test_gradients_reach_every_parameter(name):
    assert_every_parameter_has_gradient(network(name))


@every_processor
def test_every_feature_is_read(name):
    features, hidden = dense_features()
    before = network(name)(features, hidden)
    for field in ("nodes", "edges", "graph"):
        changed = features._replace(**{field: getattr(features, field) + 1})
        assert np.abs(network(name)(changed, hidden).nodes - before.nodes).max() > 1e-3, field
    change = np.abs(network(name)(features, hidden + 1).nodes - before.nodes).max()
    assert (change > 1e-3) == reads_history(name)


READ_THE_GRAPH = {"gat", "gatv2", "memnet_masked", *(name for name in LAYOUTS if "pgn" in name)}


@pytest.mark.parametrize("name", LAYOUTS)
def test_which_read_the_graph(name):
    features, hidden = dense_features()
    alone = np.tile(np.eye(NODES, dtype=bool), (BATCH, 1, 1))
    before, after = (
        network(name)(each, hidden).nodes for each in (features, features._replace(adjacency=alone))
    )
    assert (np.abs(after - before).max() > 1e-3) == (name in READ_THE_GRAPH)


@every_processor
def test_which_mask_predictions(name):
    features, hidden = dense_features()
    pointer_mask = network(name)(features, hidden).pointer_mask
    assert (pointer_mask is not None) == name.endswith("pgn_mask")
    if pointer_mask is not None:
        np.testing.assert_array_equal(pointer_mask, features.adjacency)


@every_processor
def test_samples_are_apart(name):
    features, hidden = dense_features()
    second = np.arange(BATCH)[:, None, None] == 1
    other = features._replace(nodes=features.nodes + second, graph=features.graph + second[:, 0])
    before, after = (
        jax.tree.map(lambda leaf: leaf[0], network(name)(*each))
        for each in ((features, hidden), cast_floating(np.float32, (other, hidden + second)))
    )
    assert_close(after, before)


@pytest.mark.parametrize(
    ("name", "edges"),
    [
        pytest.param(name, edges, marks=[] if (name, edges) in HALF_QUICKLY else [pytest.mark.slow])
        for name in PROCESSORS
        for edges in ("factored", "dense")
    ],
)
def test_half_precision(name, edges):
    """Of features in bfloat16 everything that is made is in bfloat16, and near."""
    features = random_features() if edges == "factored" else dense_features()
    assert_bfloat16_close_to_float32(network(name), *features)


@every_processor
def test_types(name):
    """Dense features in bfloat16 make states in bfloat16, of parameters that are float32 in any case."""
    half = to_bfloat16(*dense_features())
    forward = hk.without_apply_rng(hk.transform(lambda f, h: PROCESSORS[name](HIDDEN)(f, h)))
    params = jax.eval_shape(forward.init, jax.random.key(0), *half)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), params) == jax.tree.map(
        lambda leaf: (leaf.shape, np.dtype(np.float32)), network(name).params
    )
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(network(name).params))
    processed = jax.eval_shape(forward.apply, params, *half)
    assert {leaf.dtype for leaf in jax.tree.leaves(processed)} - {np.dtype(bool)} == {jnp.dtype(jnp.bfloat16)}


WRONG_SHAPES = [
    ("nodes", (BATCH, NODES), "nodes must have shape (B, N, F), got (2, 5)"),
    ("nodes", (BATCH, NODES + 1, SIZE), "edges must have shape (2, 6, 6, F), got (2, 5, 5, 6)"),
    ("edges", (BATCH, NODES, NODES), "edges must have shape (2, 5, 5, F), got (2, 5, 5)"),
    ("edges", (BATCH, NODES, NODES + 1, SIZE), "edges must have shape (2, 5, 5, F), got (2, 5, 6, 6)"),
    ("graph", (BATCH + 1, SIZE), "graph must have shape (2, F), got (3, 6)"),
    ("graph", (BATCH, 1, SIZE), "graph must have shape (2, F), got (2, 1, 6)"),
    ("adjacency", (BATCH, NODES, NODES + 1), "adjacency must have shape (2, 5, 5), got (2, 5, 6)"),
    ("mask", (BATCH, NODES + 1), "mask must have shape (2, 5), got (2, 6)"),
]


@pytest.mark.parametrize(("field", "shape", "message"), WRONG_SHAPES)
def test_wrong_shapes(field, shape, message):
    features, hidden = random_features()
    dtype = bool if field in ("adjacency", "mask") else np.float32
    with pytest.raises(ValueError, match=re.escape(message)):
        check_shapes(features._replace(**{field: np.ones(shape, dtype)}), hidden)


@every_processor
@pytest.mark.parametrize(
    "cases", [WRONG_SHAPES[5:6], pytest.param(WRONG_SHAPES, marks=pytest.mark.slow)], ids=["graph", "all"]
)
def test_every_processor_checks_shapes(name, cases):
    features, hidden = random_features()
    call = functools.partial(jax.eval_shape, network(name).unpadded, network(name).params)
    with pytest.raises(ValueError, match=r"hidden must have shape \(2, 5, H\), got \(2, 4, 8\)"):
        call(features, hidden[:, 1:])
    for field, shape, message in cases:
        wrong = np.ones(shape, bool if field in ("adjacency", "mask") else np.float32)
        with pytest.raises(ValueError, match=re.escape(message)):
            call(features._replace(**{field: wrong}), hidden)


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


@pytest.mark.parametrize("make", [PGN, MPNN])
@pytest.mark.parametrize("message_layers", [0, 1, 3])
def test_message_layers(make, message_layers):
    params = initial_params(
        lambda f, h: make(HIDDEN, message_layers=message_layers)(f, h), *random_features()
    )
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
    for name in [name for name in LAYOUTS if LAYOUTS[name].num_messages]:
        factory = PROCESSORS[name]
        options = {"message_layers": 1, "aggregation": "sum", "layer_norm": False}
        if "triplet" in name:
            options["num_triplet_features"] = 2
        params = initial_params(
            lambda f, h, make=factory, kw=options: make(HIDDEN, **kw)(f, h), *random_features()
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


class ChunkCarry(hk.Module):
    """A processor with memory: it counts its steps."""

    def initial_memory(self, batch_size, num_nodes):
        return jnp.zeros((batch_size, num_nodes))

    def __call__(self, features, hidden, memory=(), context=None):
        return ProcessorOutput(
            hidden + 1, messages=hidden, memory=memory + 1, losses={"own": jnp.ones(len(hidden))}
        )


@pytest.mark.parametrize(
    "wrap", [FullGraph, lambda inner: Gated(inner, HIDDEN), lambda inner: Triplets(inner, HIDDEN)]
)
def test_wrappers_hand_on_memory_and_losses(wrap):
    features, hidden = random_features()

    def forward(features, hidden):
        processor = wrap(ChunkCarry())
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
    "gates apart": lambda: IsolatedNodes(Gated(PGN(HIDDEN, aggregation="recurrent"), HIDDEN)),
    "a gated memory of numbers": lambda: Gated(MemNet(HIDDEN, embed=False, num_hops=2), HIDDEN),
    "masked attention": lambda: Masked(Triplets(GATv2(HIDDEN), HIDDEN)),
    "an LSTM behind": lambda: LSTM(Gated(GAT(HIDDEN), HIDDEN), HIDDEN),
}


QUICK = ("gates apart", "a gated memory of numbers", "an LSTM behind")
"""Those with a wrapper or an option that no processor of the table has."""


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[] if kind in QUICK else [pytest.mark.slow]) for kind in COMPOSED],
)
def test_compositions_keep_the_contract(kind):
    composed = Compiled(COMPOSED[kind])
    assert composed(*dense_features()).nodes.shape == (BATCH, NODES, HIDDEN)
    assert_permutation_equivariant(composed)
    assert_invariant_to_padding_and_edge_format(composed, 7.0)
    assert_every_parameter_has_gradient(composed)
    half = jax.eval_shape(composed.unpadded, composed.params, *to_bfloat16(*random_features()))
    assert half.nodes.dtype == jnp.bfloat16


def test_nodes_that_are_apart_hear_nothing_of_each_other():
    features, hidden = random_features()
    _, before = transformed(lambda f, h: IsolatedNodes(MPNN(HIDDEN))(f, h), features, hidden)
    change = (np.arange(NODES)[None, :, None] > 0).astype(np.float32)
    others = features._replace(nodes=features.nodes + change)
    _, after = transformed(lambda f, h: IsolatedNodes(MPNN(HIDDEN))(f, h), others, hidden + change)
    assert_close(after.nodes[:, 0], before.nodes[:, 0])
    assert np.abs(after.nodes[:, 1:] - before.nodes[:, 1:]).max() > 1e-2


def test_nodes_that_are_apart_have_no_edges():
    features, hidden = random_features()
    with pytest.raises(ValueError, match="IsolatedNodes must not return edge or graph states"):
        transformed(lambda f, h: IsolatedNodes(Triplets(PGN(HIDDEN), HIDDEN))(f, h), features, hidden)


def test_apart_averages_losses_and_keeps_memory_of_real_nodes():
    class Loud(ChunkCarry):
        def __call__(self, features, hidden, memory=(), context=None):
            loss = {"own": features.nodes[:, 0, 0]}
            return super().__call__(features, hidden, memory)._replace(losses=loss)

    features, hidden = padded(*random_features(), 2, 50.0)

    def forward(features, hidden):
        processor = IsolatedNodes(Loud())
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


@pytest.mark.parametrize("make", [GAT, GATv2])
def test_attention_reads_edges_of_its_own_node(make):
    """Node i weighs j by edge (i, j), as in dm-clrs."""
    attention = Compiled(lambda: make(HIDDEN))
    features, hidden = dense_features()
    features = features._replace(adjacency=np.ones_like(features.adjacency))
    edges = features.edges.copy()
    edges[:, 2, 3] += 3.0
    before, after = (
        np.asarray(attention(each, hidden).nodes) for each in (features, features._replace(edges=edges))
    )
    differs = np.abs(after - before).max(axis=(0, 2)) > 1e-6
    assert differs.tolist() == [False, False, True, False, False]


def test_limits_of_memory_networks():
    features, hidden = random_features()
    with pytest.raises(ValueError, match="memory_size 5 is for at most 4 nodes, got 5"):
        transformed(lambda f, h: MemNet(HIDDEN, memory_size=5)(f, h), features, hidden)
    wide = features._replace(graph=np.ones((BATCH, SIZE + 1)))
    with pytest.raises(ValueError, match="must have the same number of features, got .*7"):
        transformed(lambda f, h: MemNet(HIDDEN)(f, h), wide, hidden)
    for option in ("embedding_size", "memory_size", "num_hops"):
        with pytest.raises(ValueError, match=f"{option} must be at least 1, got 0"):
            hk.transform(lambda option=option: MemNet(HIDDEN, **{option: 0})).init(None)


def test_words_are_looked_up():
    """Whole numbers from -H to H - 1 count from either end of the table; all others are its last row."""
    table = np.random.default_rng(0).standard_normal((4, 3)).astype("f")
    x = np.array([[0.0, 0.9, -0.9, 1.0, 3.2], [-1.0, -4.0, -5.0, 4.0, 1e9]], np.float32)
    weights = position_encoding(5, 3)
    rows = np.array([[0, 0, 0, 1, 3], [3, 0, 3, 3, 3]])
    expected = (table[rows] * weights).sum(axis=1)
    assert_close(jax.jit(embed_words)(x, table, weights), expected)


# ---------------------------------------------------------------------------------------------------
# Gates


class Fixed(hk.Module):
    """A processor that returns what it is told."""

    def __init__(self, nodes, messages):
        super().__init__()
        self._processed = ProcessorOutput(nodes, messages)

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
    received = jax.jit(AGGREGATIONS[name])(messages, adjacency)
    for b in range(BATCH):
        for j in range(NODES):
            expected = PLAIN[name](messages[b, adjacency[b, :, j], j], axis=0)
            assert_close(received[b, j], expected)


def test_recurrent_aggregation_is_an_lstm():
    """That of Haiku, over the neighbours alone, in the order of the nodes."""
    messages, adjacency = random_messages()
    params, received = transformed(AGGREGATIONS["recurrent"], messages, adjacency)
    heard = [messages[b, adjacency[b, :, j], j] for b, j in np.ndindex(BATCH, NODES)]
    sequences = np.stack([np.pad(each, ((0, NODES - len(each)), (0, 0))) for each in heard], axis=1)

    def read(sequences):
        lstm, states = hk.LSTM(HIDDEN), []
        state = lstm.initial_state(len(heard))
        for step in sequences:
            hidden, state = lstm(step, state)
            states.append(hidden)
        return jnp.stack(states)

    theirs = jax.jit(hk.without_apply_rng(hk.transform(read)).apply)
    with oracle.relaxed():
        states = np.asarray(theirs({"lstm/linear": params["recurrent"]}, sequences))
    for index, (b, j) in enumerate(np.ndindex(BATCH, NODES)):
        assert_close(received[b, j], states[len(heard[index]) - 1, index])


@pytest.mark.parametrize("name", AGGREGATIONS)
@pytest.mark.parametrize(
    "make", [PGN, *(pytest.param(make, marks=pytest.mark.slow) for make in (MPNN, TripletGMPNN))]
)
def test_aggregation_by_name_or_callable(name, make):
    """Both are the same; what is padding is not aggregated; gradients are finite."""
    named, given = (Compiled(lambda by=by: make(HIDDEN, aggregation=by)) for by in (name, AGGREGATIONS[name]))
    assert_close(named(*dense_features()), given(*dense_features()), 1e-4)
    assert_invariant_to_padding_and_edge_format(named, 3.0)
    assert_every_parameter_has_gradient(named)
    if name == "recurrent":
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_permutation_equivariant(named)
    else:
        assert_permutation_equivariant(named)


@pytest.mark.slow
@pytest.mark.parametrize("name", AGGREGATIONS)
def test_aggregations_of_bfloat16(name):
    """What is in bfloat16 stays so, and near."""
    assert_bfloat16_close_to_float32(Compiled(lambda: PGN(HIDDEN, aggregation=name)), *random_features())


@pytest.mark.parametrize("name", ["min", "", None, 3, ["max"]])
def test_unknown_aggregation(name):
    with pytest.raises(ValueError, match="unknown aggregation .*; known: max, sum, mean, softmax, recurrent"):
        find_aggregation(name)


def test_the_largest_of_no_messages():
    messages, adjacency = np.ones((1, 2, 2, 3), np.float32), np.zeros((1, 2, 2), bool)
    assert (jax.jit(AGGREGATIONS["max"])(messages, adjacency) == NO_MESSAGE).all()


def test_largest_shares_its_derivative():
    values = np.array([[[1.0], [3.0], [3.0], [-np.inf]]], np.float32)
    value, gradient = jax.jit(jax.value_and_grad(lambda values: max_with_ties(values)[0, 0]))(values)
    assert value == 3.0
    np.testing.assert_array_equal(gradient[0, :, 0], [0, 0.5, 0.5, 0])


@pytest.mark.slow
def test_gradients_are_finite_however_they_are_compiled():
    """Without optimisation, XLA rounds what is below a maximum in two ways if edges have one channel."""
    features, hidden = random_features()
    edges = features.edges
    features = features._replace(edges=FactoredFeatures(edges.values[..., :1], edges.vectors[:1], edges.bias))
    apply = network("triplet_mpnn").unpadded

    def loss(params):
        processed = apply(params, features, hidden)
        return (processed.nodes**2).sum() + (processed.edges**2).sum()

    quickly, well = (
        jax.jit(jax.grad(loss), compiler_options={"xla_backend_optimization_level": level})(
            network("triplet_mpnn").params
        )
        for level in (0, 3)
    )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(quickly))
    assert_close(quickly, well, 1e-3)


# ---------------------------------------------------------------------------------------------------
# Linear maps


def test_linear_is_haikus_on_the_concatenation():
    random = np.random.default_rng(0)
    parts = [random.standard_normal((2, 3, size)).astype(np.float32) for size in (4, 1, 5)]
    whole = np.concatenate(parts, axis=-1)
    ours = hk.without_apply_rng(hk.transform(lambda *inputs: Linear(HIDDEN, name="map")(*inputs)))
    theirs = hk.without_apply_rng(hk.transform(lambda x: hk.Linear(HIDDEN, name="map")(x)))
    params = jax.jit(ours.init)(jax.random.key(0), *parts)
    with oracle.relaxed():
        expected = jax.jit(theirs.init)(jax.random.key(0), whole)
    assert_close(params, expected)  # the same key, the same numbers: initialisation is the same
    w, b = np.asarray(params["map"]["w"]), random.standard_normal(HIDDEN).astype(np.float32)
    apply = jax.jit(ours.apply)
    assert_close(apply(params, *parts), whole @ w)
    assert_close(apply({"map": {"w": w, "b": b}}, *parts), whole @ w + b)


def test_linear_of_factored_features():
    features, _ = random_features()
    extra = np.ones((BATCH, NODES, NODES, 2), np.float32)

    def both(edges, extra):
        linear = Linear(HIDDEN, bias=0.5, name="map")
        return linear(edges, extra), linear(dense(edges), extra)

    _, (factored, plain) = transformed(both, features.edges, extra)
    assert_close(factored, plain, 1e-5)
    assert features.edges.shape == dense(features.edges).shape


@pytest.mark.parametrize("bias", [0.0, -3.0])
def test_offset_of_linear(bias):
    params = initial_params(lambda x: Linear(HIDDEN, bias=bias, name="map")(x), np.ones((1, 2), np.float32))
    np.testing.assert_array_equal(params["map"]["b"], np.full(HIDDEN, bias))


# ---------------------------------------------------------------------------------------------------
# Triplets


def test_triplets_have_edges():
    for name in PROCESSORS:
        if name.startswith("triplet"):
            assert network(name)(*dense_features()).edges.shape == (BATCH, NODES, NODES, HIDDEN)


def test_max_plus_is_a_loop():
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, BATCH, NODES, NODES, 3)).astype(np.float32)
    product = jax.jit(max_plus)(a, b)
    for j in range(NODES):
        for k in range(NODES):
            assert_close(product[:, j, k], np.max(a[:, :, j] + b[:, :, k], axis=1))


def test_triplets_are_those_of_dm_clrs():
    """Largest of all messages t_ijk over i, then mapped to edges: the plain way, with N**3 messages."""
    features, hidden = random_features()
    order = ("node_i", "node_j", "node_k", "edge_ij", "edge_ik", "edge_jk", "graph")

    def ours(features, hidden):
        return Triplets(Fixed(hidden, hidden), HIDDEN, num_features=4)(features, hidden)

    random = np.random.default_rng(1)
    params = jax.tree.map(
        lambda leaf: leaf + random.standard_normal(leaf.shape).astype("f"),
        initial_params(ours, features, hidden),
    )
    processed = jax.jit(hk.without_apply_rng(hk.transform(ours)).apply)(params, features, hidden)
    theirs = hk.without_apply_rng(hk.transform(oracle.baselines.processors.get_triplet_msgs))
    names = ["linear", *[f"linear_{k}" for k in range(1, 7)]]
    converted = {theirs: params[f"triplets/{ours}"] for ours, theirs in zip(order, names, strict=True)}
    z = np.concatenate([features.nodes, hidden], axis=-1)
    with oracle.relaxed():
        apply = jax.jit(theirs.apply, static_argnums=4)
        messages = apply(converted, z, dense_features()[0].edges, features.graph, 4)
    out = params["triplets/out"]
    expected = np.maximum(
        np.max(np.asarray(messages), axis=1) @ np.asarray(out["w"]) + np.asarray(out["b"]), 0
    )
    assert_close(processed.edges, expected, 1e-4)


def plain_max_plus(a, b):
    return max_with_ties(a[:, :, :, None] + b[:, :, None])


@functools.cache
def compiled_max_plus(function):
    """`(a, b, da, db, g) -> value, derivative forwards, gradients`."""

    def call(a, b, da, db, g):
        value, pull_back = jax.vjp(function, a, b)
        return value, jax.jvp(function, (a, b), (da, db))[1], pull_back(g)

    return jax.jit(call)


@pytest.mark.parametrize("num_nodes", [1, 2, 7, 9, 16])
@pytest.mark.parametrize("how", ["any", "ties", "masked"])
def test_max_plus_is_its_plain_form(num_nodes, how):
    random = np.random.default_rng(num_nodes)
    shape = (2, num_nodes, num_nodes, 3)
    draw = random.normal if how == "any" else lambda size: random.integers(-1, 2, size)
    arrays = [draw(size=shape).astype(np.float32) for _ in range(5)]
    if how == "masked":
        arrays[0][:, num_nodes // 2 + 1 :] = -np.inf
    found, expected = (compiled_max_plus(function)(*arrays) for function in (max_plus, plain_max_plus))
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5), found[2], expected[2])


@pytest.mark.slow
def test_max_plus_may_be_called_outside_a_program():
    random = np.random.default_rng(0)
    a, b, g = random.standard_normal((3, 2, 7, 7, 3)).astype(np.float32)
    values, pulled = zip(*(jax.vjp(function, a, b) for function in (max_plus, plain_max_plus)), strict=True)
    np.testing.assert_array_equal(*values)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5), *(back(g) for back in pulled)
    )


def test_max_plus_makes_no_array_of_all_triplets():
    shape = (2, 12, 12, 3)
    arguments = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def gradient(a, b):
        return jax.grad(lambda a, b: max_plus(a, b).sum(), (0, 1))(a, b)

    for function in (max_plus, gradient):
        text = str(jax.make_jaxpr(function)(*arguments))
        assert "2,12,12,3" in text
        assert "2,12,12,12,3" not in text
        assert "12,2,12,12,3" not in text
