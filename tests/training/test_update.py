"""A step of one task leaves the parameters of other tasks as they are, and out of its programs."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nar.model.params_by_task import select_task
from nar.training import make_optimizer
from nar.training.optim import OPTIMIZERS, parameter_names
from nar.training.optim.optimizers import check_several_tasks
from nar.training.state import TrainState, digest, update_ema
from nar.training.train_step.finite_updates import FINITE
from nar.training.train_step.update import CompiledTrainStep, StepGradients, Update

NAMES = ("bfs", "minimum")
TREE = {
    "bfs": {"encode": {"w": np.ones(2, np.float32), "b": np.zeros(3, np.float32)}},
    "minimum": {"encode": {"w": np.ones(2, np.float32)}},
    "processor": {"mpnn": {"w": np.ones((2, 2), np.float32)}},
}
BATCHES = [np.float32(number) for number in (0.5, -0.5, 2.0, 3.0)]


def compute_gradients(state, batch, task, stream_key):
    """Gradients of a regression of all arrays to a number."""

    def squared_error(params):
        return sum(jnp.sum((leaf - batch) ** 2) for leaf in jax.tree.leaves(params))

    loss, gradient = jax.value_and_grad(squared_error)(state.params)
    return StepGradients(gradient, {"loss": loss})


def initial_state(optimizer, ema_decay=0.0):
    params = jax.tree.map(jnp.asarray, TREE)
    average = jax.tree.map(jnp.asarray, TREE) if ema_decay else None
    return TrainState(params, optimizer.init(params), jnp.int32(0), jax.random.key(0), average)


def copied(state):
    return jax.tree.map(np.array, (state.params, state.opt_state, state.ema_params))


def trained(optimizer, ema_decay=0.0):
    """States before and after alternating steps of both tasks, and the metrics of each step."""
    step = CompiledTrainStep(compute_gradients, Update(optimizer, ema_decay))
    state, states, rows = initial_state(optimizer, ema_decay), [], []
    for index, batch in enumerate(BATCHES):
        states.append(
            jax.device_get(jax.tree.map(jnp.copy, (state.params, state.opt_state, state.ema_params)))
        )
        state, metrics = step(state, batch, NAMES[index % 2])
        rows.append(metrics)
    return [*states, copied(state)], rows


def reference(optimizer):
    """Parameters after the same steps by optax on all parameters, with zero gradients of the other task.

    Afterwards the other task's parameters and optimizer state are put back, leaf by leaf.
    """
    params, opt_state = jax.tree.map(jnp.asarray, TREE), optimizer.init(TREE)
    for index, batch in enumerate(BATCHES):
        other = NAMES[1 - index % 2]
        gradients = jax.tree.map(lambda leaf, batch=batch: 2 * (leaf - batch), params)
        gradients[other] = jax.tree.map(jnp.zeros_like, gradients[other])
        updates, new_state = optimizer.update(gradients, opt_state, params)
        new = optax.apply_updates(params, updates), new_state

        def put_back(path, before, after, other=other):
            return before if any(getattr(key, "key", "") == other for key in path) else after

        params, opt_state = jax.tree_util.tree_map_with_path(put_back, (params, opt_state), new)
    return params, opt_state


@pytest.mark.parametrize(
    "options",
    [
        {"grad_clip_norm": 1.0, "weight_decay": 0.1, "learning_rate_multipliers": (("bfs", 0.5),)},
        {"frozen_params": ("encode/b",), "learning_rate": optax.linear_schedule(1e-2, 0.0, 3)},
        *(pytest.param({"name": name}, marks=pytest.mark.slow) for name in ("adafactor", "lamb", "lion")),
    ],
)
def test_other_tasks_keep_parameters_and_momentum(options):
    """Step counts and schedules advance in every step, as if the optimizer had updated all parameters."""
    optimizer = make_optimizer(**{"learning_rate": 1e-2, **options})
    states, _ = trained(optimizer)
    expected = jax.jit(lambda: reference(optimizer))()
    assert jax.tree.structure(states[-1][:2]) == jax.tree.structure(expected)
    for one, another in zip(*map(jax.tree.leaves, (states[-1][:2], expected)), strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-5, atol=1e-7)


def test_programs_have_no_arrays_of_other_tasks():
    optimizer = make_optimizer(1e-2, 1.0)
    step, state = CompiledTrainStep(compute_gradients, Update(optimizer)), initial_state(optimizer)
    num_arrays = len(jax.tree.leaves(select_task(state, "bfs")))
    update = step.programs(state, BATCHES[0], "bfs", None)["bfs", None]()
    assert len(jax.tree.leaves(update.in_avals[0][0])) == num_arrays < len(jax.tree.leaves(state))
    _, rows = trained(optimizer)
    for index, metrics in enumerate(rows):
        num_arrays = len(parameter_names(select_task(TREE, NAMES[index % 2])))
        assert metrics[FINITE].shape == (1 + 2 * num_arrays,) and metrics[FINITE].all()


@pytest.mark.slow
def test_moving_average_includes_all_tasks_in_every_step():
    states, _ = trained(make_optimizer(1e-2), 0.9)
    plain, _ = trained(make_optimizer(1e-2))
    expected = jax.tree.map(jnp.asarray, TREE)
    for step, (state, unaveraged) in enumerate(zip(states, plain, strict=True)):
        assert digest(state[0]) == digest(unaveraged[0])
        if step:
            expected = update_ema(expected, state[0], jnp.int32(step), 0.9)
        for one, another in zip(*map(jax.tree.leaves, (state[2], expected)), strict=True):
            np.testing.assert_allclose(one, another, rtol=1e-6)
    assert digest(states[1][2]["minimum"]) == digest(states[0][2]["minimum"])
    assert digest(states[3][2]["minimum"]) != digest(states[2][2]["minimum"])


def usable(name):
    try:
        return make_optimizer(1e-2, name=name)
    except ValueError:
        return None


@pytest.mark.filterwarnings("ignore:Specifying a key:UserWarning")
def test_every_optimizer_of_optax_can_train_several_tasks():
    optimizers = [optimizer for optimizer in map(usable, OPTIMIZERS) if optimizer]
    assert len(optimizers) > 20
    for optimizer in optimizers:
        check_several_tasks(optimizer)


def test_optimizers_that_mix_parameters_are_rejected():
    with pytest.raises(ValueError, match="cannot train several tasks: its state must be separable"):
        check_several_tasks(optax.flatten(optax.adam(1e-2)))
