"""Task schedule: shares by weight, no streaks, weight changes that survive a restart."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nar import ALGORITHMS
from nar.data import Task, TaskSchedule, TrainingStream, prefetch

WEIGHTS = st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any)


def tasks_of(task_schedule, steps):
    return [task_schedule(step).task for step in steps]


@given(weight=st.floats(0.1, 10), count=st.integers(1, 5))
def test_equal_weights_are_round_robin(weight, count):
    task_schedule = TaskSchedule([weight] * count)
    assert tasks_of(task_schedule, range(12)) == [step % count for step in range(12)]
    assert [task_schedule(step).task_step for step in range(12)] == [step // count for step in range(12)]


@given(weights=WEIGHTS)
def test_steps_per_task_are_proportional_to_the_weights(weights):
    task_schedule, total = TaskSchedule(weights), sum(weights)
    counts = [0] * len(weights)
    for step in range(3 * total):
        task, task_step = task_schedule(step)
        assert task_step == counts[task]
        counts[task] += 1
        for index, weight in enumerate(weights):
            assert abs(counts[index] - (step + 1) * weight / total) < len(weights)
    assert counts == [3 * weight for weight in weights]


def test_no_task_has_a_streak():
    assert tasks_of(TaskSchedule([5, 1, 1]), range(7)) == [0, 0, 1, 0, 2, 0, 0]


@given(
    changes=st.lists(st.tuples(st.integers(0, 9), WEIGHTS), max_size=4),
    lookahead=st.lists(st.integers(0, 60), max_size=5),
)
def test_weight_changes_keep_the_counts_and_are_saved_in_the_state_dict(changes, lookahead):
    assume(all(any([*weights, 1, 1, 1][:3]) for _, weights in changes))
    task_schedule, step, counts = TaskSchedule([1, 1, 1]), 0, [0, 0, 0]

    def check_counts(task_schedule, steps):
        for step in steps:
            task, task_step = task_schedule(step)
            assert task_step == counts[task]
            counts[task] += 1

    for wait, weights in changes:
        for later in lookahead:
            task_schedule(step + later)  # looking ahead changes nothing
        check_counts(task_schedule, range(step, step + wait))
        step += wait
        last = task_schedule(step - 1) if step else None
        task_schedule.set_weights(step, [*weights, 1, 1, 1][:3])
        assert step == 0 or task_schedule(step - 1) == last
    resumed = TaskSchedule([1, 1, 1])
    resumed.load_state_dict(json.loads(json.dumps(task_schedule.state_dict())))
    assert resumed.state_dict() == task_schedule.state_dict()  # a run may be resumed twice
    later = range(step, step + 40)
    assert [resumed(step) for step in later] == [task_schedule(step) for step in later]
    check_counts(resumed, later)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -1], "a sampling weight must be a number of at least 0, got -1"),
        ([float("nan")], "got nan"),
        ([float("inf")], "got inf"),
        ([True, 1], "got True"),
        (["1"], "got '1'"),
        ([0, 0.0], "at least one sampling weight must be positive"),
    ],
)
def test_invalid_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        TaskSchedule(weights)
    task_schedule = TaskSchedule([1] * len(weights))
    with pytest.raises(ValueError, match=message):
        task_schedule.set_weights(0, weights)


def test_number_of_weights_must_match_the_tasks():
    with pytest.raises(ValueError, match="expected 2 sampling weights, got 1"):
        TaskSchedule([1, 1]).set_weights(0, [1])


def test_prefetched_batches_are_regenerated_after_a_weight_change():
    def stream():
        return TrainingStream([Task(ALGORITHMS[name], (4,)) for name in ("bfs", "minimum")], 2, seed=0)

    prefetched, names = stream(), []
    for step, batch in enumerate(prefetch(prefetched, 0, 12, depth=4)):
        task = prefetched.task(step)
        names.append(task.name)
        assert set(batch.outputs) == {probe.name for probe in task.spec.outputs}
        if step == 3:
            prefetched.task_schedule.set_weights(4, [0, 1])
        if step == 7:
            prefetched.task_schedule.set_weights(8, [1, 0])
    assert names == ["bfs", "minimum"] * 2 + ["minimum"] * 4 + ["bfs"] * 4
    assert [prefetched.task_schedule(step).task_step for step in range(8, 12)] == [2, 3, 4, 5]
