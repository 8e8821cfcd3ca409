"""Sampling of problems, and validation of user-provided instances."""

import dataclasses
import itertools

import networkx
import numpy as np
import pytest

import nar
from nar import problems
from nar.problems import Problem, points, random_graphs
from nar.problems.options import OPTION_CHECKS

PROBLEMS = {
    name: problem
    for name, problem in vars(problems).items()
    if isinstance(problem, Problem) and name.isupper()
}
every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def stream(seed=0):
    return np.random.RandomState(seed)


@every_problem
@pytest.mark.parametrize("size", [1, 2, 3, 16])
def test_samples_pass_validation_unchanged(problem, size):
    if size < problem.min_size:
        with pytest.raises(ValueError, match=f"size must be an integer .*{problem.min_size}.*got {size}"):
            problem.resolve_options(size, {})
        return
    problem.resolve_options(size, {})
    drawn = problem.sample(stream(), size)
    checked = problem.bind(*drawn)
    for before, after in zip(drawn, checked, strict=True):
        np.testing.assert_array_equal(before, after)
    named = problem.bind(**dict(zip(problem.arguments, drawn, strict=True)))
    for before, after in zip(drawn, named, strict=True):
        np.testing.assert_array_equal(before, after)


@every_problem
def test_samples_depend_only_on_the_stream(problem):
    np.random.seed(0)  # the global state must not matter
    first = problem.sample(stream(1), 8)
    np.random.seed(1)
    again = problem.sample(stream(1), 8)
    other = problem.sample(stream(2), 8)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@every_problem
def test_every_option_has_a_check_and_a_valid_default(problem):
    for name, default in problem.options.items():
        OPTION_CHECKS[name](name, default)


@every_problem
def test_validation_copies_arrays(problem):
    drawn = problem.sample(stream(), 6)
    for before, after in zip(drawn, problem.bind(*drawn), strict=True):
        assert not (isinstance(before, np.ndarray) and np.shares_memory(before, after))


@pytest.mark.parametrize("name", [name for name, problem in PROBLEMS.items() if "low" in problem.options])
def test_low_and_high_bound_the_values(name):
    problem = PROBLEMS[name]
    with pytest.raises(ValueError, match=r"low=2\.0, high=1\.0"):
        problem.resolve_options(8, {"low": 2})
    with pytest.raises(ValueError, match=r"low=0\.0, high=0\.0"):
        problem.resolve_options(8, {"low": 0, "high": 0})
    with pytest.raises(ValueError, match=r"1e-100, got low=0\.0, high=1e-200"):
        problem.resolve_options(8, {"low": 0, "high": 1e-200})
    problem.resolve_options(8, {"low": np.float32(5), "high": 6})
    if "GRAPH" not in name:
        values = problem.sample(stream(), 1000, low=5, high=6)[-1]
        assert (values >= 5).all()
        assert (values < 6).all()


@pytest.mark.parametrize(
    "problem",
    [problems.WEIGHTED_GRAPH, problems.SPARSE_WEIGHTED_GRAPH, problems.NONNEGATIVE_WEIGHTED_GRAPH_AND_SOURCE],
)
def test_weights_of_undirected_graphs(problem):
    weights = problem.sample(stream(), 100, low=5, high=6)[0]
    np.testing.assert_array_equal(weights, weights.T)
    present = weights[weights != 0]
    assert ((present >= 5) & (present < np.sqrt(36 + 1e-3))).all()


def test_weights_of_acyclic_graphs():
    weights, _ = problems.ACYCLIC_WEIGHTED_GRAPH_AND_SOURCE.sample(stream(), 100, low=-6, high=-5)
    present = weights[weights != 0]
    assert ((present >= -6) & (present < -5)).all()


