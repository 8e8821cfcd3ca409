"""Traces on neighbor lists: those of the algorithms on matrices, and graphs of thousands of nodes."""

import networkx as nx
import numpy as np
import pytest
from trace_checks import assert_same

import nar
from nar.algorithms.on_lists.registry import STEPS_ON_LISTS
from nar.problems.large_graphs import LARGE_FAMILIES, draw_edge_list
from nar.traces.list_traces import record_on_lists, sample_list_traces
from nar.traces.neighbors import pointer_nodes, with_neighbors
from nar.traces.recorder.record import collect

every_algorithm = pytest.mark.parametrize("name", STEPS_ON_LISTS)
every_family = pytest.mark.parametrize("family", LARGE_FAMILIES)


def drawn(family, size, seed=0, weighted=False, **parameters):
    return draw_edge_list(np.random.RandomState(seed), size, family, weighted=weighted, **parameters)


@every_family
@every_algorithm
def test_traces_equal_those_on_matrices(name, family):
    for size in (1, 2, 3, 5, 16, 30):
        algorithm = nar.ALGORITHMS[name]
        graphs = [drawn(family, size, seed, algorithm.problem.uses_weights) for seed in range(3)]
        values = {
            "s": [seed % size for seed in range(3)],
            "numbers": list(np.random.RandomState(size).uniform(size=(3, 2, size))),
        }
        further = {argument: values[argument] for argument in algorithm.problem.arguments[1:]}
        instances = list(zip(graphs, *further.values(), strict=True))
        on_matrices = [(graph.matrix(), *rest) for graph, *rest in instances]
        expected = with_neighbors(collect(algorithm, on_matrices), algorithm.spec)
        found = record_on_lists(name, instances)
        assert_same(found, expected)
        for one, other in zip(found.neighbors, expected.neighbors, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "name", ["bellman_ford", "bfs", "dfs", "dijkstra", "discrete_dfs", "discrete_dijkstra"]
)
def test_traces_of_directed_graphs_equal_those_on_matrices(name):
    """With self-loops, one-way edges, and edges of other weights in the other direction."""
    random, algorithm = np.random.default_rng(0), nar.ALGORITHMS[name]
    for size in (1, 2, 5, 12):
        matrices = random.integers(0, 2, (3, size, size)) * random.uniform(0.1, 1, (3, size, size))
        source = {"s": 0} if "s" in algorithm.problem.arguments else {}
        on_matrices = [algorithm.problem.read(matrix=A, **source).arguments for A in matrices]
        on_edges = [algorithm.problem.read_edges(matrix=A, **source).arguments for A in matrices]
        expected = with_neighbors(collect(algorithm, on_matrices), algorithm.spec)
        assert_same(record_on_lists(name, on_edges), expected)


@pytest.mark.slow
@pytest.mark.jit
@every_family
@pytest.mark.parametrize("name", ["bfs", "dijkstra", "mst_prim", "bellman_ford"])
def test_outputs_equal_those_of_networkx_on_2000_nodes(name, family):
    """Up to ties, which bfs breaks by the number of the node."""
    batch = sample_list_traces(name, 2000, 1, 5, family=family)
    lists, (pi,) = batch.neighbors, pointer_nodes(batch.outputs["pi"], batch.neighbors)
    senders, slots = np.nonzero(lists.mask[0])
    weights = batch.inputs["A"][0][senders, slots]
    graph = nx.Graph()
    graph.add_nodes_from(range(2000))
    graph.add_weighted_edges_from(zip(senders, lists.index[0][senders, slots], weights, strict=True))
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    (source,) = np.flatnonzero(batch.inputs["s"][0])
    reached = nx.node_connected_component(graph, source)
    assert {v for v in range(2000) if pi[v] != v} == reached - {source}
    if name == "mst_prim":
        tree = nx.minimum_spanning_tree(graph.subgraph(reached))
        assert {frozenset((v, int(pi[v]))) for v in reached - {source}} == set(map(frozenset, tree.edges))
        return
    weight = None if name == "bfs" else "weight"
    distance = nx.shortest_path_length(graph, source, weight=weight)
    for v in reached - {source}:
        step = 1 if weight is None else graph[int(pi[v])][v]["weight"]
        assert distance[v] == pytest.approx(distance[int(pi[v])] + step)


