"""User-provided graphs as matrices, lists of edges, networkx graphs and sparse matrices."""

import networkx
import numpy as np
import pytest
from scipy import sparse

import nar
from experiments.examples.tarjan import TARJAN_SCC

MATRIX = np.array([[0, 2, 0, 0], [2, 0, 3, 0], [0, 3, 0, 0], [0, 0, 0, 0]], float)
EDGES = [(0, 1, 2), (1, 2, 3.0)]


def graph_of(A, **arguments):
    return nar.run_algorithm("bellman_ford", A, s=0, **arguments).inputs["A"]


@pytest.mark.parametrize(
    "edges",
    [
        EDGES,
        tuple(EDGES),
        [list(edge) for edge in EDGES],
        [*EDGES, (1, 0, 2)],
        [(np.int8(0), 1, np.float32(2)), EDGES[1]],
    ],
)
def test_list_of_edges(edges):
    np.testing.assert_array_equal(graph_of(edges, num_nodes=4), MATRIX)


def test_num_nodes_defaults_to_the_largest_node():
    np.testing.assert_array_equal(graph_of(EDGES), MATRIX[:3, :3])
    np.testing.assert_array_equal(graph_of([(0, 1)]), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(graph_of([], num_nodes=2), np.zeros((2, 2)))


def test_edges_of_directed_problems_are_directed():
    trace = nar.run_algorithm(TARJAN_SCC, [(0, 1), (1, 2), (2, 1)])
    np.testing.assert_array_equal(trace.inputs["A"], [[0, 1, 0], [0, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(trace.outputs["scc"], [0, 1, 1])


def test_list_of_rows_is_a_matrix():
    for rows in ([[0, 1], [1, 0]], [np.array([0, 1]), np.array([1, 0])], np.array([[0, 1], [1, 0]])):
        np.testing.assert_array_equal(graph_of(rows), [[0, 1], [1, 0]])


@pytest.mark.parametrize("kind", [networkx.Graph, networkx.DiGraph, networkx.MultiGraph])
def test_networkx_graph(kind):
    graph = kind()
    graph.add_nodes_from("dcba")
    graph.add_edge("d", "c", weight=2)
    graph.add_edge("b", "c", weight=3)
    graph.add_edge("a", "a")
    np.testing.assert_array_equal(graph_of(graph), networkx.to_numpy_array(graph))


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.coo_array])
def test_sparse_matrix(make):
    np.testing.assert_array_equal(graph_of(make(MATRIX)), MATRIX)


@pytest.mark.parametrize(
    ("A", "num_nodes", "message"),
    [
        ([(0, 1), (1, 4)], 4, r"A has 4 nodes \(0 to 3\), got an edge of node 4"),
        ([(0, -1)], None, r"edges of A must connect nodes 0, 1, 2, \.\.\., got \(0, -1\)"),
        ([(0, 1.0)], None, r".*must connect nodes .*got \(0, 1\.0\)"),
        ([(0, True)], None, r".*must connect nodes .*got \(0, True\)"),
        ([("a", "b")], None, r".*must connect nodes .*got \('a', 'b'\)"),
        ([(0, 1, 0)], None, r"weights of A must be numbers .*not 0.*got \(0, 1, 0\)"),
        ([(0, 1, float("nan"))], None, r"weights of A must be numbers"),
        ([(0, 1, 1e200)], None, r"weights of A must be numbers of magnitude at most 1e\+100"),
        ([(0, 1, "x")], None, r"weights of A must be numbers"),
        ([(0, 1), (0, 1, 2)], None, r"A must have one weight per edge, got 1 and 2 for \(0, 1\)"),
        ([(0, 1, 3), (1, 0, 2)], None, r"A must have one weight per edge, got 3 and 2 for \(1, 0\)"),
        ([(0,)], None, r"an edge of A must be \(i, j\) or \(i, j, weight\), got \(0,\)"),
        ([(0, 1, 0, 0)] * 4, None, r"an edge of A must be .*; if this is a matrix, pass its rows as lists"),
        ([3], 4, r"an edge of A must be .*got 3"),
        ([], 0, r"A must have 1 to 4096 nodes, got 0"),
        ([], 2.0, r"A must have 1 to 4096 nodes, got 2\.0"),
        ([(0, 10**9)], None, r"A must have 1 to 4096 nodes, got 1000000001"),
        ([(0, 1)], 10**400, r"A must have 1 to 4096 nodes"),
        ([], None, r"A must be a non-empty array of rank 2"),
        (MATRIX, 4, r"num_nodes is only valid if A is a list of edges"),
        (networkx.Graph(), None, r"A must have 1 to 4096 nodes, got 0"),
        (networkx.Graph([(0, 1, {"weight": "far"})]), None, r"weights of A must be .*\(0, 1, 'far'\)"),
        (networkx.path_graph(3), 3, r"num_nodes is only valid if A is a list of edges"),
        (sparse.csr_matrix((2, 3)), None, r"A must be a square matrix"),
        (sparse.csr_matrix((10**6, 10**6)), None, r"A must be an array of real numbers"),
    ],
)
def test_invalid_graphs_raise(A, num_nodes, message):
    named = {} if num_nodes is None else {"num_nodes": num_nodes}
    with pytest.raises(ValueError, match=f"^bfs: {message}"):
        nar.run_algorithm("bfs", A=A, s=0, **named)


def test_num_nodes_is_only_an_argument_of_graph_problems():
    with pytest.raises(ValueError, match="minimum: unknown argument 'num_nodes'"):
        nar.run_algorithm("minimum", [1, 2], num_nodes=2)


def test_exactly_the_graph_problems_define_directed():
    for algorithm in nar.ALGORITHMS.values():
        is_graph = algorithm.family == "graphs" and "A" in algorithm.problem.arguments
        assert (algorithm.problem.directed is not None) == is_graph, algorithm.name
