"""Users' graphs in every form: names of nodes, which form it is, weights, and what is refused."""

import datetime
import json
import types
from collections.abc import Iterator

import networkx
import numpy as np
import pytest
from scipy import sparse

import nar
from experiments.examples.tarjan import TARJAN_SCC
from nar.algorithms.on_lists.registry import STEPS_ON_LISTS
from nar.problems import Problem

MATRIX = np.array([[0, 2, 0, 0], [2, 0, 3, 0], [0, 3, 0, 0], [0, 0, 0, 0]], float)
EDGES = [(0, 1, 2), (1, 2, 3.0)]

# The path 3 - 1 - 0 - 2, whose nodes are mentioned in another order than that of their numbers.
PATH = [(3, 1), (1, 0), (0, 2)]
PARENTS = {0: 0, 1: 0, 2: 0, 3: 1}
LETTERS = dict(enumerate("abcd"))

SCALAR = types.SimpleNamespace(ndim=0, item=lambda: 2.5)
"""An array of one number, of a library such as jax."""


PROBLEMS_ON_LISTS = {nar.ALGORITHMS[name].problem for name in STEPS_ON_LISTS}


@pytest.fixture(autouse=True)
def _read_edges_too(monkeypatch):
    """Reads each graph of this file as edges, too: they are those of the matrix, and errors are the same."""
    read = Problem.read

    def read_both(problem, /, *values, **named):
        given = [*values, *named.values()]
        if problem not in PROBLEMS_ON_LISTS or any(isinstance(value, Iterator) for value in given):
            return read(problem, *values, **named)
        try:
            found, error = problem.read_edges(*values, **named), None
        except ValueError as raised:
            found, error = None, str(raised)
        try:
            expected = read(problem, *values, **named)
        except ValueError as raised:
            too_large = "1 to 4096 nodes" in str(raised)
            if not (too_large or error == str(raised)):
                raise AssertionError(f"as edges: {error or found!r}") from raised
            raise
        assert error is None and found.nodes == expected.nodes
        edges, *further = found.arguments
        np.testing.assert_array_equal(edges.matrix(), expected.arguments[0])
        assert edges.pairs.tolist() == sorted(map(list, set(map(tuple, edges.pairs.tolist()))))
        assert further == list(expected.arguments[1:])
        return expected

    monkeypatch.setattr(Problem, "read", read_both)


def graph_of(A, **arguments):
    return nar.run_algorithm("bellman_ford", A, s=0, **arguments).inputs["A"]


def parents(source, **graph):
    return nar.run_algorithm("bfs", s=source, **graph).by_node("pi")


def named(names):
    return {names[node]: names[parent] for node, parent in PARENTS.items()}


# ---------------------------------------------------------------------------------------------------
# Names of nodes


def networkx_path(names=None):
    graph = networkx.Graph(PATH)
    return graph if names is None else networkx.relabel_nodes(graph, names)


def adjacency_lists(names=None):
    graph = networkx_path(names)
    return {node: list(graph[node]) for node in graph}


FORMS = {
    "networkx": networkx_path,
    "subgraph": lambda names=None: networkx.compose(
        networkx_path(names), networkx.Graph([("x", "y")])
    ).subgraph(networkx_path(names).nodes),
    "edges": lambda names=None: list(networkx_path(names).edges),
    "edge view": lambda names=None: networkx_path(names).edges,
    "lists": lambda names=None: [list(edge) for edge in networkx_path(names).edges],
    "set": lambda names=None: set(networkx_path(names).edges),
    "iterator": lambda names=None: iter(networkx_path(names).edges),
    "array": lambda names=None: np.array(networkx_path(names).edges),
    "edges with data": lambda names=None: list(networkx_path(names).edges(data=True)),
    "edges with keys": lambda names=None: list(
        networkx.MultiGraph(networkx_path(names)).edges(keys=True, data=True)
    ),
    "lists of neighbors": adjacency_lists,
    "dictionary of dictionaries": lambda names=None: networkx.to_dict_of_dicts(networkx_path(names)),
    "adjacency view": lambda names=None: networkx_path(names).adj,
    "adjacency view of a multigraph": lambda names=None: networkx.MultiGraph(networkx_path(names)).adj,
    "multigraph": lambda names=None: networkx.MultiGraph(networkx_path(names)),
}
NAMES = {
    "letters": LETTERS,
    "text of positions": {node: str(node) for node in range(4)},
    "gaps": {0: 3, 1: 7, 2: 9, 3: 12},
    "from one": {node: node + 1 for node in range(4)},
    "text with gaps": {0: "3", 1: "7", 2: "9", 3: "12"},
    "leading zeros": {node: f"0{node}" for node in range(4)},
}


