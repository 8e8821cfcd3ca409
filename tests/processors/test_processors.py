"""Processors: the contract of all of `PROCESSORS`, and layers against reference implementations."""

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
    GAT,
    LSTM,
    MPNN,
    PGN,
    PROCESSORS,
    DeepSets,
    FullGraph,
    Gated,
    GATv2,
    Masked,
    MemNet,
    ProcessorOutput,
    TripletGMPNN,
    Triplets,
    find_processor,
)
from nar.processors.base import FactoredFeatures, dense, full_adjacency
from nar.processors.input_checks import check_inputs
from nar.processors.layers.aggregation import AGGREGATIONS, NO_MESSAGE, find_aggregation, max_with_ties
from nar.processors.layers.linear import Linear
from nar.processors.memnet import embed_words, position_encoding
from nar.processors.wrappers.neighborhoods import IsolatedNodes
from nar.processors.wrappers.triplets import max_plus

SLOW = (
    "edge_transformer",
    "edge_transformer_diagonal",
    "forgetnet",
    "gat_full",
    "gatv2",
    "gatv2_full",
    "gmpnn",
    "gpgn",
    "gpgn_mask",
    "memnet_full",
    "mpnn",
    "pgn",
    "relational_transformer",
    "rnar",
    "triplet_gmpnn",
    "triplet_gpgn_mask",
    "triplet_mpnn",
    "triplet_pgn",
    "triplet_pgn_mask",
)
"""Processors whose modules are tested with others, or in `test_pair_processors`; marked slow."""
every_processor = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in PROCESSORS],
)
FAST_BFLOAT16_CASES = {("triplet_gpgn", "factored"), ("gat", "factored"), ("deepsets", "dense")}
"""Cases of `test_bfloat16_accuracy` that are not marked slow; `test_dtypes` covers all processors."""
MEMORY_NETWORKS = ("memnet_full", "memnet_masked")
"""Processors that are not permutation-equivariant, embed features as words, and ignore hidden states."""


DISCRETE = ("discrete",)
"""Processors whose choices have no gradient outside of training; see `test_discrete`."""


CHOOSING = ("production_system", "scoff")
"""Processors with units of which each node chooses one; their own tests are in `test_modular_processors`."""


def reads_history(name):
    """Returns True if the processor reads the hidden states of the previous step."""
    return name not in (*MEMORY_NETWORKS, *DISCRETE, "forgetnet")


@functools.cache
def network(name):
    return Compiled(lambda: PROCESSORS[name](hidden_size=HIDDEN))


# ---------------------------------------------------------------------------------------------------
# The contract


@every_processor
def test_output_shapes(name):
    output = network(name)(*dense_features())
    assert isinstance(output, ProcessorOutput)
    assert output.nodes.shape == (BATCH, NODES, HIDDEN)
    assert output.messages is None or output.messages.shape == (BATCH, NODES, HIDDEN)
    assert output.edges is None or output.edges.shape == (BATCH, NODES, NODES, HIDDEN)
    assert output.graph is None or output.graph.shape == (BATCH, HIDDEN)
    assert all(loss.shape == (BATCH,) for loss in output.losses.values())
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(output))


@pytest.mark.parametrize("name", sorted(set(PROCESSORS) - {*MEMORY_NETWORKS, *DISCRETE, "rnar"}))
def test_permutation_equivariance(name):
    assert_permutation_equivariant(network(name))


@pytest.mark.parametrize("name", MEMORY_NETWORKS)
def test_memory_networks_are_equivariant_only_without_slot_encodings(name):
    params = network(name).params
    assert params["memnet"]["places"].any()
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_permutation_equivariant(network(name))
    equivariant = {**params, "memnet": {**params["memnet"], "places": 0 * params["memnet"]["places"]}}
    assert_permutation_equivariant(functools.partial(network(name).unpadded, equivariant))


