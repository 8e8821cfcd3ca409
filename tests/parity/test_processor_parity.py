"""Parity of single processors with dm-clrs: states and gradients, given the same parameters and features."""

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
from nar.model.params_by_task import flatten_tasks
from nar.processors import PROCESSORS, Features

HIDDEN = 8
BATCH = 2
NODES = 4


def random_inputs(num_nodes, seed=0):
    """Nodes, edges, graph, adjacency (symmetric, as it always is in a model) and hidden states."""
    random = np.random.default_rng(seed)
    # Standard deviation 2, so that memory networks truncate features to different words.
    shapes = [(BATCH, num_nodes), (BATCH, num_nodes, num_nodes), (BATCH,), (BATCH, num_nodes)]
    nodes, edges, graph, hidden = (random.normal(0, 2, (*shape, HIDDEN)).astype("f") for shape in shapes)
    links = random.random((BATCH, num_nodes, num_nodes)) < 0.3
    adjacency = links | links.swapaxes(1, 2) | np.eye(num_nodes, dtype=bool)
    return nodes, np.clip(edges, -HIDDEN, HIDDEN - 1), graph, adjacency, hidden


def perturbed_params(function):
    """Initial parameters plus noise."""
    with oracle.relaxed():
        params = initial_params(function, *random_inputs(NODES))
    random = np.random.default_rng(1)
    return jax.tree.map(lambda x: x + 0.3 * random.standard_normal(x.shape).astype("f"), params)


def theirs(name, num_heads=1, layer_norm=True):
    """The dm-clrs processor: perturbed parameters and pure function."""
    factory = oracle.clrs.get_processor_factory(name, layer_norm, nb_triplet_fts=4, nb_heads=num_heads)

    def function(*inputs):
        return factory(HIDDEN)(*inputs)

    return perturbed_params(function), hk.without_apply_rng(hk.transform(function)).apply


def their_states(apply, params):
    with oracle.relaxed():
        return jax.jit(apply)(params, *random_inputs(NODES))


def our_states(network, params):
    return jax.jit(network.apply)(params, *random_inputs(NODES))


def our_processor(name, options, nodes, edges, graph, adjacency, hidden):
    with hk.name_scope("processor"):
        processor = PROCESSORS[name](HIDDEN, **options)
    return processor(Features(nodes, edges, graph, adjacency), hidden)


def ours(name, **options):
    return hk.without_apply_rng(hk.transform(functools.partial(our_processor, name, options)))


def converted(name, params):
    params = {f"net/{module}": leaves for module, leaves in params.items()}
    return flatten_tasks(convert_parameters(params, name, {}))


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
    initial = jax.eval_shape(network.init, jax.random.key(0), *random_inputs(NODES))
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, initial)
    output = our_states(network, params)
    assert_close(output.nodes, nodes, 1e-5)
    assert (output.edges is None) == (edges is None)
    if edges is not None:
        assert_close(output.edges, edges, 1e-5)


def initial_params_of_many_keys(function):
    """Initial parameters for a hundred keys, drawn in NumPy without compilation."""

    def forward():
        return function(*random_inputs(NODES))

    random = np.random.default_rng(0)
    specs = find_parameter_specs(forward)
    return nest_params({name: spec.initializer(random, (100, *spec.shape)) for name, spec in specs.items()})


@pytest.mark.parametrize("name", ["triplet_gpgn", "gat", "gatv2", "memnet_masked"])
def test_same_initial_parameters(name):
    """Over many keys, each parameter has the standard deviation and mean that it has in dm-clrs."""
    factory = oracle.clrs.get_processor_factory(name, True, nb_triplet_fts=8, nb_heads=2)
    options = {"num_heads": 2} if name.startswith("gat") else {}

    def theirs(*inputs):
        return factory(HIDDEN)(*inputs)

    with oracle.relaxed():
        expected = initial_params_of_many_keys(theirs)
    actual = initial_params_of_many_keys(functools.partial(our_processor, name, options))
    for module, leaves in converted(name, expected).items():
        for leaf, value in leaves.items():
            assert np.std(actual[module][leaf]) == pytest.approx(value.std(), rel=0.1), (module, leaf)
            assert np.mean(actual[module][leaf]) == pytest.approx(value.mean(), abs=0.05), (module, leaf)


