"""What is compiled in training, and where its seconds go."""

import contextlib
import time

import jax
import jax.numpy as jnp
import pytest

from nar.algorithms import ALGORITHMS
from nar.batches import Task, TrainingStream
from nar.evaluation import Evaluator
from nar.model import NetConfig, make_model
from nar.processors import PROCESSORS
from nar.training import Clock, Compilations, Devices, fit, init_state, make_optimiser, make_step

SIZES = {"insertion_sort": (4, 5), "bfs": (6,), "minimum": (4,)}
NUM_STEPS = 12


@contextlib.contextmanager
def counted():
    with contextlib.closing(Compilations()) as compilations:
        yield compilations


def shapes_of(batch):
    return tuple(leaf.shape for leaf in jax.tree.leaves(batch))


def test_a_run_of_several_algorithms_and_sizes_compiles_a_program_for_each_bucket():
    tasks = tuple(Task(ALGORITHMS[name], sizes) for name, sizes in SIZES.items())
    stream = TrainingStream(tasks, batch_size=2, seed=0, pooled_batches=4)
    model = make_model(NetConfig(PROCESSORS["mpnn"], hidden_size=4), {task.name: task.spec for task in tasks})
    optimiser, devices = make_optimiser(1e-3), Devices.all()
    state = devices.make_state(lambda: init_state(model, optimiser, stream.examples(), 0))
    buckets = {(stream.task(step).name, shapes_of(stream.batch(step))) for step in range(NUM_STEPS)}
    assert len(buckets) > len(SIZES)
    evaluator = Evaluator(model, tasks[0].transforms, batch_size=2)
    with counted() as compilations:
        state, _ = fit(state, make_step(model, optimiser), stream, num_steps=NUM_STEPS, devices=devices)
        for seed in range(2):
            evaluator.score(state.params, "minimum", tasks[2].draw(4, seed, 0, 3))
    assert compilations.programs["find_gradients"] == len(buckets)
    assert compilations.programs["update_state"] == len(SIZES)
    assert compilations.programs["predict"] == 1 == evaluator.num_programs
    assert compilations.seconds > 0
    assert str(compilations).startswith(
        f"Compiled programs: {len(buckets)} of gradients, {len(SIZES)} of updates, 1 of evaluation, "
    )


def test_nothing_is_counted_after_the_end():
    with counted() as compilations:
        pass
    jax.jit(lambda x: x * 3 + 1)(jnp.ones(7))
    assert not compilations.programs


def test_a_program_is_counted_once():
    def nested(x):
        return jax.jit(lambda y: jnp.sin(y) + 1)(x) * 2

    function = jax.jit(nested)
    with counted() as compilations:
        for _ in range(3):
            function(jnp.ones(5)).block_until_ready()
        function(jnp.ones(6)).block_until_ready()
    assert compilations.programs["nested"] == 2


def test_the_clock_knows_what_time_was_spent_on():
    with counted() as compilations:
        clock = Clock(0.0, compilations)
        with clock.spending("seconds_validating"):
            time.sleep(0.05)
            # Compiling within is no validation.
            compilations.seconds += 0.02
        spent = clock.spent()
        assert spent["seconds_validating"] == pytest.approx(0.03, abs=0.02)
        assert spent["seconds_compiling"] == pytest.approx(0.02)
        assert spent["seconds_saving"] == 0
        assert set(clock.spent().values()) == {0.0}
