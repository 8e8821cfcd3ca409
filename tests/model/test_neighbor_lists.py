"""Neighbor lists: the same predictions, losses and gradients as on dense arrays, with the same parameters."""

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nar
from nar.data import Transforms, pad_nodes, take
from nar.losses import losses_by_probe, total_loss
from nar.model import NetConfig, make_model
from nar.processors import PROCESSORS, Features
from nar.processors.layers.neighbors import gather_nodes, reverse_edges
from nar.processors.wrappers.no_history import NoHistory
from nar.processors.wrappers.schemata import Schemata
from nar.processors.wrappers.step_encoding import StepEncoding
from nar.specs import Kind, Location
from nar.traces import sample_traces
from nar.traces.neighbors import make_neighbors, pointer_nodes, with_neighbors

HIDDEN, NODES, BATCH = 8, 9, 3
CASES = [
    ("bfs", "pgn_mask", {}),
    ("dijkstra", "gpgn_mask", {}),
    ("bfs", "gat", {}),
    ("bellman_ford", "gatv2", {"lstm": True}),
    ("mst_prim", "deepsets", {}),
    ("dfs", "pgn", {"message_passing_steps": 2}),
    ("bfs", "edges_mean", {"hint_feedback": "hard"}),
    ("bfs", "edges_recurrent", {}),
    ("bfs", "discrete", {"hint_feedback": "hard"}),
    ("discrete_dijkstra", "discrete_paths", {"hint_feedback": "hard"}),
    ("bfs", "edges_without_history", {"precision": "bfloat16"}),
    ("dijkstra", "shared_workspace", {}),
    ("bfs", "production_system", {}),
    ("bfs", "edges_schemata", {}),
]


def edges_mean(hidden_size):
    return nar.PROCESSORS["pgn"](hidden_size, aggregation="mean")


def edges_recurrent(hidden_size):
    return nar.PROCESSORS["pgn"](hidden_size, aggregation="recurrent")


def edges_schemata(hidden_size):
    return Schemata(nar.PROCESSORS["pgn"](hidden_size), hidden_size)


def edges_without_history(hidden_size):
    return NoHistory(StepEncoding(nar.PROCESSORS["gpgn"](hidden_size)))


def discrete_paths(hidden_size):
    return nar.PROCESSORS["discrete"](hidden_size, attention="global", score="path")


def factory(name):
    return globals().get(name) or PROCESSORS[name]


@functools.cache
def batches(task, padding=0):
    """The same traces in both layouts, and their spec; of directed graphs, if the problem has them."""
    algorithm = nar.ALGORITHMS[task]
    directed = {"directed": True} if "directed" in algorithm.problem.options else {}
    p = 0.2 if directed or task == "dfs" else 0.5
    traces = take(sample_traces(task, NODES, 8, seed=3, p=(p,), **directed), slice(BATCH))
    batch = Transforms().apply(algorithm, traces, np.random.default_rng(0).random(traces.inputs["pos"].shape))
    spec = Transforms().spec(algorithm)
    if padding:
        batch = pad_nodes(batch, spec, NODES + padding)
    return batch, with_neighbors(batch, spec), spec


@functools.cache
def results(task, processor, options, padding=0):
    """Predictions, losses and gradients in both layouts, by the same parameters."""
    dense, sparse, spec = batches(task, padding)
    config = NetConfig(factory(processor), HIDDEN, pairs="edges", **dict(options))
    model = make_model(config, {task: spec})
    params = jax.jit(model.init)(jax.random.key(0), {task: dense})
    random = np.random.default_rng(1)
    params = jax.tree.map(lambda x: x + 0.2 * random.standard_normal(x.shape, np.float32), params)

    def loss(params, batch):
        predictions = model.apply(params, None, task, batch, False)
        losses = losses_by_probe(spec, batch, predictions)
        return total_loss(losses), (predictions, losses)

    compute = jax.jit(jax.value_and_grad(loss, has_aux=True))
    return [compute(params, batch) for batch in (dense, sparse)]


def at_slots(probe, value, batch):
    """Dense logits [..., B, N, N] of a probe at the slots, [..., B, N, K]."""
    if probe.location is Location.NODE and probe.kind is Kind.POINTER:
        rows, nodes = np.arange(BATCH)[:, None, None], np.arange(value.shape[-1])[None, :, None]
        return np.where(batch.neighbors.mask, value[..., rows, nodes, batch.neighbors.index], -1e9)
    return value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "processor", "options", "padding"),
    [*((*case, 0) for case in CASES), ("bfs", "pgn_mask", {}, 2), ("bfs", "gat", {}, 2)],
)
def test_predictions_losses_and_gradients_equal_those_of_dense_arrays(task, processor, options, padding):
    tolerance = 2e-2 if "precision" in options else 1e-5
    dense, sparse = results(task, processor, tuple(options.items()), padding)
    _, batch, spec = batches(task, padding)
    assert not batch.neighbors.mask.all()
    ((_, (expected, losses)), slopes), ((_, (found, found_losses)), found_slopes) = dense, sparse
    for stage in ("outputs", "hints"):
        for name, value in getattr(expected, stage).items():
            wanted = at_slots(spec[name], np.asarray(value), batch)
            np.testing.assert_allclose(
                getattr(found, stage)[name], wanted, tolerance, tolerance, err_msg=name
            )
    for name, value in losses.items():
        np.testing.assert_allclose(found_losses[name], value, tolerance, tolerance, err_msg=name)
    largest = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(slopes))
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, tolerance, tolerance * largest),
        found_slopes,
        slopes,
    )