@pytest.mark.parametrize("problem", [problems.MATRIX_DIMENSIONS, problems.WEIGHTED_GRAPH_AND_SOURCE])
def test_negative_low_raises(problem):
    with pytest.raises(ValueError, match=r"low must be at least 0, got -1\.0"):
        problem.resolve_options(8, {"low": -1})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"q": 1}, r"unknown problem option 'q'; known: p, family, directed, k, rewiring$"),
        ({"p": 1.5}, r"p must lie between 0 and 1, got 1\.5"),
        ({"p": -0.1}, r"p must lie between 0 and 1, got -0\.1"),
        ({"p": [0.5, 2]}, r"p must lie between 0 and 1, got 2"),
        ({"p": float("nan")}, r"got nan"),
        ({"p": "0.5"}, r"got '0\.5'"),
        ({"p": []}, r"a probability or a sequence of them, got \[\]"),
        ({"p": [[0.5]]}, r"a probability or a sequence of them, got \[\[0\.5\]\]"),
        ({"p": None}, r"got None"),
        ({"p": True}, r"got True"),
    ],
)
def test_invalid_graph_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        problems.GRAPH_AND_SOURCE.resolve_options(8, options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 9}, "k must be at most the size 8, got 9"),
        ({"k": 0}, "k must be an integer from 1 to 65536, got 0"),
        ({"k": 2.0}, r"k must be an integer from 1 to 65536, got 2\.0"),
        ({"eps": 1.5}, r"eps must be a number between 0 and 1, got 1\.5"),
        ({"eps": [0.1]}, r"eps must be a number between 0 and 1, got \[0\.1\]"),
        ({"eps": float("nan")}, "eps must be a number between 0 and 1, got nan"),
    ],
)
def test_invalid_community_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        problems.COMMUNITIES.resolve_options(8, options)


def test_custom_sampler_may_have_one_option_of_the_graph_families():
    def sample(random, size, rewiring=0.5):
        return (random.uniform(0, rewiring, size),)

    problem = dataclasses.replace(problems.SEQUENCE, sample=sample)
    assert problem.resolve_options(8, {"rewiring": 0.25}) == {"rewiring": 0.25}


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", True, 2**40])
def test_invalid_length_2_raises(value):
    with pytest.raises(ValueError, match="length_2 must be an integer from 1 to 65536, got"):
        problems.FLOW_NETWORK.resolve_options(8, {"length_2": value})


@pytest.mark.parametrize("value", [float("inf"), float("nan"), "a", None, True, 10**400, 1e200, [1.0]])
def test_invalid_low_raises(value):
    with pytest.raises(ValueError, match=r"low must be a number of magnitude at most 1e\+100, got"):
        problems.SEQUENCE.resolve_options(8, {"low": value})


@pytest.mark.parametrize("value", [0, -1, 1.5, "a", True, 10**30])
def test_invalid_max_deadline_raises(value):
    with pytest.raises(ValueError, match=r"max_deadline must be an integer from 1 to \d+, got"):
        problems.TASKS.resolve_options(8, {"max_deadline": value})


@pytest.mark.parametrize("value", [0, 1.5, "a", True, 10**30, -(10**30)])
def test_invalid_length_needle_raises(value):
    with pytest.raises(ValueError, match="length_needle must be a length, .*, got"):
        problems.TEXT_AND_PATTERN.resolve_options(20, {"length_needle": value})


@pytest.mark.parametrize("length", [4, -4, np.int8(-4), 10**6, -(10**6)])
def test_length_needle_over_half_the_size_raises(length):
    with pytest.raises(ValueError, match="more than twice the length of the needle, got size=8"):
        problems.TEXT_AND_PATTERN.resolve_options(8, {"length_needle": length})
    problems.TEXT_AND_PATTERN.resolve_options(8, {"length_needle": 3})
    problems.TEXT_AND_PATTERN.resolve_options(8, {"length_needle": -3})


@pytest.mark.parametrize("value", [0, 5, -1, 2.0, "ACGT", None, True])
def test_invalid_chars_raises(value):
    with pytest.raises(ValueError, match="chars must be an integer from 1 to 4, got"):
        problems.TWO_STRINGS.resolve_options(8, {"chars": value})


