"""A step of one task leaves the arrays of others out of its programs, and nothing else changes by that."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nar.algorithms import ALGORITHMS
from nar.batches import Task, TrainingStream
from nar.model import NetConfig, make_model
from nar.processors import MPNN
from nar.training import Devices, digest, init_state, make_optimiser, make_step
from nar.training.finiteness import FINITE
from nar.training.optimisers import _LEAFWISE, OPTIMISERS, Leafwise
from nar.training.own import OwnPart
from nar.training.patterns import parameter_names
from nar.training.state import TrainState
from nar.training.update import Update

NAMES = ("bfs", "minimum")
TREE = {
    "bfs/encode": {"w": jnp.ones(2), "b": jnp.zeros(3)},
    "minimum/encode": {"w": jnp.ones(2)},
    "processor/mpnn": {"w": jnp.ones((2, 2))},
}


def whole(optimiser):
    """The same optimiser, of which it is not known that it looks at each array alone."""
    return optax.GradientTransformation(optimiser.init, optimiser.update)


def test_what_is_taken_is_put_back():
    part = OwnPart(frozenset(NAMES))
    taken = part.take({"of": TREE}, "bfs")["of"]
    assert taken["minimum/encode"] == {"w": None}
    assert taken["bfs/encode"] is not None and len(jax.tree.leaves(taken)) == 3
    changed = part.put_back(TREE, jax.tree.map(lambda leaf: leaf + 1, taken), "bfs")
    assert jax.tree.structure(changed) == jax.tree.structure(TREE)
    assert changed["minimum/encode"]["w"] is TREE["minimum/encode"]["w"]
    np.testing.assert_array_equal(changed["processor/mpnn"]["w"], 2)
    assert part.take(TREE, "another")["processor/mpnn"] == TREE["processor/mpnn"]


@pytest.mark.parametrize("name", sorted(_LEAFWISE))
def test_each_array_is_updated_by_itself(name):
    """With gradients that are zero for the other task, as they are in a step."""
    optimiser = make_optimiser(1e-2, gradient_clip=0.5, name=name)
    assert isinstance(optimiser, Leafwise)
    tasks = frozenset(NAMES)
    part, update = OwnPart(tasks), jax.jit(Update(optimiser, tasks=tasks), static_argnums=3)
    state = TrainState(TREE, optimiser.init(TREE), jnp.zeros((), jnp.int32), jax.random.key(0))
    others = state
    for step, task in enumerate(("bfs", "minimum", "bfs")):
        key = jax.random.key(step)
        gradients = jax.tree.map(lambda leaf, key=key: jax.random.normal(key, leaf.shape), TREE)
        other = NAMES[1 - NAMES.index(task)]
        gradients[f"{other}/encode"] = jax.tree.map(jnp.zeros_like, TREE[f"{other}/encode"])
        state, metrics = update(state, gradients, jnp.ones(()), task, {})
        own = [part.take(tree, task) for tree in (others.params, others.optimiser, gradients)]
        new, own_metrics = update(
            TrainState(own[0], own[1], others.step, others.key), own[2], jnp.ones(()), task, {}
        )
        put_back = [
            part.put_back(tree, changed, task)
            for tree, changed in ((others.params, new.params), (others.optimiser, new.optimiser))
        ]
        others = TrainState(put_back[0], put_back[1], new.step, new.key)
        for one, another in zip(jax.tree.leaves(state), jax.tree.leaves(others), strict=True):
            if not jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
                np.testing.assert_allclose(one, another, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(metrics["gradient_norm"], own_metrics["gradient_norm"], rtol=1e-6)
        assert metrics[FINITE].shape == own_metrics[FINITE].shape and own_metrics[FINITE].all()


def test_optimisers_that_look_at_all_arrays_are_given_all():
    assert set(OPTIMISERS) > _LEAFWISE
    for name in ("adafactor", "sm3", "fromage"):
        assert not isinstance(make_optimiser(1e-2, name=name), Leafwise)
    assert not isinstance(make_optimiser(1e-2, freeze=("encode",)), Leafwise)


@pytest.fixture(scope="module")
def stream():
    return TrainingStream([Task(ALGORITHMS[name], (4,)) for name in NAMES], batch_size=2, seed=0)


def trained(stream, optimiser, num_steps=4, average_decay=0.0):
    """The state after some steps of both tasks, and the metrics of the last one."""
    model = make_model(NetConfig(MPNN, hidden_size=4), {task.name: task.spec for task in stream.tasks})
    devices = Devices.all()
    state = devices.make_state(
        lambda: init_state(model, optimiser, stream.examples(), 0, averaged=average_decay > 0)
    )
    step, metrics = make_step(model, optimiser, average_decay=average_decay), {}
    for index in range(num_steps):
        batch = devices.put_batch(stream.batch(index))
        state, metrics = step(state, batch, stream.task(index).name)
    return state, metrics


@pytest.mark.parametrize(
    "options",
    [{}, {"freeze": ("minimum/encode",), "weight_decay": 0.1, "learning_rate_factors": (("bfs", 0.5),)}],
)
def test_training_is_the_same(stream, options):
    optimiser = make_optimiser(1e-2, 1.0, **options)
    (state, metrics), (expected, expected_metrics) = (
        trained(stream, one) for one in (optimiser, whole(optimiser))
    )
    assert jax.tree.structure(state) == jax.tree.structure(expected)
    for one, another in zip(*(jax.tree.leaves(s.params) for s in (state, expected)), strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-5, atol=1e-7)
    assert metrics[FINITE].shape == (1 + 2 * len(parameter_names(state.params)),)
    assert metrics.keys() == expected_metrics.keys()
    for name, value in metrics.items():
        np.testing.assert_allclose(value, expected_metrics[name], rtol=1e-5, err_msg=name)


def test_an_average_moves_in_each_step_whatever_its_task(stream):
    optimiser = make_optimiser(1e-2)
    states = [trained(stream, one, 3, 0.9)[0] for one in (optimiser, whole(optimiser))]
    assert digest(states[0].average) == digest(states[1].average)