def keyword(form):
    return "edges" if form in ("edges", "lists", "array", "iterator", "edges with keys") else "A"


@pytest.mark.parametrize("form", FORMS)
def test_nodes_from_zero_are_positions(form):
    trace = nar.run_algorithm("bfs", s=0, **{keyword(form): FORMS[form]()})
    assert trace.outputs["pi"].tolist() == [0, 0, 0, 1] and trace.nodes is None
    assert trace.by_node("pi") == PARENTS


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("form", FORMS)
def test_answers_are_read_by_the_names_of_nodes(form, names):
    trace = nar.run_algorithm("bfs", s=names[0], **{keyword(form): FORMS[form](names)})
    expected = named(names)
    if trace.nodes is None:  # the text of the positions
        expected = {int(node): int(parent) for node, parent in expected.items()}
    assert trace.by_node("pi") == expected


def test_integers_are_in_ascending_order_and_other_labels_in_order_of_appearance():
    assert nar.run_algorithm("bfs", edges=[(9, 7), (7, 3)], s=9).nodes == (3, 7, 9)
    assert nar.run_algorithm("bfs", edges=[("9", "7"), ("7", "10")], s=9).nodes == ("7", "9", "10")
    assert nar.run_algorithm("bfs", edges=[("c", "a"), ("a", "b")], s="a").nodes == ("c", "a", "b")
    assert parents(np.array(9), edges=[(9, 7)]) == {7: 9, 9: 9}
    grid = networkx.grid_2d_graph(2, 2)
    assert nar.run_algorithm("bfs", A=grid, s=(0, 0)).nodes == tuple(grid.nodes)


def test_json_objects_have_text_for_keys():
    graph = json.loads(json.dumps(adjacency_lists()))
    assert parents(0, A=graph) == PARENTS
    graph = json.loads(json.dumps(adjacency_lists(NAMES["gaps"])))
    assert parents(3, A=graph) == named(NAMES["gaps"])


def test_nodes_lists_nodes_without_edges_and_their_order():
    trace = nar.run_algorithm("bfs", edges=[("a", "b")], nodes=["c", "b", "a"], s="b")
    assert trace.nodes == ("c", "b", "a") and trace.outputs["pi"].tolist() == [0, 1, 1]
    assert parents(0, edges=[(0, 1)], nodes=[2, 1, 0]) == {0: 0, 1: 0, 2: 2}
    assert parents(3, edges=[(3, 7)], nodes=[9, 7, 3]) == {9: 9, 7: 3, 3: 3}
    assert parents("a", A={"a": ["b"], "b": ["a"], "c": []}) == {"a": "a", "b": "a", "c": "c"}
    isolated = networkx.from_dict_of_lists({2: [], 0: [1]})
    assert parents(0, A=isolated) == {0: 0, 1: 0, 2: 2}


def test_nodes_of_a_matrix():
    graph = networkx_path()
    matrix = networkx.to_numpy_array(graph)
    assert parents(0, matrix=matrix, nodes=list(graph.nodes)) == PARENTS
    names = [LETTERS[node] for node in graph.nodes]
    for A in (matrix, sparse.csr_array(matrix)):
        assert parents("a", A=A, nodes=names) == named(LETTERS)
        assert parents(0, A=A, nodes=list(graph.nodes)) == PARENTS
        with pytest.raises(ValueError, match="A must have 3 nodes, as many as labels"):
            parents("a", A=A, nodes=names[:3])


