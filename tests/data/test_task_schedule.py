"""Whose turn it is: shares by weight, no streaks, changes that a resumed run makes again."""

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
def test_shares_are_those_of_the_weights_in_each_period_and_never_far_off(weights):
    task_schedule, total = TaskSchedule(weights), sum(weights)
    numbers = [0] * len(weights)
    for step in range(3 * total):
        task, number = task_schedule(step)
        assert number == numbers[task]
        numbers[task] += 1
        for index, weight in enumerate(weights):
            assert abs(numbers[index] - (step + 1) * weight / total) < len(weights)
    assert numbers == [3 * weight for weight in weights]


def test_no_task_has_a_streak():
    assert tasks_of(TaskSchedule([5, 1, 1]), range(7)) == [0, 0, 1, 0, 2, 0, 0]


@given(
    changes=st.lists(st.tuples(st.integers(0, 9), WEIGHTS), max_size=4),
    ahead=st.lists(st.integers(0, 60), max_size=5),
)
def test_changes_go_on_counting_and_are_saved_in_the_state_dict(changes, ahead):
    assume(all(any([*weights, 1, 1, 1][:3]) for _, weights in changes))
    task_schedule, step, numbers = TaskSchedule([1, 1, 1]), 0, [0, 0, 0]

    def take(task_schedule, steps):
        for step in steps:
            task, number = task_schedule(step)
            assert number == numbers[task]
            numbers[task] += 1

    for wait, weights in changes:
        for later in ahead:
            task_schedule(step + later)  # what is asked ahead changes nothing
        take(task_schedule, range(step, step + wait))
        step += wait
        last = task_schedule(step - 1) if step else None
        task_schedule.set_weights(step, [*weights, 1, 1, 1][:3])
        assert step == 0 or task_schedule(step - 1) == last
    resumed = TaskSchedule([1, 1, 1])
    resumed.load_state_dict(json.loads(json.dumps(task_schedule.state_dict())))
    later = range(step, step + 40)
    assert [resumed(step) for step in later] == [task_schedule(step) for step in later]
    take(resumed, later)


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
def test_bad_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        TaskSchedule(weights)
    task_schedule = TaskSchedule([1] * len(weights))
    with pytest.raises(ValueError, match=message):
        task_schedule.set_weights(0, weights)


def test_all_tasks_need_a_weight():
    with pytest.raises(ValueError, match="expected 2 sampling weights, got 1"):
        TaskSchedule([1, 1]).set_weights(0, [1])


def test_batches_made_before_a_change_are_made_anew():
    def stream():
        return TrainingStream([Task(ALGORITHMS[name], (4,)) for name in ("bfs", "minimum")], 2, seed=0)

    ahead, names = stream(), []
    for step, batch in enumerate(prefetch(ahead, 0, 12, depth=4)):
        task = ahead.task(step)
        names.append(task.name)
        assert set(batch.outputs) == {probe.name for probe in task.spec.outputs}
        if step == 3:
            ahead.task_schedule.set_weights(4, [0, 1])
        if step == 7:
            ahead.task_schedule.set_weights(8, [1, 0])
    assert names == ["bfs", "minimum"] * 2 + ["minimum"] * 4 + ["bfs"] * 4
    assert [ahead.task_schedule(step).task_step for step in range(8, 12)] == [2, 3, 4, 5]
