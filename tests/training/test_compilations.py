"""Number of compiled programs in training, and time measurement."""

import contextlib
import dataclasses
import time

import jax
import jax.numpy as jnp
import pytest

from nar.algorithms import ALGORITHMS
from nar.data import Task, TrainingStream
from nar.evaluation import Inference, score_traces
from nar.model import NetConfig, make_model
from nar.processors import PROCESSORS
from nar.training import Devices, TrainState, fit, init_state, make_optimizer, make_train_step
from nar.training.loop import BackgroundCompilation, Clock, Compilations
from nar.training.state import digest

SIZES = {"bfs": (4, 5), "minimum": (4,)}
NUM_STEPS = 4


@contextlib.contextmanager
def counting():
    with contextlib.closing(Compilations()) as compilations:
        yield compilations


def shapes_of(batch):
    return tuple(leaf.shape for leaf in jax.tree.leaves(batch))


class Run:
    """A small run with several algorithms and sizes."""

    def __init__(self):
        self.tasks = tuple(Task(ALGORITHMS[name], sizes) for name, sizes in SIZES.items())
        self.stream = TrainingStream(self.tasks, batch_size=2, seed=0)
        specs = {task.name: task.spec for task in self.tasks}
        self.model = make_model(NetConfig(PROCESSORS["mpnn"], hidden_size=4, hint_mode="none"), specs)
        self.devices, optimizer = Devices.all(), make_optimizer(1e-3, name="sgd")
        self.init = lambda: init_state(self.model, optimizer, self.stream.examples(), 0)
        self.step = make_train_step(self.model, optimizer)

    def fit(self, *callbacks):
        state = self.devices.make_state(self.init)
        return fit(state, self.step, self.stream, callbacks, num_steps=NUM_STEPS, devices=self.devices)[0]


@pytest.mark.slow
def test_one_program_is_compiled_per_task_and_size():
    """Holds with and without background compilation, which does not change the result of training."""
    digests = []
    for in_background in (False, True):
        run = Run()
        stream, tasks, devices = run.stream, run.tasks, run.devices
        buckets = {(stream.task(step).name, shapes_of(stream.batch(step))) for step in range(NUM_STEPS)}
        assert len(buckets) > len(SIZES)
        inference = Inference(run.model, tasks[0].transforms, batch_size=2)
        with counting() as compilations, contextlib.ExitStack() as stack:
            background = BackgroundCompilation(run.step, devices.state_shapes(run.init))
            state = run.fit(*[stack.enter_context(background)] * in_background)
            for seed in range(2):
                score_traces(inference, state.params, "minimum", tasks[1].draw(4, seed, 0, 3))
        assert compilations.programs["compute_gradients"] == len(buckets)
        assert compilations.programs["update_state"] == len(SIZES)
        assert compilations.programs["predict"] == 1 == inference.num_programs
        assert 0 < compilations.main_thread_seconds <= compilations.seconds
        assert (compilations.main_thread_seconds < compilations.seconds) == in_background
        assert str(compilations).startswith(
            f"Compiled programs: {len(buckets)} of gradients, {len(SIZES)} of updates, 1 of evaluation, "
        )
        digests.append(digest(state))
    assert digests[0] == digests[1]


def test_compilation_error_ends_training_at_that_step():
    tasks = [Task(ALGORITHMS[name], (4,)) for name in ("bfs", "minimum")]
    stream, steps = TrainingStream(tasks, batch_size=2, seed=0), []

    class Broken:
        def programs(self, state, batch, task, stream_key):
            def compile():
                raise ValueError(f"no program for {task}")

            return {task: compile} if task == "minimum" else {}

    def count(state, batch, task, stream_key):
        steps.append(task)
        return dataclasses.replace(state, step=state.step + 1), {"loss": jnp.zeros(())}

    state = TrainState({}, (), jnp.zeros((), jnp.int32), jax.random.key(0))
    with (
        BackgroundCompilation(Broken(), None) as background_compilation,
        pytest.raises(ValueError, match="no program for minimum"),
    ):
        fit(state, count, stream, [background_compilation], num_steps=4, devices=Devices.all())
    assert steps == ["bfs"]


def test_counting_stops_when_closed():
    with counting() as compilations:
        pass
    jax.jit(lambda x: x * 3 + 1)(jnp.ones(7))
    assert not compilations.programs


def test_each_program_is_counted_once():
    def nested(x):
        return jax.jit(lambda y: jnp.sin(y) + 1)(x) * 2

    function = jax.jit(nested)
    with counting() as compilations:
        for _ in range(3):
            function(jnp.ones(5)).block_until_ready()
        function(jnp.ones(6)).block_until_ready()
    assert compilations.programs["nested"] == 2


def test_clock_separates_compilation_from_validation():
    with counting() as compilations:
        clock = Clock(compilations)
        with clock.measure("seconds_validating"):
            time.sleep(0.05)
            # Compilation within the context does not count as validation.
            compilations.main_thread_seconds += 0.02
        spent = clock.pop_seconds()
        assert spent["seconds_validating"] == pytest.approx(0.03, abs=0.02)
        assert spent["seconds_compiling"] == pytest.approx(0.02)
        assert spent["seconds_saving"] == 0
        assert set(clock.pop_seconds().values()) == {0.0}
