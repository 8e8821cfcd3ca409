"""A few training steps on all jax devices, and on one of them, for `test_devices.py`.

    python tests/support/sharded_steps.py FILE TASK...

Writes losses, gradients, parameters and predictions to an npz file, with names prefixed by `all/` or `one/`,
and the number of devices.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.examples.permutation_consistency import permutation_consistency
from nar.algorithms import ALGORITHMS
from nar.data import Task, TrainingStream, Transforms
from nar.evaluation import Inference
from nar.losses import supervised, views_of
from nar.model import NetConfig, make_model
from nar.processors import PROCESSORS
from nar.traces import sample_traces
from nar.training import Devices, init_state, make_train_step

OBJECTIVES = {"dijkstra": permutation_consistency}
"""Objectives of tasks that are not trained on the supervised one alone; it has a view."""

NUM_STEPS = 3
BATCH_SIZE = 8
NUM_SCORED = 11
"""Not a multiple of the number of devices."""

keep_gradients = optax.GradientTransformation(
    lambda params: jax.tree.map(jnp.zeros_like, params),
    lambda gradients, state, params: (jax.tree.map(lambda leaf: -0.1 * leaf, gradients), gradients),
)
"""Gradient descent whose optimizer state is the gradients themselves, so that any scaling is visible."""


def stream_of(name: str) -> TrainingStream:
    """Training stream of one task."""
    views = views_of(OBJECTIVES.get(name, supervised))
    return TrainingStream([Task(ALGORITHMS[name], (5,))], BATCH_SIZE, seed=0, views=views)


def steps_of(name: str, devices: Devices) -> dict[str, np.ndarray]:
    """Metrics, gradients, parameters and decoded predictions on the devices, by name."""
    stream = stream_of(name)
    task = stream.task(0)
    # Every kind of noise: dropout, teacher forcing, and Gumbel noise on permutations.
    config = NetConfig(PROCESSORS["mpnn"], hidden_size=8, dropout=0.3, teacher_forcing=0.5)
    model = make_model(config, {name: task.spec})
    step = make_train_step(model, keep_gradients, OBJECTIVES.get(name, supervised), devices=devices)
    state = devices.make_state(lambda: init_state(model, keep_gradients, stream.examples(), seed=1))
    results = {}
    for index in range(NUM_STEPS):
        state, metrics = step(state, devices.put_batch(stream.batch(index)), name)
        trees = {"metrics": metrics, "gradients": state.opt_state, "params": state.params}
        for path, leaf in jax.tree_util.tree_leaves_with_path(jax.block_until_ready(trees)):
            results[f"{name}/{index}{jax.tree_util.keystr(path)}"] = np.asarray(leaf)
    traces = task.transforms.apply(task.algorithm, sample_traces(name, 6, NUM_SCORED, 5))
    decoded = Inference(model, Transforms(), 4, devices).run_transformed(state.params, name, traces)
    results |= {f"{name}/decoded/{key}": value for key, value in decoded.outputs.items()}
    return results


if __name__ == "__main__":
    places = {"all": Devices.all(), "one": Devices.one()}
    values = {
        f"{place}/{key}": value
        for name in sys.argv[2:]
        for place, devices in places.items()
        for key, value in steps_of(name, devices).items()
    }
    np.savez(sys.argv[1], num_devices=places["all"].mesh.size, **values)
