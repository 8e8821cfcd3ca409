"""Augmentations: the algorithm, run on both inputs, has the same hints on the shared nodes."""

import dataclasses

import numpy as np
import pytest

import nar
from nar.data import Task, TrainingStream, Transforms
from nar.data.augmentation import (
    AUGMENTATIONS,
    SHARED_NODES,
    SHARED_STEPS,
    AugmentedProblem,
    AugmentedView,
    find_augmentation,
)
from nar.data.augmentation.orders import random_ranks
from nar.data.augmentation.sorting import compared_pairs
from nar.model.encoders import connected
from nar.specs import Kind, Location
from nar.traces import collect

NEW_NODES = 3
WITHOUT_NEW_NODES = ("bubble_sort", "heapsort", "quicksort")
DIRECTED = {"bfs", "dijkstra", "bellman_ford", "floyd_warshall"}


def restricted(probe, values, nodes, num_nodes):
    """Hints [T, ...] of an augmented problem on the nodes of the original one."""
    if probe.location is not Location.GRAPH:
        values = values[:, nodes]
    if probe.location is Location.EDGE:
        values = values[:, :, nodes]
    if probe.kind.is_pointer:
        position = np.full(num_nodes, -1)
        position[nodes] = np.arange(len(nodes))
        values = position[values]
    return values


def check_same_steps(name, trace, problem, augmented):
    """All hints up to those after the step are equal on shared nodes."""
    algorithm, stop = nar.ALGORITHMS[name], problem.step + 2
    assert trace.length >= stop and augmented.length >= stop
    num_nodes = augmented.inputs["pos"].shape[0]
    assert (np.diff(problem.nodes) > 0).all() and problem.nodes[-1] < num_nodes
    for probe in algorithm.spec.hints:
        expected = trace.hints[probe.name][:stop]
        found = restricted(probe, augmented.hints[probe.name][:stop], problem.nodes, num_nodes)
        np.testing.assert_array_equal(found, expected, err_msg=f"{name} {probe.name} {problem}")


def traces_of(name, size, count, seed, compiled, **options):
    algorithm, random = nar.ALGORITHMS[name], np.random.RandomState(seed)
    options = algorithm.problem.resolve_options(size, options)
    arguments = [algorithm.problem.sample(random, size, **options) for _ in range(count)]
    traces = collect(algorithm, arguments, compiled=compiled)
    return [traces.trace(row) for row in range(count) if traces.lengths[row] > 1]


def augmentations_of(name, rows, seed, compiled, num_new=NEW_NODES):
    """Augmented problems, each checked by the problem itself, and their traces."""
    random, augment, algorithm = np.random.default_rng(seed), AUGMENTATIONS[name], nar.ALGORITHMS[name]
    problems = [augment(row, int(random.integers(row.length - 1)), num_new, random) for row in rows]
    arguments = [algorithm.problem.bind(*one.arguments) for one in problems]
    augmented = collect(algorithm, arguments, compiled=compiled)
    return problems, [augmented.trace(row) for row in range(len(rows))]