@pytest.mark.parametrize("value", [0, -1.0, 1e-200, float("nan"), "a", None])
def test_invalid_radius_raises(value):
    with pytest.raises(ValueError, match="radius must be .*, got"):
        problems.POINTS.resolve_options(8, {"radius": value})


def test_too_many_points_raise():
    with pytest.raises(ValueError, match="size must be an integer from 1 to 2048, got 2049"):
        problems.POINTS.resolve_options(2049, {})
    with pytest.raises(ValueError, match="at most 2048 points, got 2049"):
        problems.POINTS.bind(np.arange(2049), np.arange(2049))


@pytest.mark.parametrize("size", [0, -3, 2.0, "8", None, True, float("nan"), 10**30])
def test_invalid_size_raises(size):
    with pytest.raises(ValueError, match=r"size must be an integer .*, got "):
        problems.SEQUENCE.resolve_options(size, {})


# ---------------------------------------------------------------------------------------------------
# Samples


@pytest.mark.parametrize("p", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_erdos_renyi(p, weighted):
    num_nodes = 200
    graph = random_graphs.erdos_renyi(stream(), num_nodes, p, weighted=weighted)
    np.testing.assert_array_equal(graph, graph.T)
    pairs = graph[np.triu_indices(num_nodes, k=1)] != 0
    assert pairs.mean() == pytest.approx(p**2, abs=4 * np.sqrt(p**2 * (1 - p**2) / pairs.size))
    present = graph[graph != 0]
    if weighted:
        assert ((present >= np.sqrt(1e-3)) & (present < np.sqrt(1 + 1e-3))).all()
    else:
        assert (present == 1).all()


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("acyclic", [False, True])
def test_directed_erdos_renyi(p, acyclic):
    num_nodes = 200
    edges = random_graphs.erdos_renyi(stream(), num_nodes, p, directed=True, acyclic=acyclic) != 0
    both = edges | edges.T if acyclic else edges
    pairs = both[np.triu_indices(num_nodes, k=1)]
    assert pairs.mean() == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / pairs.size))
    if acyclic:
        assert networkx.is_directed_acyclic_graph(directed(edges))
        assert p == 0 or np.tril(edges).any()


def test_communities_without_noise_are_the_components():
    """Complete communities without noise are the strongly connected components."""
    graph = random_graphs.communities(stream(), 23, 4, 1.0, 0.0)
    sizes = sorted(len(nodes) for nodes in networkx.strongly_connected_components(directed(graph)))
    assert sizes == [5, 5, 5, 8]
    assert graph.sum() == 3 * 5**2 + 8**2


@pytest.mark.parametrize("eps", [0.0, 0.1, 1.0])
def test_noise_does_not_merge_communities(eps):
    graph = random_graphs.communities(stream(), 24, 3, 0.5, eps)
    assert max(len(nodes) for nodes in networkx.strongly_connected_components(directed(graph))) <= 8


def directed(matrix):
    return networkx.from_numpy_array(matrix, create_using=networkx.DiGraph)


