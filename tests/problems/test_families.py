"""Families of graphs: their properties at every size, their options, and reproducibility of their draws."""

import networkx
import numpy as np
import pytest
from scipy.spatial import Delaunay

import nar
from nar.data import Transforms
from nar.problems import GRAPH_AND_SOURCE, GRAPH_FAMILIES, WEIGHTED_GRAPH_AND_SOURCE
from nar.problems.families import draw_graph
from nar.problems.random_graphs import random_graph
from nar.runs.components.tasks import make_tasks
from nar.runs.config import DataConfig, RunConfig

every_family = pytest.mark.parametrize("family", GRAPH_FAMILIES)
SIZES = (1, 2, 3, 4, 5, 6, 7, 9, 16, 23)


def sample_graph(family, num_nodes, seed=0, p=0.4, **form):
    return draw_graph(np.random.RandomState(seed), num_nodes, family, p, **form)


def graphs(family, sizes=SIZES, **options):
    """Yields (N, undirected networkx graph) for each size and ten seeds."""
    for n in sizes:
        for seed in range(10):
            yield n, networkx.from_numpy_array(sample_graph(family, n, seed, **options))


@every_family
@pytest.mark.parametrize("num_nodes", SIZES)
def test_graphs_of_every_size_are_simple_and_undirected(family, num_nodes):
    for seed in range(5):
        A = sample_graph(family, num_nodes, seed)
        assert A.shape == (num_nodes, num_nodes)
        assert A.dtype == np.float64
        assert np.isin(A, (0, 1)).all()
        np.testing.assert_array_equal(A, A.T)
        assert not A.diagonal().any()


def is_lattice(graph, rows, columns):
    full = networkx.grid_2d_graph(rows, columns)
    cells = sorted(full.nodes)[: len(graph)]
    return networkx.is_isomorphic(graph, full.subgraph(cells))


def columns(n):
    return int(np.ceil(np.sqrt(n)))


def is_delaunay_like(graph, n):
    return n < 4 or (networkx.is_connected(graph) and networkx.check_planarity(graph)[0])


def clique_sizes(n):
    full, rest = divmod(n, columns(n))
    return [columns(n)] * full + [rest] * bool(rest)