def check(name, size, count, seed, compiled=True, **options):
    num_changed = num_shared = 0
    rows = traces_of(name, size, count, seed, compiled, **options)
    for trace, problem, augmented in zip(rows, *augmentations_of(name, rows, seed, compiled), strict=True):
        if problem.step < 0:
            continue
        check_same_steps(name, trace, problem, augmented)
        num_shared += 1
        size_before, size_after = trace.inputs["pos"].shape[0], augmented.inputs["pos"].shape[0]
        assert size_after == size_before + (0 if name in WITHOUT_NEW_NODES else NEW_NODES)
        key = "key" if "key" in trace.inputs else "A"
        nodes = np.ix_(*[problem.nodes] * trace.inputs[key].ndim)
        num_changed += not np.array_equal(augmented.inputs[key][nodes], trace.inputs[key])
    assert num_shared > 0.7 * len(rows) > 0.1 * count  # small graphs may have no edges
    keeps = {"bridges", "strongly_connected_components", "floyd_warshall"}
    assert (num_changed == 0) if name in keeps else (num_changed > 0.3 * num_shared)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_next_step_is_the_same(name):
    check(name, 8, 16, 0, compiled=False)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "count"), [(4, 400), (7, 150), (12, 30)])
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_next_step_is_the_same_in_thousands_of_problems(name, size, count):
    check(name, size, count, size)
    if name in DIRECTED:
        check(name, size, count // 2, size + 1, directed=True)


@pytest.mark.parametrize(
    "size", [2, pytest.param(1, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_smallest_problems(name, size):
    rows = traces_of(name, size, 8, 5, compiled=False)
    for num_new in (0, 2) if rows else ():
        problems, augmented = augmentations_of(name, rows, 6, False, num_new)
        for trace, problem, other in zip(rows, problems, augmented, strict=True):
            assert -1 <= problem.step <= trace.length - 2
            if problem.step >= 0:
                check_same_steps(name, trace, problem, other)


def test_keys_are_changed_but_no_comparison_is():
    keys = np.array([0.3, 0.1, 0.2, 0.9])
    compared = compared_pairs("insertion_sort", keys, 2)
    assert compared[0, 1] and compared.sum() == 2
    compared = compared_pairs("insertion_sort", keys, 4)
    assert compared[2, 3] or compared[0, 3]


def test_random_ranks_extend_the_order():
    random = np.random.default_rng(0)
    before = np.triu(random.random((9, 9)) < 0.2, 1)
    found = {tuple(random_ranks(before, random)) for _ in range(50)}
    assert len(found) > 25
    for ranks in found:
        assert sorted(ranks) == list(range(9))
        assert all(ranks[i] < ranks[j] for i, j in zip(*np.nonzero(before), strict=True))


def test_equal_keys_stay_equal():
    trace = run("heapsort", np.array([0.5, 0.2, 0.5, 0.2]))
    problem = AUGMENTATIONS["heapsort"](trace, 3, 2, np.random.default_rng(0))
    (keys,) = problem.arguments
    assert keys[0] == keys[2] > keys[1] == keys[3]
    check_same_steps("heapsort", trace, problem, run("heapsort", keys))


def run(name, *arguments):
    return collect(nar.ALGORITHMS[name], [arguments], compiled=False).trace(0)


# ---------------------------------------------------------------------------------------------------
# Views


def rows_of(name, sizes=(7,), transforms=None, view=None, seed=3, first=0):
    task = Task(nar.ALGORITHMS[name], sizes, transforms=transforms or Transforms())
    stream = TrainingStream([task], 6, seed, views={"augmented": view or AugmentedView(NEW_NODES)})
    return task, stream.batch(first)


@pytest.mark.parametrize("name", ["bfs", "insertion_sort", "quicksort"])
def test_view_has_the_same_hints_up_to_its_step(name):
    task, viewed = rows_of(name)
    batch, view = viewed.batch, viewed.views["augmented"]
    steps, nodes = view.inputs[SHARED_STEPS], view.inputs[SHARED_NODES]
    assert (steps >= (batch.lengths > 1)).all() and (steps < batch.lengths).all() and steps.any()
    for row in range(6):
        problem = AugmentedProblem((), nodes[row], int(steps[row]) - 1)
        trace, other = batch.trace(row), view.trace(row)
        num_nodes = len(other.inputs["pos"])
        for probe in task.spec.hints:
            found = restricted(probe, other.hints[probe.name], problem.nodes, num_nodes)[: problem.step + 2]
            np.testing.assert_array_equal(found, trace.hints[probe.name][: problem.step + 2])
        np.testing.assert_array_equal(other.inputs["pos"][nodes[row]], trace.inputs["pos"])
        assert (np.diff(other.inputs["pos"]) > 0).all()
    again = rows_of(name)[1].views["augmented"]
    for name, value in view.inputs.items():
        np.testing.assert_array_equal(again.inputs[name], value)


def test_cut_views_end_with_the_shared_steps():
    whole = rows_of("bfs")[1].views["augmented"]
    cut = rows_of("bfs", view=AugmentedView(NEW_NODES, is_whole=False))[1].views["augmented"]
    np.testing.assert_array_equal(cut.lengths, whole.inputs[SHARED_STEPS] + 1)
    for row in range(6):
        length = cut.lengths[row]
        np.testing.assert_array_equal(cut.hints["pi_h"][:length, row], whole.hints["pi_h"][:length, row])
        assert not cut.hints["pi_h"][length:, row].any()


def test_positions_that_are_not_random_are_those_of_the_larger_problem():
    _, viewed = rows_of("bfs", transforms=Transforms(random_positions=False))
    np.testing.assert_allclose(viewed.views["augmented"].inputs["pos"][0], np.arange(10) / 10)


def test_reversed_pointers_are_those_of_both_problems():
    task, viewed = rows_of("bfs", transforms=Transforms(reversed_pointers=True))
    for traces in (viewed.batch, viewed.views["augmented"]):
        pointers, reverse = traces.hints["pi_h"], traces.hints["pi_h_reversed"]
        step, row, node = np.indices(pointers.shape)
        real = step < traces.lengths[None, :, None]
        assert (reverse[step, row, pointers, node] == real).all()
        assert reverse.sum() == real.sum()
    assert task.spec["pi_h_reversed"].location is Location.EDGE


def changes_the_graph(trace, step, new_nodes, random):
    return AugmentedProblem((1 - trace.inputs["A"], 0), np.arange(len(trace.inputs["A"])), step)


def test_an_augmentation_that_changes_a_step_is_an_error():
    view = AugmentedView(2, {"bfs": "test_augmentation:changes_the_graph"})
    with pytest.raises(ValueError, match=r"the augmentation of bfs at step \d changes hints \d"):
        rows_of("bfs", view=view)


def test_algorithms_without_augmentation_are_errors():
    with pytest.raises(ValueError, match="unknown algorithm with an augmentation 'minimum'; known: .*bfs"):
        rows_of("minimum", view=AugmentedView(2))
    with pytest.raises(ValueError, match="unknown augmentation 'nothing'; known: .*or module:ATTRIBUTE"):
        find_augmentation("minimum", {"minimum": "nothing"})
    assert (
        find_augmentation("minimum", {"minimum": "test_augmentation:changes_the_graph"}) is changes_the_graph
    )


@pytest.mark.parametrize("options", [{"chunk_length": 2}, {"windows": nar.data.Windows(2)}])
def test_chunks_and_windows_are_refused(options):
    task = Task(nar.ALGORITHMS["bfs"], (5,))
    with pytest.raises(ValueError, match="view 'augmented' needs whole traces"):
        TrainingStream([task], 2, 0, views={"augmented": AugmentedView(2)}, **options)


def test_limited_sets_repeat_their_augmentations():
    task = Task(nar.ALGORITHMS["bfs"], (5,))
    view = AugmentedView(2)
    stream = TrainingStream([task], 2, 0, views={"augmented": view}, num_traces=4)
    first, again = stream.batch(0).views["augmented"], stream.batch(2).views["augmented"]
    np.testing.assert_array_equal(first.inputs["A"], again.inputs["A"])
    assert dataclasses.is_dataclass(view)


def test_reversed_pointers_connect_nodes_as_pointers_do():
    spec = Transforms(reversed_pointers=True).spec(nar.ALGORITHMS["dfs"])
    reverse = spec["pi_h_reversed"]
    assert reverse.kind.root is Kind.MASK and "topo_h_reversed" not in spec
    assert {name for name in spec if name.endswith("_reversed")} == {"pi_h_reversed", "s_prev_reversed"}
    pointers = np.eye(3, dtype=np.float32)[[[0, 0, 1]]]
    for soft in (0.4, 1.0):
        values = {"pi_h": soft * pointers, "pi_h_reversed": soft * pointers.swapaxes(1, 2)}
        linked = [connected([spec[name]], values) for name in values]
        np.testing.assert_array_equal(*linked)
    certain = connected([reverse], {"pi_h_reversed": np.full((1, 3, 3), 0.1, np.float32)})
    assert not certain.any()
