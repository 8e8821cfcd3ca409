"""Contrastive objective: problems of the same execution, and the loss against a plain loop."""

import types

import numpy as np
import pytest

import nar
from nar.data import Task, Transforms
from nar.losses import views_of
from nar.losses.contrastive import contrast, contrastive, same_order
from nar.traces import sample_traces

BY_ORDER = [
    name
    for name, one in nar.ALGORITHMS.items()
    if one.scaling and one.scaling.invariance == "order" and not one.spec.streams
]
"""Algorithms of which only the order of numbers matters, and whose arguments are their inputs."""


def view_of(name, size, count, seed=0):
    """Traces, and their view."""
    task = Task(nar.ALGORITHMS[name], (size,), transforms=Transforms(False, False, False))
    traces = sample_traces(name, size, count, seed)
    return task, traces, same_order(task, traces, [np.random.default_rng([seed, i]) for i in range(count)])


def run(algorithm, view, row):
    probes = {argument: probe for probe, argument in algorithm.problem.aliases}
    arguments = {name: view.inputs[probes.get(name, name)][row] for name in algorithm.problem.arguments}
    return nar.run_algorithm(algorithm.name, **arguments)


def check_same_execution(name, size, count):
    task, traces, view = view_of(name, size, count)
    ranges = task.input_ranges(size)
    low, high = zip(*(ranges[name] for name in task.algorithm.scaling.arguments), strict=True)
    changed = [key for key in traces.inputs if not np.array_equal(traces.inputs[key], view.inputs[key])]
    assert changed
    for key in changed:
        assert view.inputs[key].min() >= max(low) and view.inputs[key].max() <= min(high)
        assert (view.inputs[key] != traces.inputs[key]).any(axis=tuple(range(1, view.inputs[key].ndim))).all()
    for row in range(count):
        trace, expected = run(task.algorithm, view, row), view.trace(row)
        for mine, theirs in ((trace.hints, expected.hints), (trace.outputs, expected.outputs)):
            assert mine.keys() == theirs.keys()
            for key, value in mine.items():
                np.testing.assert_array_equal(value, theirs[key][: len(value)] if value.ndim else theirs[key])
        assert trace.length == expected.length


@pytest.mark.parametrize("name", BY_ORDER)
def test_algorithms_do_the_same_on_the_view(name):
    check_same_execution(name, 6, 5)


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_ORDER)
@pytest.mark.parametrize("size", [4, 16])
def test_algorithms_do_the_same_on_the_views_of_many_problems(name, size):
    check_same_execution(name, size, 300)


def test_equal_numbers_stay_equal():
    task, traces, _ = view_of("insertion_sort", 6, 2)
    traces.inputs["key"][:] = np.array([[0.5, 0.1, 0.5, 0.9, 0.1, 0.2], [0.0] * 6])
    view = same_order(task, traces, [np.random.default_rng(i) for i in range(2)])
    first, second = view.inputs["key"]
    assert first[0] == first[2] > first[5] > first[1] == first[4] and first[3] > first[0]
    assert len(set(second)) == 1


@pytest.mark.parametrize("name", ["bfs", "dijkstra", "graham_scan"])
def test_algorithms_that_do_more_than_compare_are_rejected(name):
    with pytest.raises(ValueError, match=f"only the order of numbers matters .* not for {name}"):
        view_of(name, 6, 2)


@pytest.mark.parametrize("num_nodes", [None, [3, 4]])
def test_loss_equals_a_plain_loop(num_nodes):
    steps, batch_size, nodes, size = [2, 3], 2, 4, 5
    random = np.random.default_rng(0)
    first, second = random.standard_normal((2, 3, batch_size, nodes, size)).astype("f")
    total, count = 0.0, 0
    for row in range(batch_size):
        real = nodes if num_nodes is None else num_nodes[row]
        for step in range(steps[row]):
            for i in range(real):
                logits = [first[step, row, i] @ second[step, row, j] / size**0.5 for j in range(real)]
                total += np.log(np.exp(logits).sum()) - logits[i]
                count += 1
    predictions = types.SimpleNamespace(steps=np.array(steps))
    term = contrast(first, second, predictions, None if num_nodes is None else np.array(num_nodes))
    assert term.count == count and float(term.sum) == pytest.approx(total, rel=1e-5)


def test_equal_states_far_from_others_have_a_small_loss():
    states = np.broadcast_to(20 * np.eye(4, dtype="f"), (2, 3, 4, 4))
    predictions = types.SimpleNamespace(steps=np.full(3, 2))
    assert float(contrast(states, states, predictions, None).mean) < 1e-6
    others = np.roll(states, 1, axis=2)
    assert float(contrast(states, others, predictions, None).mean) > 10


def test_the_objective_requests_the_view():
    assert views_of(contrastive) == {"same_order": same_order}