PROPERTIES = {
    "communities": lambda graph, n: True,
    "bipartite": lambda graph, n: networkx.is_bipartite(graph),
    "watts_strogatz": lambda graph, n: graph.number_of_edges() == min(2 * n, n * (n - 1) // 2),
    "barabasi_albert": lambda graph, n: (
        networkx.is_connected(graph) and graph.number_of_edges() == max(0, 2 * n - 3)
    ),
    "grid": lambda graph, n: is_lattice(graph, n, columns(n)),
    "tree": lambda graph, n: networkx.is_tree(graph),
    "path": lambda graph, n: networkx.is_isomorphic(graph, networkx.path_graph(n)),
    "cycle": lambda graph, n: n < 3 or networkx.is_isomorphic(graph, networkx.cycle_graph(n)),
    "complete": lambda graph, n: graph.number_of_edges() == n * (n - 1) // 2,
    "ladder": lambda graph, n: is_lattice(graph, n, 2),
    "caveman": lambda graph, n: (
        networkx.is_connected(graph)
        and 0
        <= graph.number_of_edges() - sum(k * (k - 1) // 2 for k in clique_sizes(n))
        <= len(clique_sizes(n))
    ),
    "delaunay": is_delaunay_like,
    "relaxed_caveman": lambda graph, n: graph.number_of_edges() <= 4 * n * n // 16 + 1 + n // 40,
    "sparse_erdos_renyi": lambda graph, n: True,
}


def test_every_family_has_a_property():
    assert set(PROPERTIES) == set(GRAPH_FAMILIES)


@every_family
def test_graphs_have_the_property_of_their_family(family):
    for n, graph in graphs(family):
        assert PROPERTIES[family](graph, n), (n, sorted(graph.edges))


def test_communities_are_dense_inside_and_sparse_between():
    A = sample_graph("communities", 200, p=0.5)
    assert A.sum() / 2 == pytest.approx(4 * 50 * 49 / 4 + 6 * 50 * 50 * 0.01, rel=0.1)
    assert (
        networkx.number_connected_components(networkx.from_numpy_array(sample_graph("communities", 4, p=1)))
        >= 3
    )


def test_relaxed_cavemen_lose_edges_and_gain_shortcuts():
    cave = np.arange(80) // 20
    same = cave[:, None] == cave
    inside, between = [], []
    for seed in range(20):
        edges = GRAPH_FAMILIES["relaxed_caveman"](np.random.RandomState(seed), 80, 0.7)
        inside.append(edges[same].sum() / (same.sum() - 80))
        between.append(edges[~same].sum() // 2)
    assert between == [2] * 20
    np.testing.assert_allclose(np.mean(inside), 0.3, atol=0.02)
    full = GRAPH_FAMILIES["relaxed_caveman"](np.random.RandomState(0), 80, 0.0)
    np.testing.assert_array_equal(full[same], ~np.eye(80, dtype=bool)[same])


@pytest.mark.parametrize("num_nodes", [2, 4, 20, 100])
def test_probability_of_sparse_erdos_renyi(num_nodes):
    draw = GRAPH_FAMILIES["sparse_erdos_renyi"]
    counts = [draw(np.random.RandomState(seed), num_nodes, 0.9).sum() for seed in range(300)]
    expected = min(np.log2(num_nodes) / num_nodes, 0.5)
    np.testing.assert_allclose(np.mean(counts) / (num_nodes * (num_nodes - 1)), expected, rtol=0.15)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_rewiring_probability_of_watts_strogatz(p):
    A = sample_graph("watts_strogatz", 40, p=p)
    ring = networkx.is_isomorphic(networkx.from_numpy_array(A), networkx.circulant_graph(40, [1, 2]))
    assert ring == (p == 0)


@pytest.mark.parametrize(
    ("family", "k", "num_edges"),
    [("watts_strogatz", 6, 3 * 20), ("watts_strogatz", 20, 190), ("barabasi_albert", 3, 3 + 17 * 3)],
)
def test_number_of_neighbors_is_a_parameter(family, k, num_edges):
    assert sample_graph(family, 20, k=k).sum() == 2 * num_edges


def test_number_of_communities_is_a_parameter():
    A = sample_graph("communities", 60, p=1.0, k=2)
    assert A.sum() / 2 == pytest.approx(2 * 30 * 29 / 2 + 900 * 0.01, abs=20)


def test_rewiring_replaces_p():
    ring, rewired = (sample_graph("watts_strogatz", 40, p=0.5, rewiring=one) for one in (0.0, 1.0))
    assert networkx.is_isomorphic(networkx.from_numpy_array(ring), networkx.circulant_graph(40, [1, 2]))
    np.testing.assert_array_equal(rewired, sample_graph("watts_strogatz", 40, p=1.0))


@pytest.mark.parametrize(
    "name", [one for one in nar.ALGORITHMS if "family" in nar.ALGORITHMS[one].problem.options]
)
def test_parameters_of_a_family_are_options_of_every_graph_problem(name):
    plain = nar.sample_traces(name, 8, 4, 0, family="watts_strogatz", p=0.5)
    same = nar.sample_traces(name, 8, 4, 0, family="watts_strogatz", p=0.5, k=4, rewiring=0.5)
    ring = nar.sample_traces(name, 8, 4, 0, family="watts_strogatz", p=0.5, k=2, rewiring=0.0)
    assert same.inputs["A"].tobytes() == plain.inputs["A"].tobytes() != ring.inputs["A"].tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 4}, "k=4 has no effect on graphs of the family clrs30; families with k: communities, watts"),
        ({"k": 4, "family": "grid"}, "k=4 has no effect on graphs of the family grid"),
        ({"rewiring": 0.0, "family": "tree"}, "rewiring=0 has .* families with rewiring: watts_strogatz"),
        ({"rewiring": 2, "family": "watts_strogatz"}, "rewiring must be a number between 0 and 1, got 2"),
        ({"k": 3, "family": "watts_strogatz"}, "k of watts_strogatz must be even"),
        ({"k": 10, "family": "barabasi_albert"}, "k must be at most the size 8, got 10"),
    ],
)
def test_invalid_parameters_of_families_raise(options, message):
    with pytest.raises(ValueError, match=message):
        nar.sample_traces("bfs", 8, 1, 0, **options)