def test_flow_network():
    A = random_graphs.flow_network(stream(), 2, 1, 1.0)
    expected = [[0, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(A, expected)


@pytest.mark.parametrize(
    ("size", "length_2", "expected"),
    [(1, None, (1, 0)), (5, None, (3, 2)), (6, None, (3, 3)), (2, 7, (2, 7))],
)
def test_side_lengths_of_flow_networks(size, length_2, expected):
    A, n, m, s, t = problems.FLOW_NETWORK.sample(stream(), size, length_2=length_2)
    assert (n, m) == expected
    assert (s, t) == (0, n + m + 1)
    assert A.shape == (n + m + 2, n + m + 2)


def test_edge_probability_is_drawn_from_the_given_ones():
    densities = {
        round(float(np.mean(problems.GRAPH_AND_SOURCE.sample(stream(seed), 30, p=(0.0, 1.0))[0])))
        for seed in range(20)
    }
    assert densities == {0, 1}


def test_every_node_can_be_the_source():
    sources = {problems.GRAPH_AND_SOURCE.sample(stream(seed), 4)[1] for seed in range(100)}
    assert sources == {0, 1, 2, 3}


def test_half_of_the_segments_intersect():
    drawn = [problems.SEGMENTS.sample(stream(seed), 16) for seed in range(400)]
    assert 150 < sum(points._segments_cross(xs, ys) for xs, ys in drawn) < 250


@pytest.mark.parametrize("size", [2, 3, 20, 21])
def test_string_lengths(size):
    x, y = problems.TWO_STRINGS.sample(stream(), size)
    assert len(x) + len(y) == size
    assert len(x) - len(y) in (0, 1)


def test_needle_lengths():
    def lengths(size, **options):
        draws = [problems.TEXT_AND_PATTERN.sample(stream(seed), size, **options) for seed in range(200)]
        assert {len(T) + len(P) for T, P in draws} == {size}
        return {len(P) for _, P in draws}

    assert [lengths(size) for size in (3, 4, 9, 10, 20, 64)] == [{1}, {1}, {1}, {2}, {4}, {12}]
    assert lengths(20, length_needle=7) == {7}
    assert lengths(20, length_needle=-8) == set(range(1, 9))


def test_needle_occurs_in_the_haystack():
    positions = set()
    for seed in range(300):
        T, P = problems.TEXT_AND_PATTERN.sample(stream(seed), 20, length_needle=np.int8(5))
        assert set(T) <= {0, 1, 2, 3}
        matches = [s for s in range(11) if (T[s : s + 5] == P).all()]
        assert matches
        positions |= {matches[0]}
    assert positions == set(range(10))  # never the last possible one


@pytest.mark.parametrize("problem", [problems.TWO_STRINGS, problems.TEXT_AND_PATTERN])
def test_strings_use_all_characters(problem):
    for chars in (1, 2, 4):
        assert set(np.concatenate(problem.sample(stream(), 100, chars=chars))) == set(range(chars))


def test_search_probabilities_sum_to_one():
    for size in (1, 5, 30):
        p, q = problems.KEY_PROBABILITIES.sample(stream(), size)
        assert (len(p), len(q)) == (size, size + 1)
        assert p.sum() + q.sum() == pytest.approx(1)


def test_activities_start_before_they_finish():
    s, f = problems.ACTIVITIES.sample(stream(), 1000)
    assert (s < f).all()
    assert np.median(s) == pytest.approx(1 - np.sqrt(0.5), abs=0.05)


def test_target_rank_is_uniform_among_sorted_keys():
    drawn = [problems.SEARCH.sample(stream(seed), 9) for seed in range(500)]
    ranks = np.array([np.searchsorted(A, x) for x, A in drawn])
    assert all((np.diff(A) >= 0).all() for _, A in drawn)
    assert (np.bincount(ranks, minlength=10) > 25).all()


def test_points_fill_the_disk():
    xs, ys = problems.POINTS.sample(stream(), 100, origin_x=10.0, origin_y=-5.0, radius=3.0)
    distances = np.hypot(xs - 10, ys + 5)
    assert distances.max() < 3
    assert np.median(distances) == pytest.approx(3 * np.sqrt(0.5), abs=0.3)


def test_points_are_redrawn_until_no_three_are_collinear():
    class Replay:
        """Stream that first returns four collinear points, then continues as a `RandomState`."""

        def __init__(self):
            self._first, self._stream = [np.zeros(4), np.arange(4) / 4], stream()

        def uniform(self, **arguments):
            return self._first.pop(0) if self._first else self._stream.uniform(**arguments)

    for drawn, expected in zip(
        problems.POINTS.sample(Replay(), 4), problems.POINTS.sample(stream(), 4), strict=True
    ):
        np.testing.assert_array_equal(drawn, expected)
    for options in ({"radius": 1e-7}, {"origin_x": 1e90}):
        with pytest.raises(
            ValueError, match=r"5 points .* were drawn 1000 times, always with three collinear"
        ):
            problems.POINTS.sample(stream(), 5, **options)


@pytest.mark.parametrize(("size", "collinear"), [(2, False), (3, True), (40, True)])
def test_collinear_triples_are_detected_at_any_index(size, collinear):
    random = np.random.default_rng(size)
    for _ in range(50):
        xs, ys = random.random((2, size))
        assert not points._has_collinear_triple(xs, ys, 1e-12)
        if collinear:
            i, j, k = random.choice(size, 3, replace=False)
            along = random.uniform(-2, 2)
            xs[k], ys[k] = xs[i] + along * (xs[j] - xs[i]), ys[i] + along * (ys[j] - ys[i])
            assert points._has_collinear_triple(xs, ys, 1e-12)


def test_deadlines_are_bounded():
    def deadlines(**options):
        draws = (problems.TASKS.sample(stream(seed), 5, **options)[0] for seed in range(100))
        return set(np.concatenate(list(draws)))

    assert deadlines() == {1, 2, 3, 4, 5}
    assert deadlines(max_deadline=2) == {1, 2}


# ---------------------------------------------------------------------------------------------------
# Input probes


def test_graph_input_probes():
    A = np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    inputs = problems.GRAPH_AND_SOURCE.probes(A, 1)
    np.testing.assert_allclose(inputs.pos, [0, 1 / 3, 2 / 3])
    assert inputs.s == 1
    np.testing.assert_array_equal(inputs.A, A)
    np.testing.assert_array_equal(inputs.adj, [[1, 1, 0], [0, 1, 1], [0, 0, 1]])


def test_string_input_probes():
    inputs = problems.TWO_STRINGS.probes(*problems.TWO_STRINGS.bind("cat", "ac"))
    np.testing.assert_array_equal(inputs.string, [0, 0, 0, 1, 1])
    np.testing.assert_allclose(inputs.pos, [0, 1 / 3, 2 / 3, 0, 1 / 2])
    np.testing.assert_array_equal(inputs.key, [1, 0, 2, 0, 1])


def test_arguments_have_aliases():
    match = nar.run_algorithm("kmp_matcher", needle="na", haystack="banana").outputs["match"]
    assert match.argmax() == 2
    assert nar.run_algorithm("binary_search", target=2, key=[1, 2, 3]).outputs["return"].argmax() == 1
    np.testing.assert_array_equal(nar.run_algorithm("minimum", key=[3, 1]).outputs["min"], [0, 1])
    segments = {"x": [0, 1, 0, 1], "y": [0, 1, 1, 0]}
    assert nar.run_algorithm("segments_intersect", **segments).outputs["intersect"] == 1


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.float16, np.float32])
def test_any_number_dtype_is_accepted(dtype):
    A = np.ones((3, 3), dtype)
    trace = nar.run_algorithm("bfs", A, np.array(2))
    np.testing.assert_array_equal(trace.outputs["pi"], [2, 2, 2])