def test_directed_graphs():
    graph = networkx.DiGraph(PATH)
    assert parents(1, A=graph) == {0: 1, 1: 1, 2: 0, 3: 3}
    for edges in (PATH, adjacency_lists(None) and {3: [1], 1: [0], 0: [2], 2: []}):
        assert parents(1, A=edges, directed=True) == {0: 1, 1: 1, 2: 0, 3: 3}
    assert parents(1, A={3: [1], 1: [0], 0: [2]}, directed=False) == {0: 1, 1: 1, 2: 0, 3: 1}
    trace = nar.run_algorithm(TARJAN_SCC, [(0, 1), (1, 2), (2, 1)])
    np.testing.assert_array_equal(trace.inputs["A"], [[0, 1, 0], [0, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(trace.outputs["scc"], [0, 1, 1])


def test_outputs_of_pairs_and_masks_by_node():
    trace = nar.run_algorithm("mst_kruskal", edges=[("a", "b"), ("b", "c")])
    tree = {pair for pair, value in trace.by_node("in_mst").items() if value}
    assert tree == {("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")}
    trace = nar.run_algorithm("topological_sort", edges=[("b", "a")])
    assert trace.by_node("topo_head") == {"b": 1, "a": 0} and trace.by_node("topo") == {"b": "a", "a": "a"}
    with pytest.raises(ValueError, match="unknown output 'pj'; known: topo, topo_head"):
        trace.by_node("pj")


# ---------------------------------------------------------------------------------------------------
# Data frames, igraph, sparse matrices


def test_data_frame_of_edges():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(PATH, columns=["source", "target"])
    for table in (
        frame,
        frame[["target", "source"]],
        frame.set_axis(["U", "V"], axis=1),
        frame.astype(float),
    ):
        assert parents(0, A=table) == PARENTS
    assert parents(0, A=frame.set_index(["source", "target"]).assign(key=0)) == PARENTS
    assert parents("a", edges=frame.replace(LETTERS).set_axis(["x", "y"], axis=1)) == named(LETTERS)
    weighted = frame.assign(weight=[1, 2, 3], length=[5, 5, 5])
    for column, total in (("weight", 2), ("length", 5)):
        trace = nar.run_algorithm("dijkstra", A=weighted, s=0, weight=column)
        assert trace.inputs["A"][0, 1] == total
    with pytest.raises(ValueError, match="no attribute 'weight', but the numbers length: choose"):
        nar.run_algorithm("dijkstra", A=weighted.drop(columns="weight"), s=0)
    with pytest.raises(ValueError, match=r"must be in columns named source and target.*\['id', 'x', 'y'\]"):
        parents(0, edges=pandas.DataFrame([[5, 0, 1]], columns=["id", "x", "y"]))
    with pytest.raises(ValueError, match="columns of different names"):
        parents(0, edges=frame.set_axis(["source", "source"], axis=1))
    with pytest.raises(ValueError, match="must connect nodes"):
        parents(0, A=pandas.DataFrame({"source": [0, None], "target": [1, 2]}))


def test_numbered_columns_are_those_of_an_array():
    pandas = pytest.importorskip("pandas")
    rows = [[0, 1, 0.5], [1, 2, 1.5]]
    assert nar.run_algorithm("dijkstra", edges=pandas.DataFrame(rows), s=0).inputs["A"][1, 2] == 1.5
    frame = pandas.DataFrame([[0, 1], [1, 2]])
    for edges in (frame, frame.iloc[::-1], frame.astype("Int64"), frame.astype(object)):
        assert parents(0, edges=edges) == {0: 0, 1: 0, 2: 1}
        with pytest.raises(ValueError, match="may be a matrix or a list of edges"):
            parents(0, A=edges)


def test_data_frame_as_adjacency_matrix():
    pandas = pytest.importorskip("pandas")
    frame = networkx.to_pandas_adjacency(networkx_path())
    for matrix in (frame, frame[[0, 1, 2, 3]], frame.loc[[2, 3, 0, 1]]):
        assert parents(0, A=matrix) == parents(0, matrix=matrix) == PARENTS
    assert parents(0, A=frame.rename(columns=str)) == PARENTS  # as read from a file
    letters = frame.rename(index=LETTERS, columns=LETTERS)
    assert parents("a", A=letters[list("cabd")]) == named(LETTERS)
    with pytest.raises(ValueError, match="rows and columns of matrix must have the same labels"):
        parents("a", matrix=letters.rename(columns={"a": "e"}))
    with pytest.raises(ValueError, match="A must be an array of real numbers"):
        parents(0, A=frame.replace(0, pandas.NA).astype("Float64"))


def test_igraph():
    igraph = pytest.importorskip("igraph")
    assert parents(0, A=igraph.Graph.TupleList(PATH)) == PARENTS
    assert parents(0, A=igraph.Graph(PATH)) == PARENTS
    graph = igraph.Graph.TupleList([(LETTERS[u], LETTERS[v]) for u, v in PATH])
    assert parents("a", A=graph) == named(LETTERS)
    graph.es["length"] = [1, 2, 3]
    with pytest.raises(ValueError, match="but the numbers length: choose"):
        nar.run_algorithm("dijkstra", A=graph, s="a")
    assert nar.run_algorithm("dijkstra", A=graph, s="a", weight="length").by_node("pi") == named(LETTERS)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.coo_array, sparse.dok_array])
def test_sparse_matrix(make):
    np.testing.assert_array_equal(graph_of(make(MATRIX)), MATRIX)
    assert parents(0, matrix=make(MATRIX)) == parents(0, A=make(MATRIX))
    assert parents(0, A=make(networkx.to_numpy_array(networkx_path(), range(4), dtype=bool))) == PARENTS


def sparse_entries(weights, ends=((0, 1), (1, 0))):
    return sparse.coo_array((np.array(weights, float), np.transpose(ends)), shape=(2, 2))


def test_stored_zeros_are_edges_and_repeated_entries_are_refused():
    with pytest.raises(ValueError, match="weights of A must be numbers .*not 0.*got .0, 1, 0.0"):
        nar.run_algorithm("dijkstra", A=sparse_entries([0, 1]).tocsr(), s=0)
    for values in ([1, 2], [2, 2]):
        repeated = sparse_entries(values, [(0, 1), (0, 1)])
        with pytest.raises(ValueError, match=r"several entries \(0, 1\), which scipy adds up"):
            nar.run_algorithm("dijkstra", A=repeated, s=0)
        summed = [[0, sum(values)], [0, 0]]
        assert nar.run_algorithm("dijkstra", A=repeated.tocsr(), s=0).inputs["A"].tolist() == summed
    both = sparse_entries([1, 2, 1, 2], [(0, 1), (0, 1), (1, 0), (1, 0)])
    assert nar.run_algorithm("bfs", A=both, s=0).inputs["A"].tolist() == [[0, 1], [1, 0]]


# ---------------------------------------------------------------------------------------------------
# Matrix or edges


@pytest.mark.parametrize(
    "rows",
    [
        [[0, 1], [1, 2]],
        [[0.0, 1.0], [1.0, 2.0]],
        [[0, 1, 5], [1, 2, 3], [0, 2, 9]],
        [[0, 1, 0.5], [1, 2, 0.5], [2, 3, 0.5]],
        [[0, 1], [2, 0]],
        [[3, 7], [7, 9]],
        ((0, 1), (1, 2)),
        [(0, 2), (2, 0)],
    ],
)
def test_a_matrix_that_may_be_a_list_of_edges_raises(rows):
    for A in (rows, np.array(rows), np.array(rows, object)) if isinstance(rows[0], list) else (rows,):
        with pytest.raises(ValueError, match=r"may be a matrix or a list of edges.* matrix=.* edges="):
            nar.run_algorithm("dijkstra", A=A, s=0)


def test_keywords_tell_matrix_and_edges_apart():
    for rows in ([[0, 1], [1, 2]], np.array([[0, 1], [1, 2]])):
        assert parents(0, edges=rows) == {0: 0, 1: 0, 2: 1}
        assert nar.run_algorithm("dijkstra", matrix=rows, s=0).inputs["A"].tolist() == [[0, 1], [1, 2]]
    weighted = np.array([[0, 1, 0.5], [1, 2, 0.25], [0, 2, 2.0]])
    expected = [[0, 0.5, 2], [0.5, 0, 0.25], [2, 0.25, 0]]
    assert nar.run_algorithm("dijkstra", edges=weighted, s=0).inputs["A"].tolist() == expected


@pytest.mark.parametrize(
    "matrix",
    [
        *np.stack(np.meshgrid(*[[0, 1]] * 4), -1).reshape(-1, 2, 2),
        *np.stack(np.meshgrid(*[[0, 1]] * 9), -1).reshape(-1, 3, 3)[::5],
        np.array([[0, 2], [2, 0]]),
        np.array([[0, 4], [3, 0]]),
        np.array([[0, 0.5], [0.5, 0]]),
        np.array([[0, 2, 5], [2, 0, 3], [5, 3, 0]]),
        np.array([[0.5, 1, 2], [1, 0.5, 3], [2, 3, 0.5]]),
        np.array([[0, 1], [1, 0]], bool),
    ],
)
def test_ordinary_matrices_are_accepted_as_they_are(matrix):
    for A in (matrix, matrix.tolist()):
        np.testing.assert_array_equal(nar.run_algorithm("dijkstra", A=A, s=0).inputs["A"], matrix)


def test_list_of_rows_is_a_matrix():
    for rows in ([[0, 1], [1, 0]], [np.array([0, 1]), np.array([1, 0])], np.array([[0, 1], [1, 0]])):
        np.testing.assert_array_equal(graph_of(rows), [[0, 1], [1, 0]])


def test_rows_with_text_are_edges():
    for rows in ([["a", "b"], ["b", "c"]], np.array([["a", "b"], ["b", "c"]])):
        assert parents("a", A=rows) == {"a": "a", "b": "a", "c": "b"}


@pytest.mark.parametrize(
    "edges",
    [
        EDGES,
        tuple(EDGES),
        [list(edge) for edge in EDGES],
        [*EDGES, (1, 0, 2)],
        [(np.int8(0), 1, np.float32(2)), EDGES[1]],
        [(0, 1, {"weight": 2}), EDGES[1]],
    ],
)
def test_list_of_edges(edges):
    np.testing.assert_array_equal(graph_of(edges, num_nodes=4), MATRIX)


@pytest.mark.parametrize(("dtype", "limit"), [(np.float64, 2**53), (np.float32, 2**24)])
def test_nodes_that_floats_do_not_tell_apart_are_refused(dtype, limit):
    edges = [[limit - 1, limit - 2, 0.5], [limit - 2, 1, 0.5]]
    trace = nar.run_algorithm("dijkstra", edges=np.array(edges, dtype), s=1)
    assert trace.nodes == (1, limit - 2, limit - 1)
    edges[0][0] = limit + 1
    with pytest.raises(
        ValueError, match=f"edges must have nodes that {dtype.__name__} tells apart, got {limit}"
    ):
        nar.run_algorithm("dijkstra", edges=np.array(edges, dtype), s=1)


def test_nodes_of_float_columns_that_are_not_told_apart_are_refused():
    pandas = pytest.importorskip("pandas")
    for dtype, large in (("float64", 2.0**53), ("float32", 2.0**24)):
        frame = pandas.DataFrame({"source": [1.0, large], "target": [large, 3.0]}, dtype=dtype)
        with pytest.raises(ValueError, match=f"A must have nodes that {dtype} tells apart"):
            nar.run_algorithm("bfs", frame, s=1)


def test_num_nodes_defaults_to_the_largest_node():
    np.testing.assert_array_equal(graph_of(EDGES), MATRIX[:3, :3])
    np.testing.assert_array_equal(graph_of([(0, 1)]), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(graph_of([], num_nodes=2), np.zeros((2, 2)))
    assert parents(0, edges=[(0, 1), (1, 3)], num_nodes=4) == {0: 0, 1: 0, 2: 2, 3: 1}


# ---------------------------------------------------------------------------------------------------
# Weights


@pytest.mark.parametrize("kind", [networkx.Graph, networkx.DiGraph, networkx.MultiGraph])
def test_networkx_graph(kind):
    graph = kind()
    graph.add_nodes_from("dcba")
    graph.add_edge("d", "c", weight=2)
    graph.add_edge("b", "c", weight=3)
    graph.add_edge("a", "a")
    A = nar.run_algorithm("bellman_ford", graph, s="d").inputs["A"]
    np.testing.assert_array_equal(A, networkx.to_numpy_array(graph))


STREETS = networkx.MultiDiGraph(
    [("x", "y", {"length": 2.5, "name": "Elm"}), ("y", "z", {"length": 1, "osmid": 7})]
)


def test_weights_of_another_name():
    with pytest.raises(ValueError, match="the numbers length, osmid: choose the weights by weight='length'"):
        nar.run_algorithm("dijkstra", A=STREETS, s="x")
    A = nar.run_algorithm("dijkstra", A=STREETS, s="x", weight="length").inputs["A"]
    assert A.tolist() == [[0, 2.5, 0], [0, 0, 1], [0, 0, 0]]
    hops = nar.run_algorithm("dijkstra", A=STREETS, s="x", weight=None).inputs["A"]
    np.testing.assert_array_equal(hops, A > 0)
    assert parents("x", A=STREETS) == {"x": "x", "y": "x", "z": "y"}
    with pytest.raises(ValueError, match="must have the attribute weight='osmid', got .'x', 'y'"):
        nar.run_algorithm("dijkstra", A=STREETS, s="x", weight="osmid")
    partial = networkx.Graph([("x", "y", {"weight": 2}), ("y", "z", {"length": 3})])
    with pytest.raises(ValueError, match="must have the attribute weight='weight', got .'y', 'z'"):
        nar.run_algorithm("dijkstra", A=partial, s="x")
    text = networkx.Graph([("x", "y", {"length": "2.5"})])  # as in files
    with pytest.raises(ValueError, match="the numbers length"):
        nar.run_algorithm("dijkstra", A=text, s="x")


@pytest.mark.parametrize(
    "value", [datetime.timedelta(hours=1), np.timedelta64(60, "s"), np.array(2.5), SCALAR]
)
def test_durations_and_arrays_of_one_number_are_numbers(value):
    graph = networkx.Graph()
    graph.add_edge(0, 1, travel=value)
    with pytest.raises(ValueError, match="no attribute 'weight', but the numbers travel"):
        nar.run_algorithm("dijkstra", graph, s=0)


def test_whole_floats_are_the_integers_that_they_equal():
    assert parents(0, A=networkx.relabel_nodes(networkx_path(), float)) == PARENTS
    graph = networkx.Graph([(20.0, 3.0), (3.0, 1.0)])
    assert nar.run_algorithm("bfs", graph, s=1.0).nodes == (1, 3, 20)
    graph.add_edge(0.5, 1.0)
    assert nar.run_algorithm("bfs", graph, s=0.5).nodes == (20, 3, 1, 0.5)


def test_nodes_that_are_truth_values_are_found():
    graph = networkx.Graph([(True, "x"), ("x", False)])
    trace = nar.run_algorithm("bfs", graph, s=False)
    assert trace.by_node("pi") == {True: "x", "x": False, False: False}
    with pytest.raises(ValueError, match="s must be a node|s must be one of the nodes"):
        nar.run_algorithm("bfs", networkx.path_graph(3), s=True)


def test_weights_in_dictionaries():
    graph = {"a": {"b": 2.5}, "b": {"a": 2.5, "c": {"weight": 4}}, "c": {"b": {"weight": 4}}}
    expected = [[0, 2.5, 0], [2.5, 0, 4], [0, 4, 0]]
    assert nar.run_algorithm("mst_prim", A=graph, s="a").inputs["A"].tolist() == expected


@pytest.mark.parametrize(
    "graph",
    [
        networkx.MultiGraph([(0, 1, {"weight": 2}), (0, 1, {"weight": 3})]),
        networkx.MultiGraph([(0, 1, {"weight": 2}), (0, 1, {"weight": 3})]).adj,
        [(0, 1, 2), (0, 1, 3)],
        [(0, 1, 2), (1, 0, 3)],
        {0: {1: 2}, 1: {0: 3}},
    ],
)
def test_parallel_edges_of_different_weights_raise(graph):
    with pytest.raises(ValueError, match="A must have one weight per edge, got 2 and 3"):
        nar.run_algorithm("mst_prim", A=graph, s=0)


UNWEIGHTED = {
    "bfs": {"s": 0},
    "dfs": {},
    "topological_sort": {},
    "strongly_connected_components": {},
    "articulation_points": {},
    "bridges": {},
}


@pytest.mark.parametrize("name", UNWEIGHTED)
def test_algorithms_that_ignore_weights_get_ones(name):
    edges = [(0, 1, -17), (1, 2, 31.5), (0, 3, 4)]
    plain = nar.run_algorithm(name, edges=[edge[:2] for edge in edges], **UNWEIGHTED[name])
    weighted = networkx.DiGraph() if nar.ALGORITHMS[name].problem.directed else networkx.Graph()
    weighted.add_weighted_edges_from(edges)
    matrix = networkx.to_numpy_array(weighted, range(4))
    for graph in ({"edges": edges}, {"A": weighted}, {"matrix": matrix}, {"A": sparse.csr_array(matrix)}):
        trace = nar.run_algorithm(name, **graph, **UNWEIGHTED[name])
        for stage in ("inputs", "hints", "outputs"):
            for key, value in getattr(plain, stage).items():
                np.testing.assert_array_equal(getattr(trace, stage)[key], value, err_msg=key)


def test_samplers_of_algorithms_that_ignore_weights_draw_zeros_and_ones():
    for algorithm in nar.ALGORITHMS.values():
        if algorithm.problem.directed is not None and not algorithm.problem.uses_weights:
            A = nar.sample_traces(algorithm, 8, 4, 0).inputs["A"]
            assert set(np.unique(A)) <= {0, 1}, algorithm.name
    built_in = [algorithm for algorithm in nar.ALGORITHMS.values() if algorithm.in_clrs30]
    assert set(UNWEIGHTED) == {
        a.name for a in built_in if a.problem.directed is not None and not a.problem.uses_weights
    }


# ---------------------------------------------------------------------------------------------------
# Errors


@pytest.mark.parametrize(
    ("A", "num_nodes", "message"),
    [
        ([(0, 1), (1, 4)], 4, r"A has 4 nodes \(0 to 3\), got an edge of node 4"),
        ([(0, -1)], None, r"edges of A must connect nodes 0, 1, 2, \.\.\. .*, got \(0, -1\)"),
        ([(0, 1.0)], None, r".*must connect nodes .*got \(0, 1\.0\)"),
        ([(0, True)], None, r".*must connect nodes .*got \(0, True\)"),
        ([(0, None)], None, r".*must connect nodes .*got \(0, None\)"),
        ([(0, float("nan"))], None, r".*must connect nodes .*got \(0, nan\)"),
        ([(0, [1])], None, r".*must connect nodes .*got \(0, \[1\]\)"),
        ([("a", 1), (1, "1")], None, r"nodes of A must not look alike, got 1 and '1'"),
        (networkx.Graph([("1", 1)]), None, r"nodes of A must not look alike, got '1' and 1"),
        ([(0, 1, 0)], None, r"weights of A must be numbers .*not 0.*got \(0, 1, 0\)"),
        ([(0, 1, float("nan"))], None, r"weights of A must be numbers"),
        ([(0, 1, 1e200)], None, r"weights of A must be numbers of magnitude at most 1e\+100"),
        ([(0, 1, 2**53 + 1)], None, r"weights of A must be numbers .* that float64 represents"),
        ([(0, 1, True)], None, r"weights of A must be numbers"),
        ([(0, 1, "x")], None, r"weights of A must be numbers"),
        ([(0,)], None, r"an edge of A must be \(i, j\) or \(i, j, weight\), got \(0,\)"),
        ([(0, 1, 0, 0)] * 4, None, r"an edge of A must be .*; if this is a matrix, pass it as matrix="),
        ([3], 4, r"an edge of A must be .*got 3"),
        ([], 0, r"A must have 1 to 4096 nodes, got 0"),
        ([], 2.0, r"A must have 1 to 4096 nodes, got 2\.0"),
        ([(0, 10**9)], 10**9 + 1, r"A must have 1 to 4096 nodes, got 1000000001"),
        ([(k, k + 1) for k in range(5000)], None, r"A must have 1 to 4096 nodes, got 5001"),
        ([(0, 1)], 10**400, r"A must have 1 to 4096 nodes"),
        ([("a", "b")], 2, r"A has 2 nodes \(0 to 1\), got an edge of node 'a'"),
        ([], None, r"A must be a non-empty array of rank 2"),
        ([[0, 1], [1, 2], [2, 3]], None, r"A must be a square matrix, got shape \(3, 2\).* edges=\.\.\."),
        (MATRIX, 4, r"num_nodes is only valid if A is a list of edges"),
        (networkx.Graph(), None, r"A must have 1 to 4096 nodes, got 0"),
        (networkx.Graph([(0, 1, {"weight": "far"})]), None, r"weights of A must be .*\(0, 1, 'far'\)"),
        (networkx.path_graph(3), 3, r"num_nodes is only valid if A is a list of edges"),
        (sparse.csr_matrix((2, 3)), None, r"A must be a square matrix"),
        (sparse.csr_matrix((10**6, 10**6)), None, r"A must have 1 to 4096 nodes, got 1000000"),
        ({0: 1, 1: 0}, None, r"A must map nodes to their neighbors, got 1 for 0"),
        (
            {0: [1], 1: []},
            None,
            r"A must list each edge at both nodes, got only \(0, 1\): pass directed=",
        ),
        ("0-1", None, r"A must be an array of real numbers, got '0-1'"),
        (np.ma.array([[0, 1], [1, 0]], mask=[[0, 1], [0, 0]]), None, r"A must not have masked entries"),
    ],
)
def test_invalid_graphs_raise(A, num_nodes, message):
    named = {} if num_nodes is None else {"num_nodes": num_nodes}
    with pytest.raises(ValueError, match=f"^bfs: {message}"):
        nar.run_algorithm("bfs", A=A, s=0, **named)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"edges": [("a", "b")], "s": 0}, r"s must be one of the nodes of edges, \['a', 'b'\], got 0"),
        ({"edges": [("ab", "c")], "s": "AB"}, r"got 'AB'; did you mean ab\?"),
        ({"edges": [(3, 7)], "s": "5"}, r"s must be one of the nodes of edges, \[3, 7\], got '5'"),
        ({"edges": [(3, 7)], "s": "7"}, r"got '7'; did you mean 7\?"),
        ({"edges": [(1, 2)], "s": True}, r"s must be one of the nodes of edges, \[1, 2\], got True"),
        ({"edges": [(1, 2)], "s": [1]}, r"s must be one of the nodes"),
        ({"edges": [(0, 1)], "A": [(0, 1)], "s": 0}, "argument 'A' is given twice"),
        ({"edges": 5, "s": 0}, "edges must be a list of edges, got 5"),
        ({"edges": "01", "s": 0}, "edges must be a list of edges, got '01'"),
        ({"edges": np.arange(8).reshape(2, 4), "s": 0}, r"got shape \(2, 4\); pass its transpose"),
        ({"edges": np.array([[0, 0.5]]), "s": 0}, "must connect nodes"),
        ({"edges": [(0, 1)], "nodes": [0, 0, 1], "s": 0}, "nodes must be different labels, got 0 twice"),
        ({"edges": [(0, 1)], "nodes": [0, 2], "s": 0}, "edges has the listed nodes, got an edge of node 1"),
        ({"edges": [(0, 1)], "nodes": "ab", "s": 0}, "nodes must be a list of the labels"),
        ({"edges": [(0, 1)], "nodes": [0, 1], "num_nodes": 2, "s": 0}, "cannot both be given"),
        ({"matrix": [[0, 1], [1, 0]], "nodes": "ab", "s": 0}, "nodes must be a list of the labels"),
        ({"matrix": np.eye(3), "nodes": ["a", "b"], "s": "a"}, "matrix must have 2 nodes"),
        ({"matrix": np.eye(3), "weight": "length", "s": 0}, "weight is only valid if matrix is a list"),
        ({"edges": [(0, 1)], "directed": "no", "s": 0}, "directed must be True or False, got 'no'"),
        ({"A": networkx.path_graph(2), "directed": True, "s": 0}, "directed=True contradicts the graph A"),
        ({"edgse": [(0, 1)], "s": 0}, "unknown argument 'edgse'; expected A, s"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=f"^bfs: .*{message}"):
        nar.run_algorithm("bfs", **arguments)