@every_processor
@pytest.mark.parametrize("garbage", [pytest.param(0.0, marks=pytest.mark.slow), 50.0])
def test_padding_and_factored_edges_do_not_change_outputs(name, garbage):
    """A call with dense edges alone equals one with factored edges, padding, memory and context."""
    assert_invariant_to_padding_and_edge_format(network(name), garbage)


@every_processor
def test_padding_nodes_get_no_gradient(name):
    _, gradients = network(name).padded(network(name).params, *padded(*random_features(), 2, 1.0))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
    is_read = (name not in MEMORY_NETWORKS, reads_history(name))
    for gradient, expected in zip(gradients[1:], is_read, strict=True):
        assert not gradient[:, NODES:].any()
        assert gradient[:, :NODES].any() == expected


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in sorted(set(PROCESSORS) - {*DISCRETE, *CHOOSING})
    ],
)
def test_every_parameter_gets_a_gradient(name):
    assert_every_parameter_has_gradient(network(name))


@every_processor
def test_outputs_depend_on_every_feature(name):
    features, hidden = dense_features()
    before = network(name)(features, hidden)
    for field in ("nodes", *(() if name in DISCRETE else ("edges", "graph"))):
        changed = features._replace(**{field: getattr(features, field) + 1})
        assert np.abs(network(name)(changed, hidden).nodes - before.nodes).max() > 1e-3, field
    change = np.abs(network(name)(features, hidden + 1).nodes - before.nodes).max()
    assert (change > 1e-3) == reads_history(name)


USES_ADJACENCY = {"gat", "gatv2", "memnet_masked", *(name for name in LAYOUTS if "pgn" in name)}


@pytest.mark.parametrize("name", LAYOUTS)
def test_dependence_on_adjacency(name):
    features, hidden = dense_features()
    self_loops = np.tile(np.eye(NODES, dtype=bool), (BATCH, 1, 1))
    before, after = (
        network(name)(x, hidden).nodes for x in (features, features._replace(adjacency=self_loops))
    )
    assert (np.abs(after - before).max() > 1e-3) == (name in USES_ADJACENCY)


@every_processor
def test_pointer_mask(name):
    features, hidden = dense_features()
    pointer_mask = network(name)(features, hidden).pointer_mask
    assert (pointer_mask is not None) == name.endswith("pgn_mask")
    if pointer_mask is not None:
        np.testing.assert_array_equal(pointer_mask, features.adjacency)


@every_processor
def test_samples_are_independent(name):
    features, hidden = dense_features()
    second = np.arange(BATCH)[:, None, None] == 1
    other = features._replace(nodes=features.nodes + second, graph=features.graph + second[:, 0])
    before, after = (
        jax.tree.map(lambda leaf: leaf[0], network(name)(*x))
        for x in ((features, hidden), cast_floating(np.float32, (other, hidden + second)))
    )
    assert_close(after, before)


@pytest.mark.parametrize(
    ("name", "edges"),
    [
        pytest.param(name, edges, marks=[] if (name, edges) in FAST_BFLOAT16_CASES else [pytest.mark.slow])
        # Hard choices may differ after rounding.
        for name in sorted(set(PROCESSORS) - {*DISCRETE, *CHOOSING})
        for edges in ("factored", "dense")
    ],
)
def test_bfloat16_accuracy(name, edges):
    """Outputs for bfloat16 features are bfloat16 and close to those in float32."""
    features = random_features() if edges == "factored" else dense_features()
    assert_bfloat16_close_to_float32(network(name), *features)


@every_processor
def test_dtypes(name):
    """Outputs have the dtype of the features; parameters are always float32."""
    half = to_bfloat16(*dense_features())
    forward = hk.without_apply_rng(hk.transform(lambda f, h: PROCESSORS[name](HIDDEN)(f, h)))
    params = jax.eval_shape(forward.init, jax.random.key(0), *half)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), params) == jax.tree.map(
        lambda leaf: (leaf.shape, np.dtype(np.float32)), network(name).params
    )
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(network(name).params))
    output = jax.eval_shape(forward.apply, params, *half)
    assert {leaf.dtype for leaf in jax.tree.leaves(output)} - {np.dtype(bool)} == {jnp.dtype(jnp.bfloat16)}