# ---------------------------------------------------------------------------------------------------
# Invalid arguments

GRAPH = np.ones((3, 3))
UPPER = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]])
RING = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
FLOW = {"A": random_graphs.flow_network(np.random.RandomState(0), 1, 1, 1.0), "n": 1, "m": 1, "s": 0, "t": 3}
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("bfs", {"A": GRAPH}, r"missing argument 's'; expected A, s"),
        ("bfs", {"A": GRAPH, "s": 0, "t": 1}, r"unknown argument 't'; expected A, s"),
        ("bfs", {"A": GRAPH[:2], "s": 0}, r"A must be a square matrix, got shape \(2, 3\)"),
        ("bfs", {"A": GRAPH[0], "s": 0}, r"A must be a non-empty array of rank 2, got shape \(3,\)"),
        ("bfs", {"A": np.zeros((0, 0)), "s": 0}, r"non-empty array of rank 2, got shape \(0, 0\)"),
        ("bfs", {"A": [[0, 1], [0]], "s": 0}, r"A must be an array of real numbers, got \[\[0, 1\], \[0\]\]"),
        ("bfs", {"A": GRAPH * 1j, "s": 0}, r"A must be an array of real numbers"),
        ("bfs", {"A": "graph", "s": 0}, r"A must be an array of real numbers, got 'graph'"),
        ("bfs", {"A": None, "s": 0}, r"A must be an array of real numbers, got None"),
        ("bfs", {"A": GRAPH * NAN, "s": 0}, r"A must contain numbers of magnitude at most 1e\+100, got nan"),
        ("bfs", {"A": GRAPH * INF, "s": 0}, r"A must contain numbers of magnitude at most 1e\+100, got inf"),
        ("bfs", {"A": GRAPH, "s": 3}, r"s must be a node, an integer from 0 to 2, got 3"),
        ("bfs", {"A": GRAPH, "s": -1}, r"s must be a node, an integer from 0 to 2, got -1"),
        ("bfs", {"A": GRAPH, "s": 0.5}, r"s must be a node, an integer from 0 to 2, got 0\.5"),
        ("bfs", {"A": GRAPH, "s": NAN}, r"s must be a node, an integer from 0 to 2, got nan"),
        ("bfs", {"A": GRAPH, "s": INF}, r"s must be a node, an integer from 0 to 2, got inf"),
        ("bfs", {"A": GRAPH, "s": "0"}, r"s must be a node, an integer from 0 to 2, got '0'"),
        ("bfs", {"A": GRAPH, "s": [0]}, r"s must be a node, an integer from 0 to 2, got \[0\]"),
        ("bfs", {"A": GRAPH, "s": True}, r"s must be a node, an integer from 0 to 2, got True"),
        ("bfs", {"A": GRAPH, "s": [[1], [1, 2]]}, r"s must be a node, .*got \[\[1\], \[1, 2\]\]"),
        ("bellman_ford", {"A": -GRAPH, "s": 0}, r"A has a cycle of negative weight that node 0 reaches"),
        ("bellman_ford", {"A": GRAPH, "s": 9}, r"s must be a node, an integer from 0 to 2, got 9"),
        ("dijkstra", {"A": -GRAPH, "s": 0}, r"A must not contain negative entries, got -1"),
        ("bridges", {"A": UPPER}, r"A must be symmetric, got A\[0, 1\] = 1 and A\[1, 0\] = 0"),
        ("mst_kruskal", {"A": UPPER}, r"A must be symmetric, got A\[0, 1\] = 1 and A\[1, 0\] = 0"),
        ("mst_prim", {"A": UPPER, "s": 0}, r"A must be symmetric, got A\[0, 1\] = 1 and A\[1, 0\] = 0"),
        ("mst_prim", {"A": GRAPH, "s": 3}, r"s must be a node, an integer from 0 to 2, got 3"),
        ("topological_sort", {"A": GRAPH}, r"A must be acyclic, got the cycle \[0, 0\]"),
        ("topological_sort", {"A": UPPER + UPPER.T}, r"A must be acyclic, got the cycle \[0, 1, 0\]"),
        ("topological_sort", {"A": RING}, r"A must be acyclic, got the cycle \[0, 1, 2, 0\]"),
        ("dag_shortest_paths", {"A": -RING, "s": 1}, r"A must be acyclic, got the cycle \[0, 1, 2, 0\]"),
        ("dag_shortest_paths", {"A": UPPER, "s": 5}, r"s must be a node, an integer from 0 to 2, got 5"),
        ("floyd_warshall", {"A": -RING}, r"A has a cycle of negative weight through node 2"),
        ("floyd_warshall", {"A": -np.eye(3)}, r"A has a cycle of negative weight through node 0"),
        (
            "floyd_warshall",
            {"A": GRAPH * NAN},
            r"A must contain numbers of magnitude at most 1e\+100, got nan",
        ),
        ("bipartite_matching", {**FLOW, "n": 2}, r"n \+ m \+ 2 nodes, got 4 with n = 2 and m = 1"),
        ("bipartite_matching", {**FLOW, "n": -1}, r"n must be an integer from 0 to 4, got -1"),
        ("bipartite_matching", {**FLOW, "s": 1}, r"s must be 0 and t the last node, 3; got 1 and 3"),
        ("bipartite_matching", {**FLOW, "t": 0}, r"s must be 0 and t the last node, 3; got 0 and 0"),
        ("bipartite_matching", {**FLOW, "A": np.ones((4, 4))}, r"only contain edges .*got A\[0, 0\] = 1"),
        ("bipartite_matching", {**FLOW, "A": 2 * FLOW["A"]}, r"only contain edges .*got A\[0, 1\] = 2"),
        ("minimum", {"A": []}, r"A must be a non-empty array of rank 1, got shape \(0,\)"),
        ("minimum", {"A": 3}, r"A must be a non-empty array of rank 1, got shape \(\)"),
        ("minimum", {"A": [10**400]}, r"A must contain numbers that float64 represents"),
        ("minimum", {"A": ["b", "a"]}, r"A must be an array of real numbers, got \['b', 'a'\]"),
        ("minimum", {"A": [1], "key": [1]}, r"argument 'A' is given twice"),
        ("matrix_chain_order", {"p": [1, 0, 2]}, r"p must contain positive matrix dimensions, got 0"),
        ("matrix_chain_order", {"p": [1, -2]}, r"p must contain positive matrix dimensions, got -2"),
        ("lcs_length", {"x": "abc", "y": "de"}, r"may use at most 4 different letters, got 'abcde'"),
        ("lcs_length", {"x": "", "y": "a"}, r"x must be a non-empty array"),
        ("lcs_length", {"x": "abc", "y": [0]}, r"x must be an array of real numbers, got 'abc'"),
        ("lcs_length", {"x": [0, 4], "y": [0]}, r"x must contain integers from 0 to 3, got 4"),
        ("lcs_length", {"x": [0], "y": [0.5]}, r"y must contain integers from 0 to 3, got 0\.5"),
        ("task_scheduling", {"d": [1, 0], "w": [1, 1]}, r"d must contain integers of at least 1, got 0"),
        ("task_scheduling", {"d": [1.5], "w": [1]}, r"d must contain integers of at least 1, got 1\.5"),
        ("task_scheduling", {"d": [1e30], "w": [1]}, r"d must contain integers .*got 1e\+30"),
        ("task_scheduling", {"d": [1, 2], "w": [1]}, r"must have the same length, got \{'d': 2, 'w': 1\}"),
        ("binary_search", {"x": 0, "A": [1, 3, 2]}, r"A must be sorted in ascending order, got 3 before 2"),
        ("binary_search", {"x": NAN, "A": [1]}, r"x must be a number of magnitude at most 1e\+100, got nan"),
        ("binary_search", {"x": [0], "A": [1]}, r"x must be a number .*, got \[0\]"),
        ("optimal_bst", {"p": [1, 2], "q": [1, 2]}, r"q .* must be one longer than p .*got lengths 2 and 2"),
        ("optimal_bst", {"p": [1], "q": [1, -2]}, r"q must not contain negative probabilities, got -2"),
        ("optimal_bst", {"p": [], "q": [1]}, r"p must be a non-empty array"),
        ("activity_selector", {"s": [0, 2], "f": [1, 1]}, r"must start before it finishes, got s=2, f=1"),
        ("activity_selector", {"s": [1], "f": [1]}, r"must start before it finishes, got s=1, f=1"),
        ("activity_selector", {"s": [0, 2], "f": [1]}, r"must have the same length, got \{'s': 2, 'f': 1\}"),
        ("kmp_matcher", {"T": "ab", "P": "aba"}, r"P must not be longer than T, got lengths 3 and 2"),
        (
            "naive_string_matcher",
            {"T": "abcd", "P": "e"},
            r"T and P may use at most 4 different .*, got 'abcde'",
        ),
        ("kmp_matcher", {"haystack": "ab", "needle": ""}, r"P must be a non-empty array"),
        ("graham_scan", {"xs": [0, 1, 0], "ys": [0, 1, 0]}, r"points must be distinct, got \(0, 0\) twice"),
        ("jarvis_march", {"xs": [0, 1, 1], "ys": [0, 1, 1]}, r"points must be distinct, got \(1, 1\) twice"),
        ("jarvis_march", {"xs": [0, 1e-200], "ys": [0, 1]}, r"numbers of xs must differ by at least 1e-100"),
        ("graham_scan", {"xs": [0, 1], "ys": [0]}, r"must have the same length, got \{'xs': 2, 'ys': 1\}"),
        ("graham_scan", {"xs": [0.1, 0.2, 0.3], "ys": [0.1, 0.3, 0.5]}, r"points 0, 1 and 2 are so close"),
        ("segments_intersect", {"xs": [0, 1, 2], "ys": [0, 1, 2]}, r"four coordinates each.*got 3 and 3"),
    ],
)
def test_invalid_arguments_raise(name, arguments, message):
    with pytest.raises(ValueError, match=f"^{name}: .*{message}"):
        nar.run_algorithm(name, **arguments)


