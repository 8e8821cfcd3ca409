"""A step of one task leaves the arrays of others out of its programs, and nothing else changes by that."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nar.algorithms import ALGORITHMS
from nar.data import Task, TrainingStream
from nar.model import NetConfig, make_model
from nar.processors import MPNN
from nar.training import Devices, digest, init_state, make_optimizer, make_train_step
from nar.training.optim.optimizers import _LEAFWISE, OPTIMIZERS, Leafwise
from nar.training.optim.parameter_patterns import parameter_names
from nar.training.state import TrainState
from nar.training.train_step.finite_updates import FINITE
from nar.training.train_step.task_parameters import TaskParameters
from nar.training.train_step.update import CompiledTrainStep, StepGradients, Update

NAMES = ("bfs", "minimum")
TREE = {
    "bfs/encode": {"w": np.ones(2, np.float32), "b": np.zeros(3, np.float32)},
    "minimum/encode": {"w": np.ones(2, np.float32)},
    "processor/mpnn": {"w": np.ones((2, 2), np.float32)},
}


def whole(optimizer):
    """The same optimizer, of which it is not known that it looks at each array alone."""
    return optax.GradientTransformation(optimizer.init, optimizer.update)


def test_what_is_taken_is_put_back():
    part = TaskParameters(frozenset(NAMES))
    taken = part.select({"of": TREE}, "bfs")["of"]
    assert taken["minimum/encode"] == {"w": None}
    assert taken["bfs/encode"] is not None and len(jax.tree.leaves(taken)) == 3
    changed = part.merge(TREE, jax.tree.map(lambda leaf: leaf + 1, taken), "bfs")
    assert jax.tree.structure(changed) == jax.tree.structure(TREE)
    assert changed["minimum/encode"]["w"] is TREE["minimum/encode"]["w"]
    np.testing.assert_array_equal(changed["processor/mpnn"]["w"], 2)
    assert part.select(TREE, "another")["processor/mpnn"] == TREE["processor/mpnn"]


FEW = ("adam", "adan", "lamb", "sgd")


@pytest.mark.parametrize(
    "name", [*FEW, *(pytest.param(name, marks=pytest.mark.slow) for name in sorted(_LEAFWISE - {*FEW}))]
)
def test_each_array_is_updated_by_itself(name):
    """With gradients that are zero for the other task, as they are in a step."""
    optimizer = make_optimizer(1e-2, grad_clip_norm=0.5, name=name)
    assert isinstance(optimizer, Leafwise)
    part, update = TaskParameters(frozenset(NAMES)), Update(optimizer, tasks=frozenset(NAMES))
    turns = (NAMES, NAMES[::-1])

    @jax.jit
    def train(params, gradients):
        """States and metrics of steps on all arrays, and of the same steps on those of a task alone."""
        whole = own = TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32), jax.random.key(0))
        rows = []
        for (task, _), gradient in zip(turns, gradients, strict=True):
            whole, metrics = update(whole, gradient, jnp.ones(()), task, {})
            taken = [part.select(tree, task) for tree in (own.params, own.optimizer, gradient)]
            given = TrainState(taken[0], taken[1], own.step, own.key)
            new, own_metrics = update(given, taken[2], jnp.ones(()), task, {})
            params = part.merge(own.params, new.params, task)
            own = TrainState(params, part.merge(own.optimizer, new.optimizer, task), new.step, new.key)
            rows.append(((whole.params, whole.optimizer, metrics), (own.params, own.optimizer, own_metrics)))
        return rows

    random, gradients = np.random.default_rng(0), []
    for _, other in turns:
        gradient = jax.tree.map(lambda leaf: random.standard_normal(leaf.shape).astype(np.float32), TREE)
        gradient[f"{other}/encode"] = jax.tree.map(np.zeros_like, TREE[f"{other}/encode"])
        gradients.append(gradient)
    for expected, found in jax.device_get(train(TREE, gradients)):
        metrics, own_metrics = expected[2], found[2]
        for one, another in zip(*map(jax.tree.leaves, (expected[:2], found[:2])), strict=True):
            np.testing.assert_allclose(one, another, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(metrics["gradient_norm"], own_metrics["gradient_norm"], rtol=1e-6)
        assert metrics[FINITE].shape == own_metrics[FINITE].shape and own_metrics[FINITE].all()


def test_optimizers_that_look_at_all_arrays_are_given_all():
    assert set(OPTIMIZERS) > _LEAFWISE
    for name in ("adafactor", "sm3", "fromage"):
        assert not isinstance(make_optimizer(1e-2, name=name), Leafwise)
    assert not isinstance(make_optimizer(1e-2, frozen_params=("encode",)), Leafwise)


def of_a_network(optimizer, ema_decay):
    """A step, its first state, and the batches of both tasks, of a small network."""
    stream = TrainingStream([Task(ALGORITHMS[name], (4,)) for name in NAMES], batch_size=2, seed=0)
    specs = {task.name: task.spec for task in stream.tasks}
    model, devices = make_model(NetConfig(MPNN, hidden_size=4), specs), Devices.all()
    state = devices.make_state(
        lambda: init_state(model, optimizer, stream.examples(), 0, track_ema=ema_decay > 0)
    )
    step = make_train_step(model, optimizer, ema_decay=ema_decay)
    return step, state, [devices.put_batch(stream.batch(index)) for index in range(4)]


def of_a_tree(optimizer, ema_decay):
    """The same of nothing but arrays, which are to come near the numbers of a batch."""

    def gradients(state, batch, task, stream_key):
        def distance(params):
            own = [leaves for module, leaves in params.items() if module.startswith((task, "processor"))]
            return sum(jnp.sum((leaf - batch) ** 2) for leaf in jax.tree.leaves(own))

        loss, found = jax.value_and_grad(distance)(state.params)
        return StepGradients(found, {"loss": loss})

    step = CompiledTrainStep(gradients, Update(optimizer, ema_decay, frozenset(NAMES)))
    params = jax.tree.map(jnp.asarray, TREE)
    average = jax.tree.map(jnp.asarray, TREE) if ema_decay else None
    state = TrainState(params, optimizer.init(params), jnp.int32(0), jax.random.key(0), average)
    return step, state, [np.float32(number) for number in (0.5, -0.5, 2.0, 3.0)]


def trained(make, optimizer, ema_decay=0.0):
    """The state after some steps of both tasks, and the metrics of the last one."""
    step, state, batches = make(optimizer, ema_decay)
    metrics = {}
    for index, batch in enumerate(batches):
        state, metrics = step(state, batch, NAMES[index % 2])
    return state, metrics


MAKERS = [of_a_tree, pytest.param(of_a_network, marks=pytest.mark.slow)]


@pytest.mark.parametrize("make", MAKERS)
def test_training_is_the_same(make):
    options = {"weight_decay": 0.1, "learning_rate_multipliers": (("bfs", 0.5),)}
    optimizer = make_optimizer(1e-2, 1.0, **options)
    assert isinstance(optimizer, Leafwise)
    (state, metrics), (expected, expected_metrics) = (
        trained(make, one) for one in (optimizer, whole(optimizer))
    )
    assert jax.tree.structure(state) == jax.tree.structure(expected)
    for one, another in zip(*(jax.tree.leaves(s.params) for s in (state, expected)), strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-5, atol=1e-7)
    assert metrics[FINITE].shape == (1 + 2 * len(parameter_names(state.params)),)
    assert metrics.keys() == expected_metrics.keys()
    for name, value in metrics.items():
        np.testing.assert_allclose(value, expected_metrics[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("make", MAKERS)
def test_an_average_moves_in_each_step_whatever_its_task(make):
    optimizer = make_optimizer(1e-2)
    states = [trained(make, one, 0.9)[0] for one in (optimizer, whole(optimizer))]
    assert digest(states[0].ema_params) == digest(states[1].ema_params)
