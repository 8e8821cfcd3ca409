"""Mixtures of training problems: shares, curriculum, and batches that depend on the step alone."""

import collections

import jax
import numpy as np
import pytest

from nar.data import Task, TaskSchedule, TrainingStream
from nar.data.mixture import Component, Mixture, Stage
from nar.plugins import UnknownNameError
from nar.runs.components.graph import build_graph_run
from nar.runs.config import RunConfig

MIXTURE = {
    "small": {"sizes": (4, 5), "weight": 2},
    "grids": {"sizes": (6, 9), "problem": {"family": "grid"}},
}


def components(*weights):
    return [Component((4, 5), {}, str(number)) for number in range(len(weights))]


def make(*stages):
    return Mixture(components(*stages[0][1]), [Stage(*stage) for stage in stages])


def test_steps_are_divided_by_weight_and_each_component_cycles_through_its_sizes():
    mixture = make((0, (1.0, 3.0)))
    scheduled = [mixture(step) for step in range(40)]
    assert collections.Counter(one.task for one in scheduled) == {0: 10, 1: 30}
    for index in (0, 1):
        assert [one.task_step for one in scheduled if one.task == index] == list(range(10 + 20 * index))


def test_equal_components_with_an_even_number_of_sizes_have_all_of_them():
    mixture = make((0, (1.0, 1.0)))
    sizes = {(index, mixture.components[index].size(step)) for index, step in map(mixture, range(8))}
    assert sizes == {(0, 4), (0, 5), (1, 4), (1, 5)}


def test_stages_change_weights_and_continue_counts():
    mixture = make((0, (1.0, 0.0)), (6, (1.0, 1.0)), (10, (0.0, 1.0)))
    backwards = {step: mixture(step) for step in reversed(range(20))}
    indices = [backwards[step].task for step in range(20)]
    assert indices[:6] == [0] * 6 and sorted(indices[6:10]) == [0, 0, 1, 1] and indices[10:] == [1] * 10
    for index in (0, 1):
        steps = [one.task_step for one in map(mixture, range(20)) if one.task == index]
        assert steps == list(range(len(steps)))


@pytest.mark.parametrize(
    "stages", [[(1, (1.0,))], [(0, (1.0,)), (5, (1.0,)), (4, (1.0,))], [(0, (0.0,))], [(0, (-1.0,))]]
)
def test_invalid_stages_raise(stages):
    with pytest.raises(ValueError, match=r"stages must start|sampling weight"):
        make(*stages)


def stream_of(**changes):
    config = {"data": {"mixture": MIXTURE}, "training": {"batch_size": 4}, "model": {"processor": "mpnn"}}
    for section, values in changes.items():
        config[section] = {**config.get(section, {}), **values} if isinstance(values, dict) else values
    return build_graph_run(config).stream


def bytes_of(batch):
    return [leaf.tobytes() for leaf in jax.tree.leaves(batch)]


def test_batches_are_of_their_component():
    stream = stream_of()
    batches = [stream.batch(step) for step in range(12)]
    sizes = collections.Counter(batch.inputs["pos"].shape[1] for batch in batches)
    assert sizes == {4: 4, 5: 4, 6: 2, 9: 2}
    for batch in batches:
        if batch.inputs["pos"].shape[1] == 9:
            degrees = (batch.inputs["A"] > 0).sum(axis=(1, 2))
            np.testing.assert_array_equal(degrees, 24)  # a 3 x 3 grid has 12 edges


@pytest.mark.parametrize("chunk_length", [0, 3])
def test_a_batch_depends_on_the_config_and_the_step_alone(chunk_length):
    changes = {"data": {"mixture": MIXTURE, "curriculum": ((8, {"grids": 1}),)}}
    changes |= {"training": {"batch_size": 4, "chunk_length": chunk_length, "num_seeds": 2}}
    changes |= {"algorithms": ("bfs", "minimum")}
    whole, resumed = (stream_of(**changes) for _ in range(2))
    expected = [bytes_of(whole.batch(step)) for step in range(24)]
    for step in (23, 9, 17, 3):
        assert bytes_of(resumed.batch(step)) == expected[step]
    assert len({tuple(one) for one in expected}) == 24


def test_processes_have_shares_of_one_batch():
    task = build_graph_run({"data": {"mixture": MIXTURE}, "algorithms": ("bfs",)}).tasks[0]
    whole = TrainingStream([task], 4, 0)
    shares = [TrainingStream([task], 4, 0, process, 2) for process in range(2)]
    for step in range(6):
        parts = [share.batch(step).inputs["A"] for share in shares]
        np.testing.assert_array_equal(np.concatenate(parts), whole.batch(step).inputs["A"])


def test_steps_of_the_curriculum_are_steps_of_training():
    """With two tasks, each has taken half of the steps when the second stage starts."""
    mixture = {"small": {"sizes": (4,)}, "large": {"sizes": (8,), "weight": 0}}
    data = {"mixture": mixture, "curriculum": ((10, {"large": 1}),)}
    stream = stream_of(data=data, algorithms=("bfs", "dfs"))
    sizes = [stream.batch(step).inputs["pos"].shape[1] for step in range(14)]
    assert sizes == [4] * 10 + [8] * 4