def test_errors_of_checks_name_the_labels():
    cycle = [("a", "b"), ("b", "c"), ("c", "a")]
    with pytest.raises(ValueError, match=r"got the cycle \[0, 1, 2, 0\]; positions of the nodes: .*2: 'c'"):
        nar.run_algorithm("topological_sort", edges=cycle)


def test_num_nodes_is_only_an_argument_of_graph_problems():
    with pytest.raises(ValueError, match="minimum: unknown argument 'num_nodes'"):
        nar.run_algorithm("minimum", [1, 2], num_nodes=2)


def test_exactly_the_graph_problems_define_directed():
    for algorithm in nar.ALGORITHMS.values():
        is_graph = algorithm.family == "graphs" and "A" in algorithm.problem.arguments
        assert (algorithm.problem.directed is not None) == is_graph, algorithm.name


@pytest.mark.parametrize("name", ["bfs", "dijkstra"])
def test_masked_entries_of_edges_are_errors(name):
    edges = np.ma.array([[0, 1, 5.0], [1, 2, 3.0]], mask=[[0, 0, 1], [0, 0, 0]])
    for given in (edges, list(edges)):
        with pytest.raises(ValueError, match="edges must not have masked entries"):
            nar.run_algorithm(name, edges=given, s=0)
    unmasked = nar.run_algorithm(name, edges=np.ma.array(edges.data), s=0)
    assert unmasked.outputs["pi"].tolist() == [0, 0, 1]


def test_parallel_edges_may_differ_where_weights_do_not_matter():
    edges = [("b", "a", 2.0), ("a", "b", 3.0), ("b", "c", -1.0)]
    graph = networkx.MultiGraph()
    graph.add_weighted_edges_from(edges)
    for given in ({"A": graph}, {"edges": edges}):
        assert nar.run_algorithm("bfs", **given, s="a").by_node("pi") == {"a": "a", "b": "a", "c": "b"}
        with pytest.raises(ValueError, match="one weight per edge, got 2 and 3"):
            nar.run_algorithm("dijkstra", **given, s="a")
