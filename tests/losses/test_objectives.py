"""Objectives: names, views and the context in which they predict."""

import jax
import pytest

import nar
from nar.data import Task, TrainingStream
from nar.losses import (
    OBJECTIVES,
    LossTerm,
    ObjectiveContext,
    find_objective,
    supervised,
    views_of,
    with_views,
)
from nar.model import Budget, FromTrace, Learned, NetConfig, make_model
from nar.processors import MPNN
from nar.training import make_train_step
from nar.training.train_step.objective_gradients import MicroBatch, evaluate_objective

NOT_CALLABLE = "text"


def same(task, traces, generators):
    return traces


@with_views(same=same)
def viewed(model, params, key, batch, context):
    return supervised(model, params, key, batch, context)


def too_few_arguments(model, params):
    return {}


def with_reserved_view(model, params, key, batch, context):
    return {}


with_reserved_view.views = {"batch": same}


def test_names_of_objectives():
    assert find_objective("supervised") is OBJECTIVES["supervised"] is supervised
    assert find_objective("test_objectives:viewed") is viewed
    assert views_of(viewed) == {"same": same} and views_of(supervised) == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "contrast",
            "unknown objective 'contrast'; known: supervised, augmented, hint_relic, contrastive, or",
        ),
        (3, "unknown objective 3"),
        ("test_objectives:NOT_CALLABLE", "has no objective 'NOT_CALLABLE'; it has: .*viewed"),
        (
            "test_objectives:too_few_arguments",
            r"must take the arguments \(model, params, key, batch, context\)",
        ),
        ("test_objectives:with_reserved_view", r"views must be functions by name \(other than 'batch'\)"),
    ],
)
def test_invalid_objectives_are_errors(name, message):
    with pytest.raises(ValueError, match=message):
        find_objective(name)


def test_views_must_be_functions():
    with pytest.raises(ValueError, match="views must be functions by name .* got 'same': None"):
        with_views(same=None)(too_few_arguments)


def test_unknown_view():
    with pytest.raises(ValueError, match="unknown view 'other'; known: batch, same"):
        ObjectiveContext("bfs", None, views={"same": None}).predict(None, {}, None, "other")


@pytest.mark.parametrize("result", [{}, {"pi": 0.5}])
def test_results_must_be_loss_terms(result):
    task = Task(nar.ALGORITHMS["bfs"], (4,))
    batch = TrainingStream([task], 2, 0).batch(0)
    model = make_model(NetConfig(MPNN, 4), {"bfs": task.spec})
    optimizer = nar.training.make_optimizer(1e-3)
    state = jax.eval_shape(lambda: nar.training.init_state(model, optimizer, {"bfs": batch}, 0))
    step = make_train_step(model, optimizer, lambda *arguments: result)
    with pytest.raises(ValueError, match=r"must return a nar\.losses\.LossTerm by name"):
        jax.eval_shape(lambda state: step(state, batch, "bfs"), state)


def test_mean_of_no_entries_is_zero():
    assert LossTerm(jax.numpy.zeros(()), 0).mean == 0
    assert LossTerm(jax.numpy.float32(6), 4).mean == 1.5


@pytest.mark.parametrize(
    ("termination", "metrics"),
    [(FromTrace(), set()), (Learned(Budget(steps=2, steps_per_node=0)), {"steps"})],
)
def test_number_of_steps_is_a_metric_of_learned_halting_only(termination, metrics):
    task = Task(nar.ALGORITHMS["bfs"], (4,))
    batch = TrainingStream([task], batch_size=2, seed=0).batch(0)
    model = make_model(NetConfig(MPNN, 4, termination=termination), {"bfs": task.spec})
    params = jax.eval_shape(model.init, jax.random.key(0), {"bfs": batch})

    def evaluate(params):
        microbatch = MicroBatch(batch, jax.random.key(0), carry={})
        return evaluate_objective(supervised, model, "bfs", params, microbatch)

    assert set(jax.eval_shape(evaluate, params).metrics) == metrics