WRONG_SHAPES = [
    ("nodes", (BATCH, NODES), "nodes must have shape (B, N, F), got (2, 5)"),
    ("nodes", (BATCH, NODES + 1, SIZE), "edges.values must have shape (2, 6, 6, K), got (2, 5, 5, 3)"),
    ("edges", (BATCH, NODES, NODES), "edges must have shape (2, 5, 5, F), got (2, 5, 5)"),
    ("edges", (BATCH, NODES, NODES + 1, SIZE), "edges must have shape (2, 5, 5, F), got (2, 5, 6, 6)"),
    ("graph", (BATCH + 1, SIZE), "graph must have shape (2, F), got (3, 6)"),
    ("graph", (BATCH, 1, SIZE), "graph must have shape (2, F), got (2, 1, 6)"),
    ("adjacency", (BATCH, NODES, NODES + 1), "adjacency must have shape (2, 5, 5), got (2, 5, 6)"),
    ("mask", (BATCH, NODES + 1), "mask must have shape (2, 5), got (2, 6)"),
]


@pytest.mark.parametrize(("field", "shape", "message"), WRONG_SHAPES)
def test_check_inputs_rejects_mismatched_shapes(field, shape, message):
    features, hidden = random_features()
    dtype = bool if field in ("adjacency", "mask") else np.float32
    with pytest.raises(ValueError, match=re.escape(message)):
        check_inputs(features._replace(**{field: np.ones(shape, dtype)}), hidden)


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


def test_factory_of_a_processor_is_found_itself():
    assert find_processor(PGN) is PGN


@pytest.mark.parametrize("name", ["gta", "", None, 3, ["mpnn"], {}, float("nan")])
def test_unknown_processor(name):
    with pytest.raises(ValueError, match="unknown processor .*; known: " + ", ".join(PROCESSORS)):
        find_processor(name)
    assert find_processor("mpnn") is PROCESSORS["mpnn"]


def test_registry_is_immutable():
    assert nar.PROCESSORS is PROCESSORS
    with pytest.raises(TypeError):
        PROCESSORS["new"] = PGN


def test_every_processor_is_documented():
    """Processors are in both READMEs, and classes and options in that of `nar/processors`."""
    root = pathlib.Path(nar.__file__).parents[1]
    table = (root / "nar/processors/README.md").read_text()
    readme = (root / "README.md").read_text()
    for name, make in PROCESSORS.items():
        assert f"`{name}`" in table and f"`{name}`" in readme
        assert f"`{make.__name__}`" in table or name.startswith("triplet")
        options = set(inspect.signature(make).parameters) - {"hidden_size", "name", "options"}
        assert all(f"`{option}`" in table for option in options), (name, options)


# ---------------------------------------------------------------------------------------------------
# Options


@pytest.mark.parametrize("make", [PGN, MPNN])
@pytest.mark.parametrize("message_layers", [0, 1, 3])
def test_number_of_message_layers(make, message_layers):
    params = initial_params(
        lambda f, h: make(HIDDEN, message_layers=message_layers)(f, h), *random_features()
    )
    assert sum("message_" in module for module in params) == message_layers


@pytest.mark.parametrize("layer_norm", [False, True])
def test_layer_norm(layer_norm):
    features, hidden = random_features()
    params, output = transformed(lambda f, h: PGN(HIDDEN, layer_norm=layer_norm)(f, h), features, hidden)
    assert ("pgn/norm" in params) == layer_norm
    normalized = np.allclose(output.nodes.mean(axis=-1), 0, atol=1e-5)
    assert normalized == layer_norm


def test_compositions_pass_options_to_the_innermost_processor():
    for name in [name for name in LAYOUTS if LAYOUTS[name].num_message_layers]:
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


