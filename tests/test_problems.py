"""Random instances, and what is said about a user's own that cannot be run."""

import itertools

import numpy as np
import pytest

import nar
from nar import problems
from nar.problems import Problem, points
from nar.problems.options import OPTION_CHECKS

PROBLEMS = {
    name: problem
    for name, problem in vars(problems).items()
    if isinstance(problem, Problem) and name.isupper()
}
every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def stream(seed=0):
    return np.random.RandomState(seed)


def batched(arguments):
    return [np.stack([value]) for value in arguments]


@every_problem
@pytest.mark.parametrize("size", [1, 2, 3, 16])
def test_samples_pass_their_own_check(problem, size):
    if size < problem.min_size:
        with pytest.raises(ValueError, match=f"size must be an integer .*{problem.min_size}.*got {size}"):
            problem.check_request(size, {})
        return
    problem.check_request(size, {})
    drawn = problem.sample(stream(), size)
    checked = problem.bind(*drawn)
    for before, after in zip(drawn, checked, strict=True):
        np.testing.assert_array_equal(before, after)
    named = problem.bind(**dict(zip(problem.arguments, drawn, strict=True)))
    for before, after in zip(drawn, named, strict=True):
        np.testing.assert_array_equal(before, after)


@every_problem
def test_samples_depend_on_the_stream_alone(problem):
    np.random.seed(0)  # a global state that must not matter
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
def test_a_check_copies(problem):
    drawn = problem.sample(stream(), 6)
    for before, after in zip(drawn, problem.bind(*drawn), strict=True):
        assert not (isinstance(before, np.ndarray) and np.shares_memory(before, after))


@pytest.mark.parametrize("name", [name for name, problem in PROBLEMS.items() if "low" in problem.options])
def test_range_of_values(name):
    problem = PROBLEMS[name]
    with pytest.raises(ValueError, match=r"low=2\.0, high=1\.0"):
        problem.check_request(8, {"low": 2})
    with pytest.raises(ValueError, match=r"low=0\.0, high=0\.0"):
        problem.check_request(8, {"high": 0})
    with pytest.raises(ValueError, match=r"1e-100, got low=0\.0, high=1e-200"):
        problem.check_request(8, {"low": 0, "high": 1e-200})
    problem.check_request(8, {"low": np.float32(5), "high": 6})
    if name != "WEIGHTED_GRAPH_AND_SOURCE":
        values = problem.sample(stream(), 1000, low=5, high=6)[-1]
        assert (values >= 5).all()
        assert (values < 6).all()


@pytest.mark.parametrize("problem", [problems.MATRIX_DIMENSIONS, problems.WEIGHTED_GRAPH_AND_SOURCE])
def test_low_must_not_be_negative(problem):
    with pytest.raises(ValueError, match=r"low must be at least 0, got -1\.0"):
        problem.check_request(8, {"low": -1})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"q": 1}, r"unknown problem option 'q'; known: p, family, directed$"),
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
def test_bad_options_of_graphs(options, message):
    with pytest.raises(ValueError, match=message):
        problems.GRAPH_AND_SOURCE.check_request(8, options)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), "a", None, True, 10**400, 1e200, [1.0]])
def test_bad_low(value):
    with pytest.raises(ValueError, match=r"low must be a number of at most 1e\+100 in size, got"):
        problems.SEQUENCE.check_request(8, {"low": value})


@pytest.mark.parametrize("value", [0, -1, 1.5, "a", True, 10**30])
def test_bad_deadline(value):
    with pytest.raises(ValueError, match=r"max_deadline must be an integer from 1 to \d+, got"):
        problems.TASKS.check_request(8, {"max_deadline": value})


@pytest.mark.parametrize("size", [0, -3, 2.0, "8", None, True, float("nan"), 10**30])
def test_bad_size(size):
    with pytest.raises(ValueError, match=r"size must be an integer .*, got "):
        problems.SEQUENCE.check_request(size, {})


# ---------------------------------------------------------------------------------------------------
# What is drawn