def test_all_labeled_trees_occur():
    shapes = {sample_graph("tree", 4, seed).tobytes() for seed in range(300)}
    assert len(shapes) == 4**2


@pytest.mark.parametrize("num_nodes", [3, 5, 16, 40])
def test_delaunay_matches_scipy(num_nodes):
    for seed in range(20):
        points = np.random.RandomState(seed).uniform(size=(num_nodes, 2))
        expected = np.zeros((num_nodes, num_nodes), bool)
        for a, b, c in Delaunay(points).simplices:
            expected[[a, b, c], [b, c, a]] = True
        edges = GRAPH_FAMILIES["delaunay"](np.random.RandomState(seed), num_nodes, 0.0)
        np.testing.assert_array_equal(edges, expected | expected.T)


@every_family
def test_nodes_are_shuffled(family):
    matrices = {sample_graph(family, 9, seed).tobytes() for seed in range(5)}
    assert len(matrices) == (1 if family == "complete" else 5)


# ---------------------------------------------------------------------------------------------------
# Options


@every_family
def test_directed_and_acyclic_graphs_orient_the_undirected_edges(family):
    undirected = sample_graph(family, 16)
    directed = sample_graph(family, 16, directed=True)
    assert not (directed * directed.T).any()
    np.testing.assert_array_equal(directed + directed.T, undirected)
    acyclic = networkx.from_numpy_array(
        sample_graph(family, 16, directed=True, acyclic=True), create_using=networkx.DiGraph
    )
    assert networkx.is_directed_acyclic_graph(acyclic)
    assert acyclic.number_of_edges() == undirected.sum() / 2


@every_family
def test_weights_lie_in_their_range(family):
    A = sample_graph(family, 16, weighted=True, low=2, high=3)
    np.testing.assert_array_equal(A, A.T)
    weights = A[A != 0]
    assert ((weights >= 2) & (weights < 3)).all()
    assert len(set(weights)) == len(weights) / 2
    np.testing.assert_array_equal(A != 0, sample_graph(family, 16))
    directed = sample_graph(family, 16, weighted=True, low=2, high=3, directed=True)
    assert ((directed == 0) | (directed >= 2)).all()


@pytest.mark.parametrize("family", ["erdos_renyi", *GRAPH_FAMILIES])
def test_family_is_an_option_of_graph_problems(family):
    batch = nar.sample_traces("bfs", 9, 4, 0, family=family)
    A = batch.inputs["A"]
    np.testing.assert_array_equal(A, A.transpose(0, 2, 1))
    again = nar.sample_traces("bfs", 9, 1, 0, first=2, family=family)
    np.testing.assert_array_equal(again.inputs["A"][0], A[2])
    options = {"family": family, "directed": True, "weighted": True, "low": 1, "high": 2}
    directed = nar.sample_traces("bellman_ford", 9, 4, 0, **options).inputs["A"]
    assert (directed != directed.transpose(0, 2, 1)).any()
    assert ((directed == 0) | (directed >= 1)).all()
    plain = nar.sample_traces("bellman_ford", 9, 4, 0, family=family, weighted=False).inputs["A"]
    assert np.isin(plain, (0, 1)).all()


def test_default_family_is_erdos_renyi():
    for name in ("bfs", "bellman_ford"):
        plain, named = (
            nar.sample_traces(name, 9, 8, 0),
            nar.sample_traces(name, 9, 8, 0, family="erdos_renyi"),
        )
        np.testing.assert_array_equal(plain.inputs["A"], named.inputs["A"])


def test_draws_are_stable_across_releases():
    """The edges of one draw are fixed here, since changing them would invalidate published seeds."""
    A = random_graph(np.random.RandomState(0), 6, (0.2, 0.5), "tree")
    assert np.argwhere(np.triu(A)).tolist() == [[0, 1], [1, 5], [2, 5], [3, 4], [3, 5]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"family": "star"},
            r"family must be one of clrs30, erdos_renyi, communities, .*, or module:FUNCTION; got 'star'",
        ),
        ({"family": 3}, "family must be one of .*; got 3"),
        ({"family": ["grid"]}, r"family must be one of .*; got \['grid'\]"),
        ({"directed": 1}, "directed must be True or False, got 1"),
        ({"weighted": "yes"}, "weighted must be True or False, got 'yes'"),
    ],
)
def test_invalid_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        WEIGHTED_GRAPH_AND_SOURCE.resolve_options(8, options)


