"""Outputs of the graph algorithms on thousands of small graphs, against networkx and scipy."""

import itertools

import networkx
import numpy as np
import oracle
import pytest
from examples import NUM_EXAMPLES
from scipy.sparse import csgraph

import nar
from nar.problems.random_graphs import flow_network
from nar.specs import MASKED

pytestmark = pytest.mark.examples
COUNT = 4 * NUM_EXAMPLES


def graphs(seed, *, symmetric=False, acyclic=False, weights=(1,)):
    """Empty, sparse, dense and complete graphs of up to nine nodes, with many equal weights, and sources."""
    random = np.random.default_rng(seed)
    for index in range(COUNT):
        n = index % 9 + 1
        density = random.choice([0, 0.15, 0.3, 0.6, 1])
        A = random.choice(weights, (n, n)) * (random.random((n, n)) < density)
        if symmetric:
            A = np.triu(A) + np.triu(A, 1).T
        if acyclic:
            order = random.permutation(n)
            A = np.triu(A, 1)[order][:, order]
        yield A.astype(float), int(random.integers(n))


def to_digraph(A):
    return networkx.from_numpy_array(A, create_using=networkx.DiGraph)


def to_graph(A):
    return networkx.from_numpy_array(A)


def pairs_of(matrix):
    """Pairs (u, v), u < v, at which a matrix is 1."""
    return {(int(u), int(v)) for u, v in np.argwhere(np.triu(matrix, 1) == 1)}


# ---------------------------------------------------------------------------------------------------
# Depth-first search


def recursive_search(A, roots):
    """Recursive reference: parents, and the nodes in the order of their discovery and of their finish."""
    parents, discovered, finished = list(range(len(A))), [], []

    def visit(u):
        discovered.append(u)
        for v in np.flatnonzero(A[u]):
            if v not in discovered:
                parents[v] = u
                visit(int(v))
        finished.append(u)

    for root in roots:
        if root not in discovered:
            visit(root)
    return parents, discovered, finished


def test_dfs():
    for A, _ in graphs(0):
        parents, discovered, finished = recursive_search(A, range(len(A)))
        trace = nar.run_algorithm("dfs", A)
        np.testing.assert_array_equal(trace.outputs["pi"], parents)
        np.testing.assert_array_equal(np.argsort(trace.hints["d"][-1]), discovered)
        np.testing.assert_array_equal(np.argsort(trace.hints["f"][-1]), finished)
        assert trace.hints["time"][-1] == pytest.approx(0.02 * len(A))
        assert (trace.hints["color"][-1].argmax(-1) == 2).all()
        np.testing.assert_array_equal(trace.hints["pi_h"][-1], parents)


def test_dfs_stack_leads_to_the_root():
    """The stack contains all gray nodes, and its pointers lead from the top to the root of the search."""
    for A, _ in graphs(1):
        hints = nar.run_algorithm("dfs", A).hints
        colors = hints["color"].argmax(-1)
        for color, s_prev, s, s_last in zip(
            colors, hints["s_prev"], hints["s"].argmax(-1), hints["s_last"].argmax(-1), strict=True
        ):
            stack = [s_last]
            while s_prev[stack[-1]] != stack[-1]:
                stack.append(s_prev[stack[-1]])
            assert stack[-1] == s
            assert set(np.flatnonzero(color == 1)) <= set(stack)
            assert len(set(stack)) == len(stack)


def test_topological_sort():
    for A, _ in graphs(2, acyclic=True):
        trace = nar.run_algorithm("topological_sort", A)
        order = [int(trace.outputs["topo_head"].argmax())]
        while trace.outputs["topo"][order[-1]] != order[-1]:
            order.append(int(trace.outputs["topo"][order[-1]]))
        assert order == recursive_search(A, range(len(A)))[2][::-1]
        assert sorted(order) == list(range(len(A)))
        assert all(order.index(u) < order.index(v) for u, v in np.argwhere(A))


def test_articulation_points():
    for A, _ in graphs(3, symmetric=True):
        is_cut = nar.run_algorithm("articulation_points", A).outputs["is_cut"]
        expected = set(networkx.articulation_points(to_graph(A * (1 - np.eye(len(A))))))
        assert set(np.flatnonzero(is_cut)) == expected


def test_bridges():
    for A, _ in graphs(4, symmetric=True):
        is_bridge = nar.run_algorithm("bridges", A).outputs["is_bridge"]
        graph = to_graph(A * (1 - np.eye(len(A))))
        assert pairs_of(is_bridge) == {(min(edge), max(edge)) for edge in networkx.bridges(graph)}
        np.testing.assert_array_equal(is_bridge, is_bridge.T)
        np.testing.assert_array_equal(is_bridge != MASKED, (A != 0) | np.eye(len(A), dtype=bool))


def test_strongly_connected_components():
    for A, _ in graphs(5):
        scc_id = nar.run_algorithm("strongly_connected_components", A).outputs["scc_id"]
        components = list(networkx.strongly_connected_components(to_digraph(A)))
        assert {frozenset(np.flatnonzero(scc_id == name).tolist()) for name in set(scc_id)} == {
            frozenset(nodes) for nodes in components
        }
        assert all(scc_id[name] == name for name in scc_id)


# ---------------------------------------------------------------------------------------------------
# Minimum spanning trees

WEIGHTS = [-2, -1, 1, 1.5, 2, 2, 7]


def weight_of(pairs, A):
    return sum(A[u, v] for u, v in pairs)