@pytest.mark.parametrize("p", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_erdos_renyi(p, weighted):
    num_nodes = 200
    graph = problems.erdos_renyi(stream(), num_nodes, p, weighted=weighted)
    np.testing.assert_array_equal(graph, graph.T)
    pairs = graph[np.triu_indices(num_nodes, k=1)] != 0
    assert pairs.mean() == pytest.approx(p**2, abs=4 * np.sqrt(p**2 * (1 - p**2) / pairs.size))
    present = graph[graph != 0]
    if weighted:
        assert ((present >= np.sqrt(1e-3)) & (present < np.sqrt(1 + 1e-3))).all()
    else:
        assert (present == 1).all()


def test_probability_is_drawn_from_those_given():
    densities = {
        round(float(np.mean(problems.GRAPH_AND_SOURCE.sample(stream(seed), 30, p=(0.0, 1.0))[0])))
        for seed in range(20)
    }
    assert densities == {0, 1}


def test_sources_are_spread():
    sources = {problems.GRAPH_AND_SOURCE.sample(stream(seed), 4)[1] for seed in range(100)}
    assert sources == {0, 1, 2, 3}


def test_half_of_the_segments_intersect():
    drawn = [problems.SEGMENTS.sample(stream(seed), 16) for seed in range(400)]
    assert 150 < sum(points._cross(xs, ys) for xs, ys in drawn) < 250


@pytest.mark.parametrize("size", [2, 3, 20, 21])
def test_lengths_of_strings(size):
    x, y = problems.TWO_STRINGS.sample(stream(), size)
    assert len(x) + len(y) == size
    assert len(x) - len(y) in (0, 1)


def test_deadlines():
    def deadlines(**options):
        draws = (problems.TASKS.sample(stream(seed), 5, **options)[0] for seed in range(100))
        return set(np.concatenate(list(draws)))

    assert deadlines() == {1, 2, 3, 4, 5}
    assert deadlines(max_deadline=2) == {1, 2}


# ---------------------------------------------------------------------------------------------------
# Inputs


def test_graph_inputs():
    A = np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    inputs = problems.GRAPH_AND_SOURCE.probes(*batched((A, 1)))
    np.testing.assert_allclose(inputs["pos"], [[0, 1 / 3, 2 / 3]])
    np.testing.assert_array_equal(inputs["s"], [[0, 1, 0]])
    np.testing.assert_array_equal(inputs["A"], [A])
    np.testing.assert_array_equal(inputs["adj"], [[[1, 1, 0], [0, 1, 1], [0, 0, 1]]])


def test_string_inputs():
    x, y = problems.TWO_STRINGS.bind("cat", "ac")
    inputs = problems.TWO_STRINGS.probes(*batched((x, y)))
    np.testing.assert_array_equal(inputs["string"], [[0, 0, 0, 1, 1]])
    np.testing.assert_allclose(inputs["pos"], [[0, 1 / 3, 2 / 3, 0, 1 / 2]])
    np.testing.assert_array_equal(inputs["key"].argmax(-1), [[1, 0, 2, 0, 1]])
    np.testing.assert_array_equal(inputs["key"].sum(-1), np.ones((1, 5)))


def test_aliases():
    np.testing.assert_array_equal(nar.run_algorithm("minimum", key=[3, 1]).outputs["min"], [0, 1])
    segments = {"x": [0, 1, 0, 1], "y": [0, 1, 1, 0]}
    assert nar.run_algorithm("segments_intersect", **segments).outputs["intersect"] == 1


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.float16, np.float32])
def test_any_number_type_will_do(dtype):
    A = np.ones((3, 3), dtype)
    trace = nar.run_algorithm("bfs", A, np.array(2))
    np.testing.assert_array_equal(trace.outputs["pi"], [2, 2, 2])


# ---------------------------------------------------------------------------------------------------
# Bad arguments

GRAPH = np.ones((3, 3))
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
        ("bfs", {"A": -GRAPH, "s": 0}, r"A must not hold negative entries, got -1"),
        ("bfs", {"A": GRAPH * NAN, "s": 0}, r"A must hold numbers of at most 1e\+100 in size, got nan"),
        ("bfs", {"A": GRAPH * INF, "s": 0}, r"A must hold numbers of at most 1e\+100 in size, got inf"),
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
        ("minimum", {"A": []}, r"A must be a non-empty array of rank 1, got shape \(0,\)"),
        ("minimum", {"A": 3}, r"A must be a non-empty array of rank 1, got shape \(\)"),
        ("minimum", {"A": [10**400]}, r"A must be an array of real numbers"),
        ("minimum", {"A": ["b", "a"]}, r"A must be an array of real numbers, got \['b', 'a'\]"),
        ("minimum", {"A": [1], "key": [1]}, r"argument 'A' is given twice"),
        ("matrix_chain_order", {"p": [1, 0, 2]}, r"p must hold positive matrix dimensions, got 0"),
        ("matrix_chain_order", {"p": [1, -2]}, r"p must hold positive matrix dimensions, got -2"),
        ("lcs_length", {"x": "abc", "y": "de"}, r"may use 4 different letters, got 'abcde'"),
        ("lcs_length", {"x": "", "y": "a"}, r"x must be a non-empty array"),
        ("lcs_length", {"x": "abc", "y": [0]}, r"x must be an array of real numbers, got 'abc'"),
        ("lcs_length", {"x": [0, 4], "y": [0]}, r"x must hold integers from 0 to 3, got 4"),
        ("lcs_length", {"x": [0], "y": [0.5]}, r"y must hold integers from 0 to 3, got 0\.5"),
        ("task_scheduling", {"d": [1, 0], "w": [1, 1]}, r"d must hold integers of at least 1, got 0"),
        ("task_scheduling", {"d": [1.5], "w": [1]}, r"d must hold integers of at least 1, got 1\.5"),
        ("task_scheduling", {"d": [1e30], "w": [1]}, r"d must hold integers .*got 1e\+30"),
        ("task_scheduling", {"d": [1, 2], "w": [1]}, r"must have one length, got \{'d': 2, 'w': 1\}"),
        ("segments_intersect", {"xs": [0, 1, 2], "ys": [0, 1, 2]}, r"four coordinates each.*got 3 and 3"),
    ],
)
def test_bad_arguments(name, arguments, message):
    with pytest.raises(ValueError, match=f"^{name}: .*{message}"):
        nar.run_algorithm(name, **arguments)


def test_too_many_arguments():
    with pytest.raises(ValueError, match=r"bfs: expected the arguments A, s, got 3 values"):
        nar.run_algorithm("bfs", GRAPH, 0, 1)
    with pytest.raises(ValueError, match=r"bfs: argument 'A' is given twice"):
        nar.run_algorithm("bfs", GRAPH, A=GRAPH)


def test_a_long_wrong_value_is_not_printed_in_full():
    with pytest.raises(ValueError, match="real numbers") as caught:
        nar.run_algorithm("minimum", ["x"] * 10_000)
    assert len(str(caught.value)) < 200


def test_negative_cycles():
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
def test_a_cycle_of_no_weight_ends(weights):
    """Rounded sums may make it slightly negative: then it must be refused, for its search would not end."""
    A = np.zeros((3, 3))
    A[0, 1], A[1, 2], A[2, 0] = weights
    for source in range(3):
        try:
            length = nar.run_algorithm("bellman_ford", A, source).length
        except ValueError as error:
            assert "negative weight" in str(error)  # noqa: PT017
        else:
            assert length <= 3 + 1