@pytest.mark.parametrize("arguments", ["random, num_nodes", "random, num_nodes, p, degree"])
def test_custom_families_take_three_arguments(arguments, tmp_path, monkeypatch):
    name = f"families_{arguments.count(',')}"
    (tmp_path / f"{name}.py").write_text(f"def star({arguments}):\n    return None\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=f"{name} has no graph family 'star'; it has: none"):
        nar.sample_traces("bfs", 8, 1, 0, family=f"{name}:star")


def test_weighted_is_not_an_option_of_unweighted_problems():
    with pytest.raises(ValueError, match="unknown problem option 'weighted'; known: p, family, directed"):
        GRAPH_AND_SOURCE.resolve_options(8, {"weighted": True})


def test_family_raises_if_no_algorithm_has_the_option():
    grid = DataConfig(problem={**DataConfig().problem, "family": "grid"})
    (task,) = make_tasks(RunConfig(algorithms=("bfs",), data=grid), Transforms())
    assert task.problem_options["family"] == "grid"
    (task,) = make_tasks(RunConfig(algorithms=("minimum",)), Transforms())
    assert not task.problem_options
    with pytest.raises(ValueError, match=r"data\.problem\.family: none of minimum has this option"):
        make_tasks(RunConfig(algorithms=("minimum",), data=grid), Transforms())


# ---------------------------------------------------------------------------------------------------
# Problems whose default graphs have a structure of their own


def test_family_option_of_communities():
    default = nar.sample_traces("strongly_connected_components", 9, 4, 0)
    named = nar.sample_traces("strongly_connected_components", 9, 4, 0, family="clrs30")
    np.testing.assert_array_equal(default.inputs["A"], named.inputs["A"])
    cycles = nar.sample_traces("strongly_connected_components", 9, 20, 0, family="cycle").inputs["A"]
    assert (cycles.sum(axis=(1, 2)) == 9).all()
    edges = nar.sample_traces("strongly_connected_components", 9, 200, 0, family="erdos_renyi", p=0.3)
    assert edges.inputs["A"].mean() == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("family", ["erdos_renyi", *GRAPH_FAMILIES])
def test_family_option_of_flow_networks(family):
    batch = nar.sample_traces("bipartite_matching", 7, 3, 0, family=family)
    for A, adj in zip(batch.inputs["A"], batch.inputs["adj"], strict=True):
        assert adj.shape == (9, 9)
        assert A[0, 1:5].all() and A[5:8, 8].all()
        between = A[1:5, 5:8]
        assert A.sum() == 7 + between.sum()
        if family == "complete":
            assert between.all()


def _empty_circles(points):
    """Pairs of points with a circle through both that contains no other point, by bounds on its center."""
    n = len(points)
    joined = np.zeros((n, n), bool)
    for i in range(n):
        for j in range(n):
            middle, across = (points[i] + points[j]) / 2, points[j] - points[i]
            normal = np.array([-across[1], across[0]])
            others = [k for k in range(n) if k not in (i, j)]
            slopes = np.array([2 * (points[k] - middle) @ normal for k in others])
            excess = np.array([((points[k] - middle) ** 2).sum() - (across**2).sum() / 4 for k in others])
            lower = max(excess[slopes < 0] / slopes[slopes < 0], default=-np.inf)
            upper = min(excess[slopes > 0] / slopes[slopes > 0], default=np.inf)
            joined[i, j] = i != j and lower <= upper
    return joined


@pytest.mark.parametrize("num_nodes", [1, 2, 3, 4, 5, 9, 16])
def test_delaunay_graphs_join_points_with_an_empty_circle(num_nodes):
    for seed in range(5):
        graph = GRAPH_FAMILIES["delaunay"](np.random.RandomState(seed), num_nodes, 0.5)
        points = np.random.RandomState(seed).uniform(size=(num_nodes, 2))
        np.testing.assert_array_equal(graph, _empty_circles(points))


def test_large_delaunay_graphs_are_triangulations():
    graph = GRAPH_FAMILIES["delaunay"](np.random.RandomState(0), 1600, 0.5)
    assert 2 * 1600 < graph.sum() / 2 <= 3 * 1600 - 6
