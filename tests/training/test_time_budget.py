"""Time budget: the step at which a run stops, also after an interruption."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from nar.algorithms import ALGORITHMS
from nar.data import Task, TrainingStream
from nar.training import (
    Checkpoints,
    Devices,
    SaveCheckpoints,
    TimeBudget,
    TrainState,
    Validate,
    fit,
)
from nar.training.checkpointing import RestoredCheckpoint
from nar.training.loop import Clock, restore_states

DEVICES = Devices.all()
PARAMS = {"processor": {"module": {"w": jnp.ones(2)}}}
STATE = TrainState(PARAMS, (), jnp.zeros((), jnp.int32), jax.random.key(0))
SECONDS = 10.0


class StepClock(Clock):
    """A clock by which each step takes ten seconds of CPU time."""

    def __init__(self):
        super().__init__()
        self.steps = 0

    def cpu_seconds(self):
        return SECONDS * self.steps

    def on_step(self, report):
        self.steps = report.step


def train(folder, minutes, num_steps, every=3):
    """Trains and returns the number of steps taken."""
    checkpoints, clock = Checkpoints(folder), StepClock()
    restored = checkpoints.restore(STATE) or RestoredCheckpoint(STATE, {})
    clock.steps = int(restored.state.step)
    budget = TimeBudget(minutes, clock)
    callbacks = (
        clock,
        Validate(lambda params: {"validation/score": 0.5}, every, num_steps, Clock()),
        budget,
        SaveCheckpoints(checkpoints, (budget,), Clock()),
    )
    restore_states((budget,), restored.metadata)
    stream = TrainingStream((Task(ALGORITHMS["bfs"], (4,)),), batch_size=2, seed=0)
    state, _ = fit(restored.state, count, stream, callbacks, num_steps=num_steps, devices=DEVICES)
    return int(state.step)


def count(state, batch, task, stream_key):
    return dataclasses.replace(state, step=state.step + 1), {"loss": jnp.zeros(())}


@pytest.mark.parametrize(("minutes", "expected"), [(0.0, 12), (0.4, 3), (0.5, 3), (0.6, 6), (100.0, 12)])
def test_training_ends_at_the_first_validation_after_the_budget(tmp_path, minutes, expected):
    assert train(tmp_path, minutes, 12) == expected
    assert train(tmp_path, minutes, 12) == expected


@pytest.mark.parametrize("interruption", [1, 2, 3])
def test_resumed_runs_stop_at_the_same_step(tmp_path, interruption):
    assert train(tmp_path, 0.6, interruption) == interruption
    assert train(tmp_path, 0.6, 12) == 6


@pytest.mark.parametrize("minutes", [-1.0, float("inf"), float("nan")])
def test_invalid_budgets_are_rejected(minutes):
    with pytest.raises(ValueError, match="max_cpu_minutes must be a finite number of at least 0, got"):
        TimeBudget(minutes, Clock())