FAST_GRADIENTS = ("gatv2_full",)
"""The others are marked slow."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in FAST_GRADIENTS else [pytest.mark.slow]) for name in LAYOUTS],
)
def test_same_gradients(name):
    """Gradients with respect to the parameters and all features."""
    params, apply = theirs(name)
    *features, adjacency, hidden = random_inputs(NODES, seed=2)

    def loss(apply, params, nodes, edges, graph, hidden):
        new, edges, *_ = apply(params, nodes, edges, graph, adjacency, hidden)
        return (new**2).sum() + (0 if edges is None else (edges**2).sum())

    def read(*arguments):
        output = ours(name, **options_of(name)).apply(*arguments)
        return output.nodes, output.edges

    def gradient(apply):
        return jax.jit(jax.grad(functools.partial(loss, apply), argnums=(0, 1, 2, 3, 4)))

    with oracle.relaxed():
        expected = gradient(apply)(params, *features, hidden)
    actual = gradient(read)(converted(name, params), *features, hidden)
    expected = (converted(name, expected[0]), *expected[1:])
    assert jax.tree.structure(actual[0]) == jax.tree.structure(expected[0])
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(expected[0]))
    pairs = zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True)
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
def test_same_states_with_several_heads(name, num_heads):
    params, apply = theirs(name, num_heads)
    nodes, _ = their_states(apply, params)
    actual = our_states(ours(name, num_heads=num_heads), converted(name, params))
    assert_close(actual.nodes, nodes, 1e-5)


@pytest.mark.parametrize("name", ["pgn", "deepsets", "gat", "gatv2"])
def test_same_states_without_layer_norm(name):
    params, apply = theirs(name, layer_norm=False)
    nodes, _ = their_states(apply, params)
    actual = our_states(ours(name, layer_norm=False), converted(name, params))
    assert_close(actual.nodes, nodes, 1e-5)


def test_memory_networks_of_dm_clrs_do_not_train():
    """Initial states and gradients are 0, as documented in `nar.processors.memnet`."""
    factory = oracle.clrs.get_processor_factory("memnet_full", True, nb_triplet_fts=4)
    pure = hk.without_apply_rng(hk.transform(lambda *inputs: factory(HIDDEN)(*inputs)[0]))

    def loss(params):
        states = pure.apply(params, *random_inputs(NODES))
        return (states - 1.0).sum() ** 2, states

    with oracle.relaxed():
        params = jax.jit(pure.init)(jax.random.key(0), *random_inputs(NODES))
        gradients, states = jax.jit(jax.grad(loss, has_aux=True))(params)
    assert not np.asarray(states).any()
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(gradients))


def test_every_processor_of_dm_clrs_has_a_layout():
    assert set(LAYOUTS) <= set(PROCESSORS)
    with pytest.raises(ValueError, match="Unexpected processor kind none"):
        oracle.clrs.get_processor_factory("none", True, nb_triplet_fts=4)(HIDDEN)
    assert len(LAYOUTS) == 19


# ---------------------------------------------------------------------------------------------------
# Options beyond the published configurations


def with_options(name, make, **options):
    """States of the dm-clrs class and of ours, with the same parameters."""

    def function(*inputs):
        return make()(*inputs)

    params = perturbed_params(function)
    nodes, _ = their_states(hk.without_apply_rng(hk.transform(function)).apply, params)
    between_hops = params.pop("memnet_clrs_processor/~_apply/linear", None)
    our_params = converted(name, params)
    if between_hops is not None:
        our_params["processor/memnet/between"] = between_hops
    return nodes, our_states(ours(name, **options), our_params).nodes


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("name", ["pgn", "gmpnn"])
def test_aggregations_match_dm_clrs_reductions(name, reduction):
    classes = {"pgn": oracle.baselines.processors.PGN, "gmpnn": oracle.baselines.processors.MPNN}

    def make():
        return classes[name](
            HIDDEN,
            msgs_mlp_sizes=[HIDDEN, HIDDEN],
            reduction={"sum": jax.numpy.sum, "mean": jax.numpy.mean}[reduction],
            gated=name == "gmpnn",
        )

    nodes, actual = with_options(name, make, aggregation=reduction, layer_norm=False)
    assert_close(actual, nodes, 1e-5)


def test_attention_size_matches_dm_clrs_mid_size():
    def make():
        return oracle.baselines.processors.GATv2(HIDDEN, nb_heads=2, mid_size=6, use_ln=True)

    nodes, actual = with_options("gatv2", make, num_heads=2, attention_size=6)
    assert_close(actual, nodes, 1e-5)


@pytest.mark.parametrize(("num_hops", "memory_size"), [(1, 5), (3, 7)])
def test_same_memory_networks_with_several_hops(num_hops, memory_size):
    def make():
        return oracle.baselines.processors.MemNetMasked(
            HIDDEN, HIDDEN, HIDDEN, embedding_size=4, memory_size=memory_size, num_hops=num_hops, use_ln=True
        )

    options = {"num_hops": num_hops, "memory_size": memory_size, "embedding_size": 4, "layer_norm": True}
    nodes, actual = with_options("memnet_masked", make, **options)
    assert_close(actual, nodes, 1e-5)


def test_same_memory_networks_without_embedding():
    """`embed=False` is `apply_embeddings=False` of dm-clrs."""

    def make():
        return oracle.baselines.processors.MemNetFull(HIDDEN, HIDDEN, HIDDEN, apply_embeddings=False)

    nodes, actual = with_options("memnet_full", make, embed=False)
    assert_close(actual, nodes, 1e-5)