def test_surplus_and_repeated_arguments_raise():
    with pytest.raises(ValueError, match=r"bfs: expected the arguments A, s, got 3 values"):
        nar.run_algorithm("bfs", GRAPH, 0, 1)
    with pytest.raises(ValueError, match=r"bfs: argument 'A' is given twice"):
        nar.run_algorithm("bfs", GRAPH, A=GRAPH)


def test_long_invalid_values_are_abbreviated_in_messages():
    with pytest.raises(ValueError, match="real numbers") as caught:
        nar.run_algorithm("minimum", ["x"] * 10_000)
    assert len(str(caught.value)) < 200


def test_only_negative_cycles_that_the_source_reaches_raise():
    def matrix(**edges):
        A = np.zeros((4, 4))
        for edge, weight in edges.items():
            A[int(edge[1]), int(edge[2])] = weight
        return A

    message = "cycle of negative weight that node 0 reaches"
    for A in (
        matrix(_00=-1),
        matrix(_01=1, _12=1, _21=-1 - 1e-13),
        matrix(_01=1e9, _12=1, _21=-1 - 1e-6),
        matrix(_01=5, _12=-3, _23=-3, _30=0.5),
    ):
        with pytest.raises(ValueError, match=message):
            nar.run_algorithm("bellman_ford", A, 0)
    for A in (matrix(_11=-1), matrix(_12=-1, _21=-1), matrix(_01=1, _12=1, _21=-1), matrix(_01=-3, _12=-3)):
        assert nar.run_algorithm("bellman_ford", A, 0).length <= 4 + 1


@pytest.mark.parametrize("weights", list(itertools.permutations([0.1, 0.2, -0.3])))
def test_bellman_ford_terminates_on_zero_weight_cycles(weights):
    """Rounding may make the sum slightly negative: this must raise, since relaxation would not terminate."""
    A = np.zeros((3, 3))
    A[0, 1], A[1, 2], A[2, 0] = weights
    for source in range(3):
        try:
            length = nar.run_algorithm("bellman_ford", A, source).length
        except ValueError as error:
            assert "negative weight" in str(error)  # noqa: PT017
        else:
            assert length <= 3 + 1


@pytest.mark.parametrize("name", ["self", "name", "values", "named"])
def test_arguments_of_other_names_are_unknown(name):
    arguments = {"A": [[0, 1], [1, 0]], "s": 0, name: 1}
    for read in (
        lambda: nar.run_algorithm("bfs", **arguments),
        lambda: problems.GRAPH_AND_SOURCE.read(**arguments),
        lambda: problems.GRAPH_AND_SOURCE.bind(**arguments),
    ):
        with pytest.raises(ValueError, match=f"unknown argument '{name}'; expected A, s"):
            read()
