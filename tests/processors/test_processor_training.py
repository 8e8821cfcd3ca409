"""Training of processors of dm-clrs for a few steps on small problems."""

import jax
import numpy as np
import optax
import pytest

import nar
from nar.data import Task, TrainingStream
from nar.losses import losses_by_probe, total_loss
from nar.model import NetConfig, make_model
from nar.processors import PROCESSORS

HIDDEN = 8
NUM_STEPS = 120
NAMES = ("deepsets", "gat", "gatv2", "gpgn", "memnet_masked", "mpnn", "pgn_mask", "triplet_gmpnn")
"""Processors with every layer and wrapper of dm-clrs; `test_recurrent_processors` has the others."""
TASKS = ("bfs", "minimum", "task_scheduling")


@pytest.mark.slow
@pytest.mark.parametrize(("index", "name"), list(enumerate(NAMES)))
def test_training_decreases_the_loss(index, name):
    """The loss decreases on one of three tasks, which alternate between processors."""
    task = Task(nar.ALGORITHMS[TASKS[index % len(TASKS)]], (4,))
    stream = TrainingStream([task], batch_size=8, seed=0)
    model = make_model(NetConfig(PROCESSORS[name], HIDDEN), {task.name: task.spec})
    optimizer = optax.flatten(optax.chain(optax.clip_by_global_norm(1.0), optax.adam(5e-3)))

    def loss(params, batch, key):
        predictions = model.apply(params, key, task.name, batch, True)
        return total_loss(losses_by_probe(task.spec, batch, predictions))

    @jax.jit
    def step(params, state, batch, key):
        total, gradients = jax.value_and_grad(loss)(params, batch, key)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(params, updates), state, total

    params = model.init(jax.random.key(0), {task.name: stream.batch(0)})
    state, totals = optimizer.init(params), []
    for number in range(NUM_STEPS):
        params, state, total = step(params, state, stream.batch(number), jax.random.key(number))
        totals.append(float(total))
    assert np.isfinite(totals).all()
    assert np.mean(totals[-10:]) < 0.8 * np.mean(totals[:10])