@pytest.mark.parametrize(
    "processor", ["pgn", "shared_workspace", pytest.param("gat", marks=pytest.mark.slow)]
)
def test_one_step_of_a_processor(processor):
    """Node states of dense arrays, and of the same graph as neighbor lists."""
    random = np.random.default_rng(0)
    links = random.random((BATCH, NODES, NODES)) < 0.3
    links |= links.swapaxes(1, 2) | np.eye(NODES, dtype=bool)
    lists = make_neighbors(links)
    edges, nodes, hidden = (
        random.standard_normal((BATCH, *shape, HIDDEN), np.float32)
        for shape in ((NODES, NODES), (NODES,), (NODES,))
    )
    rows, own = np.arange(BATCH)[:, None, None], np.arange(NODES)[None, :, None]
    dense = Features(nodes, edges, nodes[:, 0], links)
    sparse = dense._replace(
        edges=edges[rows, lists.index, own].swapaxes(1, 2),
        adjacency=lists.mask.swapaxes(1, 2),
        neighbors=lists,
    )
    step = hk.without_apply_rng(hk.transform(lambda *inputs: PROCESSORS[processor](HIDDEN)(*inputs).nodes))
    params, apply = jax.jit(step.init)(jax.random.key(0), dense, hidden), jax.jit(step.apply)
    found, expected = (apply(params, features, hidden) for features in (sparse, dense))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_gradients_of_gathers_are_those_of_indexing():
    random = np.random.default_rng(0)
    lists = make_neighbors(random.random((2, 6, 6)) < 0.3)
    rows = np.arange(2)[:, None, None]
    nodes = jnp.float32(random.standard_normal((2, 6, 3)))
    slots = jnp.float32(random.standard_normal((*lists.index.shape, 3)))
    for gather, indexing, value in (
        (gather_nodes, lambda x: x[rows, lists.index], nodes),
        (reverse_edges, lambda x: x[rows, lists.index, lists.reverse], slots),
    ):
        found, slopes = pulled(lambda x, gather=gather: gather(x, lists))(value, slots)
        expected, expected_slopes = pulled(indexing)(value, slots)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(slopes, expected_slopes, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(reverse_edges(reverse_edges(slots, lists), lists), slots)


def pulled(function):
    """The compiled function, which also returns the product of a cotangent and its Jacobian."""

    @jax.jit
    def call(value, cotangent):
        result, pull = jax.vjp(function, value)
        return result, pull(cotangent)[0]

    return call


@pytest.mark.parametrize("task", ["bfs", pytest.param("dfs", marks=pytest.mark.slow)])
def test_pointers_are_slots(task):
    dense, sparse, spec = batches(task)
    for probe in spec.outputs:
        if probe.kind is Kind.POINTER:
            nodes = pointer_nodes(sparse.outputs[probe.name], sparse.neighbors)
            np.testing.assert_array_equal(nodes, dense.outputs[probe.name])


def test_every_slot_has_its_reverse():
    _, batch, _ = batches("bfs")
    index, _, reverse = batch.neighbors
    rows = np.arange(BATCH)[:, None, None]
    assert (index[rows, index, reverse] == np.arange(NODES)[None, :, None]).all()


@pytest.mark.parametrize("processor", ["mpnn", "triplet_gpgn_mask", "edge_transformer", "gat_full"])
def test_processors_of_all_pairs_are_refused(processor):
    _, batch, spec = batches("bfs")
    model = make_model(NetConfig(PROCESSORS[processor], HIDDEN), {"bfs": spec})
    with pytest.raises(ValueError, match="computes on all pairs of nodes and cannot run on neighbor lists"):
        jax.eval_shape(model.init, jax.random.key(0), {"bfs": batch})


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("topological_sort", "which is not its neighbor"),
        ("insertion_sort", "neighbor lists need an input that marks the edges of the graph"),
        ("floyd_warshall", "points from pairs of nodes"),
    ],
)
def test_traces_without_neighbor_lists_are_refused(task, message):
    with pytest.raises(ValueError, match=message):
        with_neighbors(sample_traces(task, 8, 4, 0), nar.ALGORITHMS[task].spec)


def test_values_of_pairs_that_are_no_edges_are_refused():
    """They would be lost; masked and empty entries are not values."""
    traces, spec = sample_traces("bridges", 8, 4, 0), nar.ALGORITHMS["bridges"].spec
    assert (traces.outputs["is_bridge"] == -1).any()
    with_neighbors(traces, spec)
    absent = np.argwhere(traces.inputs["adj"] == 0)[0]
    traces.inputs["A"][tuple(absent)] = 0.5
    with pytest.raises(ValueError, match="A has values at pairs of nodes that are not neighbors"):
        with_neighbors(traces, spec)
