"""Whose turn it is: shares by weight, no streaks, changes that a resumed run makes again."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nar import ALGORITHMS
from nar.batches import Task, TrainingStream, Turns, prefetch

WEIGHTS = st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any)


def tasks_of(turns, steps):
    return [turns(step).task for step in steps]


@given(weight=st.floats(0.1, 10), count=st.integers(1, 5))
def test_equal_weights_are_round_robin(weight, count):
    turns = Turns([weight] * count)
    assert tasks_of(turns, range(12)) == [step % count for step in range(12)]
    assert [turns(step).number for step in range(12)] == [step // count for step in range(12)]


@given(weights=WEIGHTS)
def test_shares_are_those_of_the_weights_in_each_period_and_never_far_off(weights):
    turns, total = Turns(weights), sum(weights)
    numbers = [0] * len(weights)
    for step in range(3 * total):
        task, number = turns(step)
        assert number == numbers[task]
        numbers[task] += 1
        for index, weight in enumerate(weights):
            assert abs(numbers[index] - (step + 1) * weight / total) < len(weights)
    assert numbers == [3 * weight for weight in weights]


def test_no_task_has_a_streak():
    assert tasks_of(Turns([5, 1, 1]), range(7)) == [0, 0, 1, 0, 2, 0, 0]


@given(
    changes=st.lists(st.tuples(st.integers(0, 9), WEIGHTS), max_size=4),
    ahead=st.lists(st.integers(0, 60), max_size=5),
)
def test_changes_go_on_counting_and_are_remembered_by_notes(changes, ahead):
    assume(all(any([*weights, 1, 1, 1][:3]) for _, weights in changes))
    turns, step, numbers = Turns([1, 1, 1]), 0, [0, 0, 0]

    def take(turns, steps):
        for step in steps:
            task, number = turns(step)
            assert number == numbers[task]
            numbers[task] += 1

    for wait, weights in changes:
        for later in ahead:
            turns(step + later)  # what is asked ahead changes nothing
        take(turns, range(step, step + wait))
        step += wait
        last = turns(step - 1) if step else None
        turns.reweigh(step, [*weights, 1, 1, 1][:3])
        assert step == 0 or turns(step - 1) == last
    resumed = Turns([1, 1, 1])
    resumed.resume(json.loads(json.dumps(turns.notes())))
    later = range(step, step + 40)
    assert [resumed(step) for step in later] == [turns(step) for step in later]
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
        Turns(weights)
    turns = Turns([1] * len(weights))
    with pytest.raises(ValueError, match=message):
        turns.reweigh(0, weights)


def test_all_tasks_need_a_weight():
    with pytest.raises(ValueError, match="2 sampling weights are needed, got 1"):
        Turns([1, 1]).reweigh(0, [1])


def test_batches_made_before_a_change_are_made_anew():
    def stream():
        return TrainingStream([Task(ALGORITHMS[name], (4,)) for name in ("bfs", "minimum")], 2, seed=0)

    ahead, names = stream(), []
    for step, batch in enumerate(prefetch(ahead, 0, 12, depth=4)):
        task = ahead.task(step)
        names.append(task.name)
        assert set(batch.outputs) == {probe.name for probe in task.spec.outputs}
        if step == 3:
            ahead.turns.reweigh(4, [0, 1])
        if step == 7:
            ahead.turns.reweigh(8, [1, 0])
    assert names == ["bfs", "minimum"] * 2 + ["minimum"] * 4 + ["bfs"] * 4
    assert [ahead.turns(step).number for step in range(8, 12)] == [2, 3, 4, 5]