def test_pgn_matches_its_formula():
    """Compares with loops over receivers that sum the messages of their neighbors."""
    features, hidden = random_features()
    params, output = transformed(
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
            assert_close(output.messages[b, j], received, 1e-4)
            expected = np.maximum(linear("own", z[b, j]) + linear("received", received), 0)
            assert_close(output.nodes[b, j], expected, 1e-4)


@pytest.mark.parametrize("masked", [False, True])
def test_full_adjacency(masked):
    features, hidden = random_features()
    if masked:
        features, hidden = padded(features, hidden, 2, 0.0)
    adjacency = full_adjacency(features)
    num_nodes = hidden.shape[1]
    for i in range(num_nodes):
        for j in range(num_nodes):
            assert adjacency[:, i, j].all() == (i == j or max(i, j) < NODES)
            assert adjacency[:, i, j].any() == adjacency[:, i, j].all()


class CountingProcessor(hk.Module):
    """Processor whose memory counts its steps."""

    def initial_memory(self, batch_size, num_nodes):
        return jnp.zeros((batch_size, num_nodes))

    def __call__(self, features, hidden, memory=(), context=None):
        return ProcessorOutput(
            hidden + 1, messages=hidden, memory=memory + 1, losses={"own": jnp.ones(len(hidden))}
        )


@pytest.mark.parametrize(
    "wrap", [FullGraph, lambda inner: Gated(inner, HIDDEN), lambda inner: Triplets(inner, HIDDEN)]
)
def test_wrappers_pass_memory_and_losses_through(wrap):
    features, hidden = random_features()

    def forward(features, hidden):
        processor = wrap(CountingProcessor())
        memory = processor.initial_memory(BATCH, NODES)
        for _ in range(2):
            output = processor(features, hidden, memory)
            memory = output.memory
        return output

    _, output = transformed(forward, features, hidden)
    assert_close(output.memory, np.full((BATCH, NODES), 2.0))
    assert list(output.losses) == ["own"]


# ---------------------------------------------------------------------------------------------------
# Compositions of wrappers

COMPOSITIONS = {
    "attention with triplets": lambda: Triplets(GAT(HIDDEN, num_heads=2), HIDDEN),
    "gated attention": lambda: Gated(FullGraph(GATv2(HIDDEN)), HIDDEN),
    "gated deep sets with triplets": lambda: Triplets(Gated(DeepSets(HIDDEN), HIDDEN), HIDDEN),
    "gated isolated nodes": lambda: IsolatedNodes(Gated(PGN(HIDDEN, aggregation="recurrent"), HIDDEN)),
    "gated memory network without embedding": lambda: Gated(MemNet(HIDDEN, embed=False, num_hops=2), HIDDEN),
    "masked attention": lambda: Masked(Triplets(GATv2(HIDDEN), HIDDEN)),
    "gated attention with LSTM": lambda: LSTM(Gated(GAT(HIDDEN), HIDDEN), HIDDEN),
}


FAST_COMPOSITIONS = (
    "gated isolated nodes",
    "gated memory network without embedding",
    "gated attention with LSTM",
)
"""Compositions with a wrapper or option that no registered processor has; the others are marked slow."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in FAST_COMPOSITIONS else [pytest.mark.slow])
        for name in COMPOSITIONS
    ],
)
def test_compositions_satisfy_the_contract(name):
    composed = Compiled(COMPOSITIONS[name])
    assert composed(*dense_features()).nodes.shape == (BATCH, NODES, HIDDEN)
    assert_permutation_equivariant(composed)
    assert_invariant_to_padding_and_edge_format(composed, 7.0)
    assert_every_parameter_has_gradient(composed)
    half = jax.eval_shape(composed.unpadded, composed.params, *to_bfloat16(*random_features()))
    assert half.nodes.dtype == jnp.bfloat16


def test_isolated_nodes_do_not_exchange_messages():
    features, hidden = random_features()
    _, before = transformed(lambda f, h: IsolatedNodes(MPNN(HIDDEN))(f, h), features, hidden)
    change = (np.arange(NODES)[None, :, None] > 0).astype(np.float32)
    others = features._replace(nodes=features.nodes + change)
    _, after = transformed(lambda f, h: IsolatedNodes(MPNN(HIDDEN))(f, h), others, hidden + change)
    assert_close(after.nodes[:, 0], before.nodes[:, 0])
    assert np.abs(after.nodes[:, 1:] - before.nodes[:, 1:]).max() > 1e-2


def test_isolated_nodes_reject_edge_states():
    features, hidden = random_features()
    with pytest.raises(ValueError, match="IsolatedNodes must not return edge or graph states"):
        transformed(lambda f, h: IsolatedNodes(Triplets(PGN(HIDDEN), HIDDEN))(f, h), features, hidden)


def test_isolated_nodes_average_losses_over_real_nodes():
    class LossProcessor(CountingProcessor):
        def __call__(self, features, hidden, memory=(), context=None):
            loss = {"own": features.nodes[:, 0, 0]}
            return super().__call__(features, hidden, memory)._replace(losses=loss)

    features, hidden = padded(*random_features(), 2, 50.0)

    def forward(features, hidden):
        processor = IsolatedNodes(LossProcessor())
        return processor(features, hidden, processor.initial_memory(*hidden.shape[:2]))

    _, output = transformed(forward, features, hidden)
    assert_close(output.losses["own"], features.nodes[:, :NODES, 0].mean(axis=1))
    assert output.memory.shape == (BATCH, NODES + 2, 1)


@pytest.mark.parametrize("make", [GAT, GATv2])
@pytest.mark.parametrize("num_heads", [0, 3, -1])
def test_num_heads_must_divide_sizes(make, num_heads):
    with pytest.raises(ValueError, match=f"num_heads must divide hidden_size = 8, got {num_heads}"):
        hk.transform(lambda: make(HIDDEN, num_heads=num_heads)).init(None)
    with pytest.raises(ValueError, match="num_heads must divide attention_size = 6, got 4"):
        hk.transform(lambda: GATv2(HIDDEN, num_heads=4, attention_size=6)).init(None)


@pytest.mark.parametrize("make", [GAT, GATv2])
def test_attention_reads_outgoing_edges(make):
    """Node i attends to j with edge (i, j), as in dm-clrs."""
    attention = Compiled(lambda: make(HIDDEN))
    features, hidden = dense_features()
    features = features._replace(adjacency=np.ones_like(features.adjacency))
    edges = features.edges.copy()
    edges[:, 2, 3] += 3.0
    before, after = (
        np.asarray(attention(x, hidden).nodes) for x in (features, features._replace(edges=edges))
    )
    differs = np.abs(after - before).max(axis=(0, 2)) > 1e-6
    assert differs.tolist() == [False, False, True, False, False]


def test_memory_network_rejects_bad_sizes():
    features, hidden = random_features()
    with pytest.raises(ValueError, match="memory_size 5 is for at most 4 nodes, got 5"):
        transformed(lambda f, h: MemNet(HIDDEN, memory_size=5)(f, h), features, hidden)
    wide = features._replace(graph=np.ones((BATCH, SIZE + 1)))
    with pytest.raises(ValueError, match="must have the same number of features, got .*7"):
        transformed(lambda f, h: MemNet(HIDDEN)(f, h), wide, hidden)
    for option in ("embedding_size", "memory_size", "num_hops"):
        with pytest.raises(ValueError, match=f"{option} must be an integer of at least 1, got 0"):
            hk.transform(lambda option=option: MemNet(HIDDEN, **{option: 0})).init(None)


def test_word_indices_out_of_range_select_the_last_row():
    """Features are truncated to integers; those from -H to -1 count from the end of the table."""
    table = np.random.default_rng(0).standard_normal((4, 3)).astype("f")
    x = np.array([[0.0, 0.9, -0.9, 1.0, 3.2], [-1.0, -4.0, -5.0, 4.0, 1e9]], np.float32)
    weights = position_encoding(5, 3)
    rows = np.array([[0, 0, 0, 1, 3], [3, 0, 3, 3, 3]])
    expected = (table[rows] * weights).sum(axis=1)
    assert_close(jax.jit(embed_words)(x, table, weights), expected)


# ---------------------------------------------------------------------------------------------------
# Gates


class ConstantProcessor(hk.Module):
    """Processor that returns constant states and messages."""

    def __init__(self, nodes, messages):
        super().__init__()
        self._processed = ProcessorOutput(nodes, messages)

    def __call__(self, features, hidden, memory=(), context=None):
        return self._processed


@pytest.mark.parametrize("bias", [-3.0, 0.0])
def test_gate_matches_its_formula(bias):
    features, hidden = random_features()
    new, messages = hidden[:, ::-1], 2 * hidden[::-1]
    params, output = transformed(
        lambda f, h: Gated(ConstantProcessor(new, messages), HIDDEN, bias=bias)(f, h), features, hidden
    )
    z = np.concatenate([features.nodes, hidden], axis=-1)
    np.testing.assert_array_equal(params["gate/gate"]["b"], np.full(HIDDEN, bias))
    relu = np.maximum(z @ params["gate/state"]["w"] + messages @ params["gate/messages"]["w"], 0)
    gate = 1 / (1 + np.exp(-(relu @ np.asarray(params["gate/gate"]["w"]) + bias)))
    assert_close(output.nodes, gate * new + (1 - gate) * hidden)


def test_gate_requires_messages_and_matching_state_size():
    features, hidden = random_features()
    with pytest.raises(ValueError, match=r"a gate of size 9 needs states of that size, got \(2, 5, 8\)"):
        transformed(lambda f, h: Gated(PGN(9), 9)(f, h), features, hidden)
    with pytest.raises(ValueError, match="a gate needs a processor that returns its messages"):
        transformed(lambda f, h: Gated(ConstantProcessor(h, None), HIDDEN)(f, h), features, hidden)


# ---------------------------------------------------------------------------------------------------
# Aggregations


def softmax_mean(messages, axis):
    weights = np.exp(messages)
    return (weights * messages).sum(axis) / weights.sum(axis)


REFERENCE = {"max": np.max, "sum": np.sum, "mean": np.mean, "softmax": softmax_mean}


def random_messages():
    random = np.random.default_rng(0)
    messages = random.standard_normal((BATCH, NODES, NODES, HIDDEN)).astype(np.float32)
    adjacency = random.random((BATCH, NODES, NODES)) < 0.4
    return messages, adjacency | np.eye(NODES, dtype=bool)


@pytest.mark.parametrize("name", REFERENCE)
def test_aggregations_match_numpy(name):
    messages, adjacency = random_messages()
    received = jax.jit(AGGREGATIONS[name])(messages, adjacency)
    for b in range(BATCH):
        for j in range(NODES):
            expected = REFERENCE[name](messages[b, adjacency[b, :, j], j], axis=0)
            assert_close(received[b, j], expected)


def test_recurrent_aggregation_matches_haiku_lstm():
    """Compares with `hk.LSTM` over the neighbors in the order of the nodes."""
    messages, adjacency = random_messages()
    params, received = transformed(AGGREGATIONS["recurrent"], messages, adjacency)
    sent = [messages[b, adjacency[b, :, j], j] for b, j in np.ndindex(BATCH, NODES)]
    sequences = np.stack([np.pad(x, ((0, NODES - len(x)), (0, 0))) for x in sent], axis=1)

    def read(sequences):
        lstm, states = hk.LSTM(HIDDEN), []
        state = lstm.initial_state(len(sent))
        for step in sequences:
            hidden, state = lstm(step, state)
            states.append(hidden)
        return jnp.stack(states)

    theirs = jax.jit(hk.without_apply_rng(hk.transform(read)).apply)
    with oracle.relaxed():
        states = np.asarray(theirs({"lstm/linear": params["recurrent"]}, sequences))
    for index, (b, j) in enumerate(np.ndindex(BATCH, NODES)):
        assert_close(received[b, j], states[len(sent[index]) - 1, index])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("max", "recurrent") else pytest.mark.slow)
        for name in AGGREGATIONS
    ],
)
@pytest.mark.parametrize(
    "make", [PGN, *(pytest.param(make, marks=pytest.mark.slow) for make in (MPNN, TripletGMPNN))]
)
def test_aggregation_by_name_equals_callable(name, make):
    """Also checks padding, gradients and equivariance with each aggregation."""
    named, custom = (Compiled(lambda x=x: make(HIDDEN, aggregation=x)) for x in (name, AGGREGATIONS[name]))
    assert_close(named(*dense_features()), custom(*dense_features()), 1e-4)
    assert_invariant_to_padding_and_edge_format(named, 3.0)
    assert_every_parameter_has_gradient(named)
    if name == "recurrent":
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_permutation_equivariant(named)
    else:
        assert_permutation_equivariant(named)


@pytest.mark.slow
@pytest.mark.parametrize("name", AGGREGATIONS)
def test_aggregations_in_bfloat16(name):
    assert_bfloat16_close_to_float32(Compiled(lambda: PGN(HIDDEN, aggregation=name)), *random_features())


@pytest.mark.parametrize("name", ["min", "", None, 3, ["max"]])
def test_unknown_aggregation(name):
    with pytest.raises(ValueError, match="unknown aggregation .*; known: max, sum, mean, softmax, recurrent"):
        find_aggregation(name)


def test_maximum_of_no_messages():
    messages, adjacency = np.ones((1, 2, 2, 3), np.float32), np.zeros((1, 2, 2), bool)
    assert (jax.jit(AGGREGATIONS["max"])(messages, adjacency) == NO_MESSAGE).all()


def test_max_with_ties_shares_the_gradient():
    values = np.array([[[1.0], [3.0], [3.0], [-np.inf]]], np.float32)
    value, gradient = jax.jit(jax.value_and_grad(lambda values: max_with_ties(values)[0, 0]))(values)
    assert value == 3.0
    np.testing.assert_array_equal(gradient[0, :, 0], [0, 0.5, 0.5, 0])


@pytest.mark.slow
def test_gradients_are_finite_at_every_optimization_level():
    """Unoptimized XLA programs round the arguments of a maximum in two ways if edges have one channel."""
    features, hidden = random_features()
    edges = features.edges
    features = features._replace(edges=FactoredFeatures(edges.values[..., :1], edges.vectors[:1], edges.bias))
    apply = network("triplet_mpnn").unpadded

    def loss(params):
        output = apply(params, features, hidden)
        return (output.nodes**2).sum() + (output.edges**2).sum()

    unoptimized, optimized = (
        jax.jit(jax.grad(loss), compiler_options={"xla_backend_optimization_level": level})(
            network("triplet_mpnn").params
        )
        for level in (0, 3)
    )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(unoptimized))
    assert_close(unoptimized, optimized, 1e-3)


# ---------------------------------------------------------------------------------------------------
# Linear maps


def test_linear_matches_haiku_on_concatenated_inputs():
    random = np.random.default_rng(0)
    inputs = [random.standard_normal((2, 3, size)).astype(np.float32) for size in (4, 1, 5)]
    concatenated = np.concatenate(inputs, axis=-1)
    ours = hk.without_apply_rng(hk.transform(lambda *inputs: Linear(HIDDEN, name="map")(*inputs)))
    theirs = hk.without_apply_rng(hk.transform(lambda x: hk.Linear(HIDDEN, name="map")(x)))
    params = jax.jit(ours.init)(jax.random.key(0), *inputs)
    with oracle.relaxed():
        expected = jax.jit(theirs.init)(jax.random.key(0), concatenated)
    assert_close(params, expected)  # the same key gives the same initial values
    w, b = np.asarray(params["map"]["w"]), random.standard_normal(HIDDEN).astype(np.float32)
    apply = jax.jit(ours.apply)
    assert_close(apply(params, *inputs), concatenated @ w)
    assert_close(apply({"map": {"w": w, "b": b}}, *inputs), concatenated @ w + b)


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
def test_initial_bias_of_linear(bias):
    params = initial_params(lambda x: Linear(HIDDEN, bias=bias, name="map")(x), np.ones((1, 2), np.float32))
    np.testing.assert_array_equal(params["map"]["b"], np.full(HIDDEN, bias))


# ---------------------------------------------------------------------------------------------------
# Triplets


def test_triplet_processors_return_edge_states():
    for name in PROCESSORS:
        if name.startswith("triplet"):
            assert network(name)(*dense_features()).edges.shape == (BATCH, NODES, NODES, HIDDEN)


def test_max_plus_matches_a_loop():
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, BATCH, NODES, NODES, 3)).astype(np.float32)
    product = jax.jit(max_plus)(a, b)
    for j in range(NODES):
        for k in range(NODES):
            assert_close(product[:, j, k], np.max(a[:, :, j] + b[:, :, k], axis=1))


def test_triplet_messages_match_dm_clrs():
    """Compares with the maximum over all N³ messages of dm-clrs, mapped to edge states."""
    features, hidden = random_features()
    order = ("node_i", "node_j", "node_k", "edge_ij", "edge_ik", "edge_jk", "graph")

    def ours(features, hidden):
        return Triplets(ConstantProcessor(hidden, hidden), HIDDEN, num_features=4)(features, hidden)

    random = np.random.default_rng(1)
    params = jax.tree.map(
        lambda leaf: leaf + random.standard_normal(leaf.shape).astype("f"),
        initial_params(ours, features, hidden),
    )
    output = jax.jit(hk.without_apply_rng(hk.transform(ours)).apply)(params, features, hidden)
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
    assert_close(output.edges, expected, 1e-4)


def naive_max_plus(a, b):
    return max_with_ties(a[:, :, :, None] + b[:, :, None])


@functools.cache
def compiled_max_plus(function):
    """Compiles `(a, b, da, db, g) -> value, JVP, VJP` of a function."""

    def call(a, b, da, db, g):
        value, vjp = jax.vjp(function, a, b)
        return value, jax.jvp(function, (a, b), (da, db))[1], vjp(g)

    return jax.jit(call)


@pytest.mark.parametrize("num_nodes", [1, 2, 7, 9, 16])
@pytest.mark.parametrize("case", ["random", "ties", "masked"])
def test_max_plus_matches_its_naive_form(num_nodes, case):
    random = np.random.default_rng(num_nodes)
    shape = (2, num_nodes, num_nodes, 3)
    draw = random.normal if case == "random" else lambda size: random.integers(-1, 2, size)
    arrays = [draw(size=shape).astype(np.float32) for _ in range(5)]
    if case == "masked":
        arrays[0][:, num_nodes // 2 + 1 :] = -np.inf
    actual, expected = (compiled_max_plus(function)(*arrays) for function in (max_plus, naive_max_plus))
    np.testing.assert_array_equal(actual[0], expected[0])
    np.testing.assert_allclose(actual[1], expected[1], rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5), actual[2], expected[2])


@pytest.mark.slow
def test_max_plus_outside_jit():
    random = np.random.default_rng(0)
    a, b, g = random.standard_normal((3, 2, 7, 7, 3)).astype(np.float32)
    values, vjps = zip(*(jax.vjp(function, a, b) for function in (max_plus, naive_max_plus)), strict=True)
    np.testing.assert_array_equal(*values)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5), *(vjp(g) for vjp in vjps)
    )


def test_max_plus_allocates_no_array_of_all_triplets():
    shape = (2, 12, 12, 3)
    arguments = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def gradient(a, b):
        return jax.grad(lambda a, b: max_plus(a, b).sum(), (0, 1))(a, b)

    for function in (max_plus, gradient):
        text = str(jax.make_jaxpr(function)(*arguments))
        assert "2,12,12,3" in text
        assert "2,12,12,12,3" not in text
        assert "12,2,12,12,3" not in text
