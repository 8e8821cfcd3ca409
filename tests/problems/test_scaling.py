"""Scaling of numbers into the range of training: the answers of all algorithms stay as they are."""

import dataclasses

import numpy as np
import pytest

import nar
from nar import ALGORITHMS
from nar.data.task import Task
from nar.problems.scaling import Scaling, find_change, out_of_range, unscale
from nar.traces.recorder.record import collect

SCALED = [name for name, one in ALGORITHMS.items() if one.scaling is not None]
UNSCALED = {
    "articulation_points", "bfs", "bipartite_matching", "bridges", "dfs", "discrete_dfs", "eccentricity",
    "kmp_matcher", "lcs_length", "link_cut_trees", "naive_string_matcher", "strongly_connected_components",
    "topological_sort",
}  # fmt: skip
UNITS = [(1000.0, 0.0), (3e-7, 0.0), (1e9, 0.0), (7.3, 1e3), (1 / 3, -5e6)]
"""(factor, shift) from the numbers of training to those of a user."""


def named(algorithm, arguments):
    return dict(zip(algorithm.problem.arguments, arguments, strict=True))


def in_units(algorithm, arguments, factor, shift, digits):
    """A problem in other units; numbers of graphs and of sums are never shifted."""
    shift = 0.0 if algorithm.scaling.invariance == "factor" else shift
    changed = named(algorithm, arguments)
    for name in algorithm.scaling.arguments:
        changed[name] = (
            np.round(changed[name] * factor, digits) + shift if digits else changed[name] * factor + shift
        )
    return changed


def run(algorithm, arguments):
    trace = collect(algorithm, [tuple(arguments.values())], compiled=False).trace(0)
    values = {**trace.hints, **trace.outputs}
    return {name: value for name, value in values.items() if not algorithm.spec[name].stage.is_given}


def test_all_other_algorithms_have_no_numbers_to_scale():
    assert set(ALGORITHMS) - set(SCALED) == UNSCALED


@pytest.mark.parametrize("name", SCALED)
def test_answers_are_the_same_before_and_after(name):
    algorithm = ALGORITHMS[name]
    ranges = Task(algorithm, (8,)).input_ranges(8)
    num_changed = 0
    for seed, (factor, shift) in enumerate(UNITS):
        arguments = algorithm.problem.sample(np.random.RandomState(seed), 8)
        before = in_units(algorithm, arguments, factor, shift, digits=seed % 2 * 2)
        change = find_change(algorithm.scaling, before, ranges)
        if change is None:
            assert algorithm.scaling.invariance == "motion" or not out_of_range(before, ranges)
            continue
        num_changed += 1
        after = before | {key: change.apply(key, before[key]) for key in change.shifts}
        assert out_of_range(after, {key: ranges[key] for key in change.shifts}) == []
        expected, found = run(algorithm, before), run(algorithm, after)
        for key, value in unscale(algorithm.scaling, change, found).items():
            np.testing.assert_array_equal(value, expected[key], err_msg=f"{key}, {factor}, {shift}")
        assert find_change(algorithm.scaling, after, ranges) is None
    assert num_changed >= 3


@pytest.mark.parametrize("name", SCALED)
def test_problems_like_those_of_training_are_left_alone(name):
    algorithm = ALGORITHMS[name]
    size = 16
    ranges = Task(algorithm, (4, size)).input_ranges(size)
    for seed in range(20):
        arguments = named(algorithm, algorithm.problem.sample(np.random.RandomState(seed), size))
        assert out_of_range(arguments, ranges) == []
        change = find_change(algorithm.scaling, arguments, ranges)
        assert change is None or name == "segments_intersect"  # four points may be close together


@pytest.mark.parametrize(
    "keys",
    [
        [5.0, 5.0 + 1e-15, 5.0],
        [0.0, 1e-300, 1e10],
        [-1e100, 1e-100, 1e100],
        [2.0**53, 2.0**53 - 1, 0.0],
        [1e-320, 2e-320, 7.0],
        [3.0, 3.0],
        [7.0],
        [-0.0, 0.0, 9.0],
    ],
)
@pytest.mark.parametrize(
    "name", ["insertion_sort", "minimum", "find_maximum_subarray_kadane", "matrix_chain_order"]
)
def test_numbers_of_very_different_magnitudes_never_become_equal(name, keys):
    algorithm = ALGORITHMS[name]
    before = {algorithm.problem.arguments[0]: np.abs(keys) if name.startswith("matrix") else np.array(keys)}
    change = find_change(algorithm.scaling, before, Task(algorithm, (8,)).input_ranges(8))
    if change is not None:
        after = {key: change.apply(key, value) for key, value in before.items()}
        expected, found = run(algorithm, before), unscale(algorithm.scaling, change, run(algorithm, after))
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value)