def test_mst_kruskal():
    for A, _ in graphs(6, symmetric=True, weights=WEIGHTS):
        in_mst = nar.run_algorithm("mst_kruskal", matrix=A).outputs["in_mst"]
        expected = networkx.minimum_spanning_tree(to_graph(A * (1 - np.eye(len(A)))), algorithm="prim")
        np.testing.assert_array_equal(in_mst, in_mst.T)
        assert not in_mst.diagonal().any()
        tree = to_graph(in_mst.astype(float))
        assert networkx.is_forest(tree)
        assert tree.number_of_edges() == expected.number_of_edges()
        assert weight_of(pairs_of(in_mst), A) == weight_of(expected.edges, A)


def test_mst_prim():
    for A, s in graphs(7, symmetric=True, weights=WEIGHTS):
        trace = nar.run_algorithm("mst_prim", matrix=A, s=s)
        pi = trace.outputs["pi"]
        pairs = [(v, int(p)) for v, p in enumerate(pi) if p != v]
        graph = to_graph(A * (1 - np.eye(len(A))))
        component = networkx.node_connected_component(graph, s)
        expected = networkx.minimum_spanning_tree(graph.subgraph(component), algorithm="kruskal")
        assert {v for v, _ in pairs} == component - {s}
        tree = networkx.Graph([*pairs, (s, s)])
        tree.remove_edge(s, s)
        assert networkx.is_tree(tree)
        assert weight_of(pairs, A) == weight_of(expected.edges, A)
        assert set(np.flatnonzero(trace.hints["mark"][-1])) == component


# ---------------------------------------------------------------------------------------------------
# Shortest paths


def assert_shortest_paths(A, s, pi, d, reached):
    """Asserts that distances are correct and that pi[v] precedes v on a shortest path."""
    distances = csgraph.bellman_ford(csgraph.csgraph_from_dense(A, null_value=0), indices=s)
    np.testing.assert_array_equal(reached, np.isfinite(distances))
    np.testing.assert_array_equal(d, np.where(np.isfinite(distances), distances, 0))
    for v in range(len(A)):
        if v == s or not reached[v]:
            assert pi[v] == v
        else:
            assert A[pi[v], v] != 0
            assert distances[v] == distances[pi[v]] + A[pi[v], v]


def test_dijkstra():
    for A, s in graphs(8, weights=[1, 1, 2, 3, 0.5]):
        trace = nar.run_algorithm("dijkstra", matrix=A, s=s)
        assert_shortest_paths(A, s, trace.outputs["pi"], trace.hints["d"][-1], trace.hints["mark"][-1])
        taken = trace.hints["u"].argmax(-1)[1:]
        assert (np.diff(trace.hints["d"][-1][taken]) >= 0).all()


@pytest.mark.parametrize("name", ["dijkstra", "mst_prim"])
def test_large_weights(name):
    """dm-clrs gives nodes outside of the queue the key 1e9, and so stops too early; nar does not."""
    A = np.array([[0, 2e9, 0], [2e9, 0, 3e9], [0, 3e9, 0]])
    np.testing.assert_array_equal(nar.run_algorithm(name, A, 0).outputs["pi"], [0, 0, 1])
    pi, _ = getattr(oracle.clrs._src.algorithms, name)(A, 0)
    np.testing.assert_array_equal(pi, [0, 0, 2])


def test_dag_shortest_paths():
    for A, s in graphs(9, acyclic=True, weights=WEIGHTS):
        trace = nar.run_algorithm("dag_shortest_paths", matrix=A, s=s)
        assert_shortest_paths(A, s, trace.outputs["pi"], trace.hints["d"][-1], trace.hints["mark"][-1])


@pytest.mark.parametrize("weights", [[1, 1, 2, 3, 0.5], [-1, 1, 2, 4]])
def test_floyd_warshall(weights):
    count = 0
    for A, _ in graphs(10, weights=weights):
        try:
            trace = nar.run_algorithm("floyd_warshall", matrix=A)
        except ValueError:
            assert networkx.negative_edge_cycle(to_digraph(A))
            continue
        count += 1
        distances = csgraph.floyd_warshall(csgraph.csgraph_from_dense(A, null_value=0))
        Pi = trace.outputs["Pi"]
        for i, j in itertools.permutations(range(len(A)), 2):
            if not np.isfinite(distances[i, j]):
                assert Pi[i, j] == i
                continue
            assert A[Pi[i, j], j] != 0
            assert distances[i, j] == distances[i, Pi[i, j]] + A[Pi[i, j], j]
    assert count > COUNT / 4


# ---------------------------------------------------------------------------------------------------
# Matching


def test_bipartite_matching():
    random = np.random.default_rng(11)
    for index in range(COUNT):
        n, m = index % 6, int(random.integers(0, 6))
        A = flow_network(np.random.RandomState(index), n, m, random.choice([0, 0.2, 0.5, 1]))
        t = n + m + 1
        in_matching = nar.run_algorithm("bipartite_matching", A, n, m, 0, t).outputs["in_matching"]
        left, right = slice(1, n + 1), slice(n + 1, t)
        matched = in_matching[left, right] == 1
        assert (matched.sum(0) <= 1).all()
        assert (matched.sum(1) <= 1).all()
        assert (A[left, right][matched] == 1).all()
        graph = to_graph(A)
        graph.remove_nodes_from([0, t])
        expected = networkx.bipartite.maximum_matching(graph, top_nodes=range(1, n + 1))
        assert matched.sum() == len(expected) / 2
        np.testing.assert_array_equal(in_matching[0, left], matched.sum(1))
        np.testing.assert_array_equal(in_matching[right, t], matched.sum(0))
        pairs = (A != 0) | (A.T != 0) | np.eye(len(A), dtype=bool)
        np.testing.assert_array_equal(in_matching != MASKED, pairs)
