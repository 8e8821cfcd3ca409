"""Processors of dm-clrs and ours, alone, with the same parameters and features: same states and gradients."""

import functools

import haiku as hk
import jax
import numpy as np
import oracle
import pytest
from processor_contract import initial_params

from nar.model.dm_clrs import convert_parameters
from nar.model.dm_clrs.layouts import LAYOUTS
from nar.model.init import find_parameter_specs, nest_params
from nar.processors import PROCESSORS, Features

HIDDEN = 8
BATCH = 2
NODES = 4


def arrays(num_nodes, seed=0):
    """Nodes, edges, graph, adjacency (symmetric, as it always is in a network) and hidden states."""
    random = np.random.default_rng(seed)
    # Wide, so that cutting features to whole numbers, as memory networks do, gives different words.
    shapes = [(BATCH, num_nodes), (BATCH, num_nodes, num_nodes), (BATCH,), (BATCH, num_nodes)]
    nodes, edges, graph, hidden = (random.normal(0, 2, (*shape, HIDDEN)).astype("f") for shape in shapes)
    links = random.random((BATCH, num_nodes, num_nodes)) < 0.3
    adjacency = links | links.swapaxes(1, 2) | np.eye(num_nodes, dtype=bool)
    return nodes, np.clip(edges, -HIDDEN, HIDDEN - 1), graph, adjacency, hidden


def off_initial(function):
    """Parameters moved off their initial values."""
    with oracle.relaxed():
        params = initial_params(function, *arrays(NODES))
    random = np.random.default_rng(1)
    return jax.tree.map(lambda x: x + 0.3 * random.standard_normal(x.shape).astype("f"), params)


def theirs(name, num_heads=1, layer_norm=True):
    """Their processor: parameters moved off their initial values, and a pure function."""
    factory = oracle.clrs.get_processor_factory(name, layer_norm, nb_triplet_fts=4, nb_heads=num_heads)

    def function(*arrays):
        return factory(HIDDEN)(*arrays)

    return off_initial(function), hk.without_apply_rng(hk.transform(function)).apply


def their_states(apply, params):
    with oracle.relaxed():
        return jax.jit(apply)(params, *arrays(NODES))


def our_states(network, params):
    return jax.jit(network.apply)(params, *arrays(NODES))


def our_processor(name, options, nodes, edges, graph, adjacency, hidden):
    with hk.name_scope("processor"):
        processor = PROCESSORS[name](HIDDEN, **options)
    return processor(Features(nodes, edges, graph, adjacency), hidden)


def ours(name, **options):
    return hk.without_apply_rng(hk.transform(functools.partial(our_processor, name, options)))


def converted(name, params):
    return convert_parameters({f"net/{module}": leaves for module, leaves in params.items()}, name, {})


def assert_close(value, expected, tolerance):
    value, expected = np.asarray(value), np.asarray(expected)
    assert np.abs(value - expected).max() <= tolerance * np.abs(expected).max()


def options_of(name):
    return {"num_triplet_features": 4} if "triplet" in name else {}


@pytest.mark.parametrize("name", LAYOUTS)
def test_same_states(name):
    params, apply = theirs(name)
    nodes, edges = their_states(apply, params)
    network = ours(name, **options_of(name))
    params = converted(name, params)
    initial = jax.eval_shape(network.init, jax.random.key(0), *arrays(NODES))
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, initial)
    processed = our_states(network, params)
    assert_close(processed.nodes, nodes, 1e-5)
    assert (processed.edges is None) == (edges is None)
    if edges is not None:
        assert_close(processed.edges, edges, 1e-5)


def many_initial_params(function):
    """Initial parameters for a hundred keys, drawn without a program."""

    def forward():
        return function(*arrays(NODES))

    random = np.random.default_rng(0)
    wanted = find_parameter_specs(forward)
    return nest_params({name: one.initializer(random, (100, *one.shape)) for name, one in wanted.items()})


@pytest.mark.parametrize("name", ["triplet_gpgn", "gat", "gatv2", "memnet_masked"])
def test_same_initial_parameters(name):
    """Over many keys: every weight has the spread, and every offset the value, that it has in dm-clrs."""
    factory = oracle.clrs.get_processor_factory(name, True, nb_triplet_fts=8, nb_heads=2)
    options = {"num_heads": 2} if name.startswith("gat") else {}

    def theirs(*arrays):
        return factory(HIDDEN)(*arrays)

    with oracle.relaxed():
        expected = many_initial_params(theirs)
    found = many_initial_params(functools.partial(our_processor, name, options))
    for module, leaves in converted(name, expected).items():
        for leaf, value in leaves.items():
            assert np.std(found[module][leaf]) == pytest.approx(value.std(), rel=0.1), (module, leaf)
            assert np.mean(found[module][leaf]) == pytest.approx(value.mean(), abs=0.05), (module, leaf)