@every_family
def test_trace_i_is_a_function_of_its_index(family):
    whole = sample_list_traces("bfs", 20, 5, 7, family=family)
    for index in range(5):
        one = sample_list_traces("bfs", 20, 1, 7, first=index, family=family)
        width = one.neighbors.index.shape[2]
        np.testing.assert_array_equal(one.neighbors.index[0], whole.neighbors.index[index, :, :width])
        np.testing.assert_array_equal(one.outputs["pi"][0], whole.outputs["pi"][index])


def test_graphs_have_the_statistics_of_their_families():
    size, p = 400, 0.05
    counts = [len(drawn("erdos_renyi", size, seed, p=p).pairs) for seed in range(30)]
    pairs = size * (size - 1) / 2
    assert abs(np.mean(counts) - p * pairs) < 4 * np.sqrt(pairs * p * (1 - p) / 30)
    ring = drawn("watts_strogatz", size, k=6, rewiring=0.0)
    assert set(np.bincount(ring.pairs.ravel())) == {6}
    assert nx.average_clustering(graph_of(ring)) == pytest.approx(0.6)
    rewired = drawn("watts_strogatz", size, k=6, rewiring=0.2)
    assert len(rewired.pairs) == 3 * size and nx.average_clustering(graph_of(rewired)) < 0.45
    assert nx.check_planarity(graph_of(drawn("delaunay", size)))[0]
    degrees = [2 * len(drawn("erdos_renyi", size, seed).pairs) / size for seed in range(30)]
    assert np.log(size) * 0.8 < min(degrees) and max(degrees) < 3 * np.log(size) * 1.2


def graph_of(graph):
    return nx.Graph(map(tuple, graph.pairs))


@every_family
def test_pairs_are_different_and_ordered(family):
    for size in (1, 2, 3, 4, 50):
        graph = drawn(family, size)
        assert len(set(map(tuple, graph.pairs))) == len(graph.pairs)
        assert (graph.pairs[:, 0] < graph.pairs[:, 1]).all() and (graph.pairs < size).all()


def test_dense_erdos_renyi_graphs():
    assert len(drawn("erdos_renyi", 9, p=1.0).pairs) == 36 and len(drawn("erdos_renyi", 9, p=0.0).pairs) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"family": "grid"},
            "unknown family of large graphs 'grid'; known: erdos_renyi, watts_strogatz, delaunay",
        ),
        ({"family": "delaunay", "p": 0.5}, "p=0.5 has no effect on graphs of the family delaunay"),
        ({"p": 1.5}, "p must be a probability, got 1.5"),
        (
            {"family": "watts_strogatz", "k": 5},
            "k of watts_strogatz must be an even number from 2 to 8, got 5",
        ),
        ({"size": 2**20}, "size must be at most 65536, got 1048576"),
        ({"size": 0}, "size must be an integer of at least 1, got 0"),
        ({"name": "heapsort"}, "heapsort has no generator on neighbor lists; known: bellman_ford, bfs"),
    ],
)
def test_invalid_arguments_are_errors(arguments, message):
    given = {"name": "bfs", "size": 9, "count": 1, "seed": 0, **arguments}
    with pytest.raises(ValueError, match=message):
        sample_list_traces(**given)


def test_streams_have_all_steps_without_the_other_hints():
    """Networks get the random numbers of every step, also where hints are not kept."""
    whole, first = (
        sample_list_traces("fast_mis", 9, 3, 1, all_hints=all_hints) for all_hints in (True, False)
    )
    assert (whole.lengths > 2).all()
    np.testing.assert_array_equal(first.hints["randomness"], whole.hints["randomness"])


def test_a_hub_that_needs_too_much_memory_is_refused(monkeypatch):
    """A star of 3,000 nodes has as many slots at each node."""
    edges = [(0, leaf) for leaf in range(1, 3000)]
    star = nar.ALGORITHMS["bfs"].problem.read_edges(edges=edges, s=0).arguments
    monkeypatch.setattr("nar.traces.neighbors.memory_size", lambda: 2**27)
    with pytest.raises(ValueError, match="3000 nodes with up to 3000 neighbors each need at least"):
        record_on_lists("bfs", [star])
