"""Leaving the parameters of other tasks out of a step's programs does not change the result."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nar.algorithms import ALGORITHMS
from nar.data import Task, TrainingStream
from nar.model import NetConfig, make_model
from nar.processors import MPNN
from nar.training import Devices, init_state, make_optimizer, make_train_step
from nar.training.optim.optimizers import _LEAFWISE, OPTIMIZERS, Leafwise
from nar.training.optim.parameter_patterns import parameter_names
from nar.training.state import TrainState, digest
from nar.training.train_step.finite_updates import FINITE
from nar.training.train_step.task_parameters import TaskParameters
from nar.training.train_step.update import CompiledTrainStep, StepGradients, Update

NAMES = ("bfs", "minimum")
TREE = {
    "bfs/encode": {"w": np.ones(2, np.float32), "b": np.zeros(3, np.float32)},
    "minimum/encode": {"w": np.ones(2, np.float32)},
    "processor/mpnn": {"w": np.ones((2, 2), np.float32)},
}


def without_leafwise_marker(optimizer):
    """The same optimizer without the class `Leafwise`, so that steps take the whole state."""
    return optax.GradientTransformation(optimizer.init, optimizer.update)


def test_merge_inverts_select():
    task_parameters = TaskParameters(frozenset(NAMES))
    selected = task_parameters.select({"of": TREE}, "bfs")["of"]
    assert selected["minimum/encode"] == {"w": None}
    assert selected["bfs/encode"] is not None and len(jax.tree.leaves(selected)) == 3
    changed = task_parameters.merge(TREE, jax.tree.map(lambda leaf: leaf + 1, selected), "bfs")
    assert jax.tree.structure(changed) == jax.tree.structure(TREE)
    assert changed["minimum/encode"]["w"] is TREE["minimum/encode"]["w"]
    np.testing.assert_array_equal(changed["processor/mpnn"]["w"], 2)
    assert task_parameters.select(TREE, "another")["processor/mpnn"] == TREE["processor/mpnn"]


FEW = ("adam", "adan", "lamb", "sgd")


@pytest.mark.parametrize(
    "name", [*FEW, *(pytest.param(name, marks=pytest.mark.slow) for name in sorted(_LEAFWISE - {*FEW}))]
)
def test_leafwise_optimizers_update_a_task_by_its_own_arrays(name):
    """Gradients of the other task's parameters are zero, as in a training step."""
    optimizer = make_optimizer(1e-2, grad_clip_norm=0.5, name=name)
    assert isinstance(optimizer, Leafwise)
    task_parameters, update = TaskParameters(frozenset(NAMES)), Update(optimizer, tasks=frozenset(NAMES))
    select, merge = task_parameters.select, task_parameters.merge
    steps = (NAMES, NAMES[::-1])

    @jax.jit
    def train(params, gradients):
        """Results of steps on all arrays, and of the same steps on the arrays of the task."""
        whole = partial = TrainState(
            params, optimizer.init(params), jnp.zeros((), jnp.int32), jax.random.key(0)
        )
        rows = []
        for (task, _), gradient in zip(steps, gradients, strict=True):
            whole, metrics = update(whole, gradient, jnp.ones(()), task, {})
            trees = (partial.params, partial.optimizer, gradient)
            task_params, task_optimizer, task_gradient = (select(tree, task) for tree in trees)
            task_state = TrainState(task_params, task_optimizer, partial.step, partial.key)
            new, task_metrics = update(task_state, task_gradient, jnp.ones(()), task, {})
            params, optimizer_state = merge(trees[0], new.params, task), merge(trees[1], new.optimizer, task)
            partial = TrainState(params, optimizer_state, new.step, new.key)
            rows.append(
                (
                    (whole.params, whole.optimizer, metrics),
                    (partial.params, partial.optimizer, task_metrics),
                )
            )
        return rows

    random, gradients = np.random.default_rng(0), []
    for _, other in steps:
        gradient = jax.tree.map(lambda leaf: random.standard_normal(leaf.shape).astype(np.float32), TREE)
        gradient[f"{other}/encode"] = jax.tree.map(np.zeros_like, TREE[f"{other}/encode"])
        gradients.append(gradient)
    for expected, actual in jax.device_get(train(TREE, gradients)):
        metrics, task_metrics = expected[2], actual[2]
        for one, another in zip(*map(jax.tree.leaves, (expected[:2], actual[:2])), strict=True):
            np.testing.assert_allclose(one, another, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(metrics["gradient_norm"], task_metrics["gradient_norm"], rtol=1e-6)
        assert metrics[FINITE].shape == task_metrics[FINITE].shape and task_metrics[FINITE].all()


def test_other_optimizers_are_not_marked_leafwise():
    assert set(OPTIMIZERS) > _LEAFWISE
    for name in ("adafactor", "sm3", "fromage"):
        assert not isinstance(make_optimizer(1e-2, name=name), Leafwise)
    assert not isinstance(make_optimizer(1e-2, frozen_params=("encode",)), Leafwise)


def network_training(optimizer, ema_decay):
    """Train step, initial state and batches of a small network with both tasks."""
    stream = TrainingStream([Task(ALGORITHMS[name], (4,)) for name in NAMES], batch_size=2, seed=0)
    specs = {task.name: task.spec for task in stream.tasks}
    model, devices = make_model(NetConfig(MPNN, hidden_size=4), specs), Devices.all()
    state = devices.make_state(
        lambda: init_state(model, optimizer, stream.examples(), 0, track_ema=ema_decay > 0)
    )
    step = make_train_step(model, optimizer, ema_decay=ema_decay)
    return step, state, [devices.put_batch(stream.batch(index)) for index in range(4)]


def regression_training(optimizer, ema_decay):
    """Train step, initial state and batches of a regression of a tree of arrays to a number."""

    def gradients(state, batch, task, stream_key):
        def squared_error(params):
            used = [leaves for module, leaves in params.items() if module.startswith((task, "processor"))]
            return sum(jnp.sum((leaf - batch) ** 2) for leaf in jax.tree.leaves(used))

        loss, gradient = jax.value_and_grad(squared_error)(state.params)
        return StepGradients(gradient, {"loss": loss})

    step = CompiledTrainStep(gradients, Update(optimizer, ema_decay, frozenset(NAMES)))
    params = jax.tree.map(jnp.asarray, TREE)
    average = jax.tree.map(jnp.asarray, TREE) if ema_decay else None
    state = TrainState(params, optimizer.init(params), jnp.int32(0), jax.random.key(0), average)
    return step, state, [np.float32(number) for number in (0.5, -0.5, 2.0, 3.0)]


def trained(make, optimizer, ema_decay=0.0):
    """State after some steps of both tasks, and metrics of the last one."""
    step, state, batches = make(optimizer, ema_decay)
    metrics = {}
    for index, batch in enumerate(batches):
        state, metrics = step(state, batch, NAMES[index % 2])
    return state, metrics


MAKERS = [regression_training, pytest.param(network_training, marks=pytest.mark.slow)]


@pytest.mark.parametrize("make", MAKERS)
def test_partial_states_do_not_change_training(make):
    options = {"weight_decay": 0.1, "learning_rate_multipliers": (("bfs", 0.5),)}
    optimizer = make_optimizer(1e-2, 1.0, **options)
    assert isinstance(optimizer, Leafwise)
    (state, metrics), (expected, expected_metrics) = (
        trained(make, one) for one in (optimizer, without_leafwise_marker(optimizer))
    )
    assert jax.tree.structure(state) == jax.tree.structure(expected)
    for one, another in zip(*(jax.tree.leaves(s.params) for s in (state, expected)), strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-5, atol=1e-7)
    assert metrics[FINITE].shape == (1 + 2 * len(parameter_names(state.params)),)
    assert metrics.keys() == expected_metrics.keys()
    for name, value in metrics.items():
        np.testing.assert_allclose(value, expected_metrics[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("make", MAKERS)
def test_moving_average_includes_all_tasks_in_every_step(make):
    optimizer = make_optimizer(1e-2)
    states = [trained(make, one, 0.9)[0] for one in (optimizer, without_leafwise_marker(optimizer))]
    assert digest(states[0].ema_params) == digest(states[1].ema_params)