WITH_PARTS_OF_ALL = ("deepsets", "gat", "gatv2_full", "memnet_masked", "triplet_gpgn")
"""Together they have every part of `LAYOUTS` with a gradient of its own."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in WITH_PARTS_OF_ALL else [pytest.mark.slow]) for name in LAYOUTS],
)
def test_same_gradients(name):
    """Of the parameters and of all features."""
    params, apply = theirs(name)
    *features, adjacency, hidden = arrays(NODES, seed=2)

    def loss(apply, params, nodes, edges, graph, hidden):
        new, edges, *_ = apply(params, nodes, edges, graph, adjacency, hidden)
        return (new**2).sum() + (0 if edges is None else (edges**2).sum())

    def read(*arguments):
        processed = ours(name, **options_of(name)).apply(*arguments)
        return processed.nodes, processed.edges

    def gradient(apply):
        return jax.jit(jax.grad(functools.partial(loss, apply), argnums=(0, 1, 2, 3, 4)))

    with oracle.relaxed():
        expected = gradient(apply)(params, *features, hidden)
    found = gradient(read)(converted(name, params), *features, hidden)
    wanted = converted(name, expected[0])
    assert jax.tree.structure(found[0]) == jax.tree.structure(wanted)
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(wanted))
    pairs = zip(jax.tree.leaves((found[0], found[1:])), jax.tree.leaves((wanted, expected[1:])), strict=True)
    for value, leaf in pairs:
        assert np.abs(np.asarray(value) - leaf).max() <= 1e-4 * max(np.abs(leaf).max(), 1e-2 * largest)


@pytest.mark.parametrize(
    ("name", "num_heads"),
    [
        ("gat", 2),
        ("gatv2", 4),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                ("gat", 4),
                ("gatv2", 2),
                ("gat_full", 2),
                ("gat_full", 4),
                ("gatv2_full", 2),
                ("gatv2_full", 4),
            )
        ),
    ],
)
def test_same_heads(name, num_heads):
    params, apply = theirs(name, num_heads)
    nodes, _ = their_states(apply, params)
    found = our_states(ours(name, num_heads=num_heads), converted(name, params))
    assert_close(found.nodes, nodes, 1e-5)


@pytest.mark.parametrize("name", ["pgn", "deepsets", "gat", "gatv2"])
def test_without_layer_norm(name):
    params, apply = theirs(name, layer_norm=False)
    nodes, _ = their_states(apply, params)
    found = our_states(ours(name, layer_norm=False), converted(name, params))
    assert_close(found.nodes, nodes, 1e-5)


def test_memory_networks_of_dm_clrs_do_not_train():
    """As the docstring of `nar.processors.memnet` says: no state and no gradient leaves their initial 0."""
    factory = oracle.clrs.get_processor_factory("memnet_full", True, nb_triplet_fts=4)
    pure = hk.without_apply_rng(hk.transform(lambda *arrays: factory(HIDDEN)(*arrays)[0]))

    def loss(params):
        states = pure.apply(params, *arrays(NODES))
        return (states - 1.0).sum() ** 2, states

    with oracle.relaxed():
        params = jax.jit(pure.init)(jax.random.key(0), *arrays(NODES))
        gradients, states = jax.jit(jax.grad(loss, has_aux=True))(params)
    assert not np.asarray(states).any()
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(gradients))


def test_every_processor_of_dm_clrs_has_a_layout():
    """Its command line has all names but those of memory networks, which its factory has besides."""
    assert set(LAYOUTS) <= set(PROCESSORS)
    with pytest.raises(ValueError, match="Unexpected processor kind none"):
        oracle.clrs.get_processor_factory("none", True, nb_triplet_fts=4)(HIDDEN)
    assert len(LAYOUTS) == 19


# ---------------------------------------------------------------------------------------------------
# Options that no published name has


def with_options(name, make, **options):
    """States of their class and of ours, with the same parameters."""

    def function(*arrays):
        return make()(*arrays)

    params = off_initial(function)
    nodes, _ = their_states(hk.without_apply_rng(hk.transform(function)).apply, params)
    between = params.pop("memnet_clrs_processor/~_apply/linear", None)
    own = converted(name, params)
    if between is not None:
        own["processor/memnet/between"] = between
    return nodes, our_states(ours(name, **options), own).nodes


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("name", ["pgn", "gmpnn"])
def test_aggregations_are_their_reductions(name, reduction):
    classes = {"pgn": oracle.baselines.processors.PGN, "gmpnn": oracle.baselines.processors.MPNN}

    def make():
        return classes[name](
            HIDDEN,
            msgs_mlp_sizes=[HIDDEN, HIDDEN],
            reduction={"sum": jax.numpy.sum, "mean": jax.numpy.mean}[reduction],
            gated=name == "gmpnn",
        )

    nodes, found = with_options(name, make, aggregation=reduction, layer_norm=False)
    assert_close(found, nodes, 1e-5)


def test_attention_size_is_their_mid_size():
    def make():
        return oracle.baselines.processors.GATv2(HIDDEN, nb_heads=2, mid_size=6, use_ln=True)

    nodes, found = with_options("gatv2", make, num_heads=2, attention_size=6)
    assert_close(found, nodes, 1e-5)


@pytest.mark.parametrize(("num_hops", "memory_size"), [(1, 5), (3, 7)])
def test_memory_networks_of_several_hops(num_hops, memory_size):
    def make():
        return oracle.baselines.processors.MemNetMasked(
            HIDDEN, HIDDEN, HIDDEN, embedding_size=4, memory_size=memory_size, num_hops=num_hops, use_ln=True
        )

    options = {"num_hops": num_hops, "memory_size": memory_size, "embedding_size": 4, "layer_norm": True}
    nodes, found = with_options("memnet_masked", make, **options)
    assert_close(found, nodes, 1e-5)


def test_memory_networks_without_words():
    """Their `apply_embeddings=False`: features are numbers."""

    def make():
        return oracle.baselines.processors.MemNetFull(HIDDEN, HIDDEN, HIDDEN, apply_embeddings=False)

    nodes, found = with_options("memnet_full", make, embed=False)
    assert_close(found, nodes, 1e-5)