def test_ranges_are_those_of_the_options():
    def ranges(name, size=8, **options):
        return Task(ALGORITHMS[name], (8,), options).input_ranges(size)

    assert ranges("insertion_sort", low=-3.0, high=2.0) == {"A": (-3.0, 2.0)}
    assert ranges("dijkstra", high=10.0)["A"] == pytest.approx((0, 10), abs=1e-4)
    assert ranges("dijkstra", weighted=False) == {"A": (1.0, 1.0)}
    assert ranges("dag_shortest_paths") == {"A": (0.0, 1.0)}
    assert ranges("task_scheduling", 64) == {"d": (1, 64), "w": (0.0, 1.0)}
    assert ranges("task_scheduling", 64, max_deadline=5)["d"] == (1, 5)
    assert ranges("jarvis_march", radius=3.0, origin_x=1.0) == {"xs": (-2.0, 4.0), "ys": (-3.0, 3.0)}
    assert ranges("lcs_length", chars=2) == {"x": (0, 1), "y": (0, 1)}
    assert ranges("bfs") == {}
    assert ranges("optimal_bst") == {"p": (0.0, 1.0), "q": (0.0, 1.0)}
    assert ranges("disjoint_set_union") == {"priority": (0.0, 1.0)}


def test_declarations_are_checked():
    with pytest.raises(ValueError, match="invariance must be one of order, factor, motion, got 'units'"):
        Scaling(("A",), "units")
    with pytest.raises(
        ValueError, match="degrees must name the scalar hints, answers and outputs, .'d'., got ..$"
    ):
        dataclasses.replace(ALGORITHMS["dijkstra"], scaling=Scaling(("A",)))
    with pytest.raises(ValueError, match="scaling: unknown argument 'B'"):
        dataclasses.replace(ALGORITHMS["minimum"], scaling=Scaling(("B",), "order"))


@pytest.mark.parametrize("name", [name for name, one in ALGORITHMS.items() if not one.problem.uses_weights])
def test_weights_that_do_not_matter_reach_no_network(name):
    """Signed, huge and mixed weights: the trace is that of the graph without weights."""
    random = np.random.default_rng(0)
    algorithm = ALGORITHMS[name]
    for _ in range(3):
        arguments = named(algorithm, algorithm.problem.sample(np.random.RandomState(random.integers(99)), 7))
        weights = random.choice([-2.5, 17.0, 1e30, -1e-30, 3.0], (7, 7))
        weights = weights if algorithm.problem.directed else np.triu(weights) + np.triu(weights, 1).T
        matrix = arguments.pop("A")
        rest = {key: value if np.ndim(value) else int(value) for key, value in arguments.items()}
        edges = [(u, v, weights[u, v]) for u, v in np.argwhere(matrix).tolist()]
        expected = algorithm.problem.bind(matrix=matrix, **rest)
        for given in ({"matrix": matrix * weights}, {"edges": edges, "num_nodes": 7}):
            for one, other in zip(algorithm.problem.bind(**given, **rest), expected, strict=True):
                np.testing.assert_array_equal(one, other)
        assert nar.run_algorithm(name, matrix=matrix * weights, **rest).inputs["A"].max() <= 1


def test_graphs_without_edges_are_left_alone_in_both_forms():
    problem, scaling = ALGORITHMS["dijkstra"].problem, ALGORITHMS["dijkstra"].scaling
    for read in (problem.read, problem.read_edges):
        arguments = dict(zip(problem.arguments, read(edges=[], num_nodes=3, s=0).arguments, strict=True))
        assert find_change(scaling, arguments, {"A": (0.0, 1.0)}) is None
        assert not out_of_range(arguments, {"A": (0.0, 1.0)})


def test_weights_of_edges_are_scaled_as_those_of_a_matrix():
    problem, scaling = ALGORITHMS["dijkstra"].problem, ALGORITHMS["dijkstra"].scaling
    changed = []
    for read in (problem.read, problem.read_edges):
        A, _ = read(edges=[(0, 1, 700.0), (1, 2, 40.0)], s=0).arguments
        change = find_change(scaling, {"A": A, "s": 0}, {"A": (0.0, 1.0)})
        changed.append(change.apply("A", A))
        assert out_of_range({"A": A}, {"A": (0.0, 1.0)})
    np.testing.assert_array_equal(changed[1].matrix(), changed[0])