def test_chunked_streams_of_components_have_different_traces_and_their_own_carries():
    mixture = {"a": {"sizes": (5,)}, "b": {"sizes": (5,)}}
    stream = stream_of(data={"mixture": mixture}, training={"chunk_length": 2, "batch_size": 4})
    assert {stream.stream_key(step) for step in range(4)} == {"bfs/a/5", "bfs/b/5"}
    assert set(stream.chunk_examples()) == {"bfs/a/5", "bfs/b/5"}
    assert bytes_of(stream.batch(0).inputs["A"]) != bytes_of(stream.batch(1).inputs["A"])


def test_components_inherit_what_they_do_not_have():
    data = {"problem": {"p": 0.25}, "sizes": (7,), "mixture": {"a": {}, "b": {"problem": {"directed": True}}}}
    first, second = build_graph_run({"data": data}).tasks[0].components
    assert first.sizes == second.sizes == (7,)
    assert first.problem_options == {"p": 0.25, "family": "clrs30"}
    assert second.problem_options == {**first.problem_options, "directed": True}


def test_without_a_mixture_there_is_one_component():
    (task,) = build_graph_run(RunConfig()).tasks
    assert isinstance(task, Task) and len(task.components) == 1
    assert [task.size(step) for step in range(6)] == [4, 7, 11, 13, 16, 4]
    assert task.stream_key(1) == "bfs/7" and task.stream_step(6) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"curriculum": ((5, {"a": 1}),)}, "data.curriculum needs components: give data.mixture"),
        (
            {"mixture": {"a": {"size": (4,)}}},
            "data.mixture.a: unknown key 'size'; known: weight, sizes, problem",
        ),
        ({"mixture": {"a": {"sizes": 4}}}, "data.mixture.a.sizes must be a list of sizes, got 4"),
        ({"mixture": {"a": {"sizes": ()}}}, "bfs, component a: at least one size is needed"),
        ({"mixture": {"a": {"sizes": (0,)}}}, "bfs, component a: size must be an integer from 1"),
        ({"mixture": {"a": 3}}, "data.mixture.a must be a dictionary, got 3"),
        ({"mixture": {"a/b": {}}}, "data.mixture.a/b: the name of a component"),
        (
            {"mixture": {"a": {"weight": -1}}},
            "data.mixture: a sampling weight must be a number of at least 0",
        ),
        ({"mixture": {"a": {"weight": 0}}}, "data.mixture: at least one sampling weight must be positive"),
        (
            {"mixture": {"a": {"problem": {"low": 1}}}},
            "data.mixture.a.problem.low: none of bfs has this option",
        ),
        ({"mixture": {"a": {"problem": {"family": "star"}}}}, "bfs, component a: family must be one of"),
        ({"mixture": {"a": {}, "b": {"weight": 0}}}, "data.mixture.b has weight 0 at every step"),
        ({"mixture": {"a": {}}, "curriculum": ((0, {"a": 1}),)}, "pairs of a step, at least 1"),
        (
            {"mixture": {"a": {}}, "curriculum": ((5, {"c": 1}),)},
            "data.curriculum: unknown component 'c'; known: a",
        ),
        ({"mixture": {"a": {}}, "curriculum": ((5, {"a": 0}),)}, "data.curriculum, step 5: at least one"),
        ({"mixture": {"a": {}}, "curriculum": ((5, {"a": 1}), (5, {"a": 1}))}, "step 5 comes after step 5"),
        ({"mixture": {"a": {}}, "curriculum": (5, {"a": 1})}, "data.curriculum must have pairs of a step"),
    ],
)
def test_invalid_mixtures_raise(data, message):
    with pytest.raises((ValueError, UnknownNameError), match=message):
        build_graph_run({"data": data})


def same_weights(scores, step):
    return dict.fromkeys(scores, 1.0)


def test_conflicts_raise():
    mixture = {"mixture": {"a": {"sizes": (4,)}}}
    with pytest.raises(ValueError, match=r"tasks.bfs.sizes and data.mixture.a.sizes cannot both be given"):
        build_graph_run({"data": mixture, "tasks": {"bfs": {"sizes": (5,)}}})
    curriculum = {**mixture, "curriculum": ((5, {"a": 1}),)}
    weighting = {"task_sampling": f"{__name__}:same_weights"}
    with pytest.raises(ValueError, match="data.curriculum changes weights at steps"):
        build_graph_run({"algorithms": ("bfs", "dfs"), "data": curriculum, "training": weighting})


def test_schedule_continues_from_any_state():
    """`Mixture` relies on a schedule that starts with given counts."""
    schedule = TaskSchedule([1.0, 2.0])
    schedule.load_state_dict({"step": 7, "steps_per_task": [3, 4], "weights": [1.0, 2.0]})
    assert sorted(schedule(step) for step in range(7, 10)) == [(0, 3), (1, 4), (1, 5)]
