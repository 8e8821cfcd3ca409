"""Termination rules: the length of the trace, a step budget, and learned halting."""

import dataclasses
import functools
import math

import every_kind
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nar
from nar import ALGORITHMS
from nar.data import Task, TrainingStream, Transforms, pad_batch, pad_nodes, pad_steps, take
from nar.evaluation import Inference, score_outputs, score_traces
from nar.losses import LossTerm, losses_by_probe, total_loss
from nar.model import Budget, FromTrace, Halting, Learned, NetConfig, Predictions, make_model
from nar.model.params_by_task import flatten_tasks
from nar.model.termination import divergence_from_prior, log_halting
from nar.processors import PGN
from nar.specs import Kind, Location
from nar.traces import sample_traces
from nar.training import Devices, init_state, make_optimizer, make_train_step

HIDDEN = 8
BATCH = 3


# ---------------------------------------------------------------------------------------------------
# The halting objective, compared with a plain loop


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def plain_halting(logits, limit):
    """Halting probabilities p_1 ... p_limit of one sample."""
    survival, result = 1.0, []
    for step in range(1, limit + 1):
        stop = 1.0 if step == limit else sigmoid(logits[step - 1])
        result.append(survival * stop)
        survival *= 1 - stop
    return result


def plain_prior(prior, limit):
    weights = [prior * (1 - prior) ** step for step in range(limit)]
    return [weight / sum(weights) for weight in weights]


def plain_objective(logits, step_limits, losses, prior, weight):
    """Expected loss plus weighted KL divergence, averaged over samples (arXiv 2107.05407, section 2)."""
    total = 0.0
    for sample, limit in enumerate(step_limits):
        p, q = plain_halting(logits[:, sample], limit), plain_prior(prior, limit)
        total += sum(probability * losses[step, sample] for step, probability in enumerate(p))
        total += weight * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return total / len(step_limits)


LIMITS = np.array([5, 1, 3, 4])


def random_logits(num_steps=6):
    return 2 * np.random.default_rng(0).standard_normal((num_steps, len(LIMITS)))


def test_halting_probabilities():
    p = np.exp(jax.jit(log_halting)(random_logits().astype(np.float32), LIMITS))
    np.testing.assert_allclose(p.sum(axis=0), 1, rtol=1e-5)
    for sample, limit in enumerate(LIMITS):
        np.testing.assert_allclose(
            p[:limit, sample], plain_halting(random_logits()[:, sample], limit), rtol=1e-5
        )
        assert not p[limit:, sample].any()


def test_objective_and_gradients_equal_those_of_a_plain_loop():
    """With a ground truth of 0, the output loss of each step is the square of a random prediction."""
    prior, weight = 0.3, 0.7
    spec = every_kind.small_spec(Location.GRAPH, Kind.SCALAR)
    name = spec.outputs[0].name
    batch = every_kind.random_batch(0, spec, batch_size=len(LIMITS))
    batch = dataclasses.replace(batch, outputs={name: np.zeros(len(LIMITS), np.float32)})
    guesses = np.random.default_rng(1).standard_normal((6, len(LIMITS)))

    def objective(logits, guesses):
        log_p = log_halting(logits, jnp.asarray(LIMITS))
        divergence = divergence_from_prior(log_p, jnp.asarray(LIMITS), prior).mean()
        predictions = Predictions(
            outputs={},
            hints={},
            losses={"halting": LossTerm(weight * divergence, 1)},
            steps=jnp.asarray(LIMITS),
            halting=Halting(log_p, {name: guesses}),
        )
        losses = losses_by_probe(spec, batch, predictions)
        assert set(losses) == {name, "auxiliary/halting"}
        return total_loss(losses)

    def plain(logits, guesses):
        return plain_objective(logits, LIMITS, guesses**2, prior, weight)

    arguments = random_logits(), guesses
    value, gradients = jax.jit(jax.value_and_grad(objective, argnums=(0, 1)))(
        *(x.astype(np.float32) for x in arguments)
    )
    assert float(value) == pytest.approx(plain(*arguments), rel=1e-5)
    for index, gradient in enumerate(gradients):
        for entry in np.ndindex(gradient.shape):
            upper, lower = ([x.copy() for x in arguments] for _ in range(2))
            upper[index][entry] += 1e-5
            lower[index][entry] -= 1e-5
            expected = (plain(*upper) - plain(*lower)) / 2e-5
            assert float(gradient[entry]) == pytest.approx(expected, rel=1e-3, abs=1e-5), (index, entry)


# ---------------------------------------------------------------------------------------------------
# Networks


@functools.cache
def batch_of(task, size=5):
    traces = sample_traces(task, size, 10, seed=0)
    batch = Transforms().apply(ALGORITHMS[task], traces)
    return take(batch, np.argsort(-batch.lengths, kind="stable")[[0, 4, 9]])


@functools.cache
def network(task, termination):
    model = make_model(
        NetConfig(PGN, HIDDEN, termination=termination), {task: Transforms().spec(ALGORITHMS[task])}
    )
    shapes = jax.eval_shape(model.init, jax.random.key(0), {task: batch_of(task)})
    random = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: (random.standard_normal(leaf.shape) / leaf.shape[0] ** 0.5).astype(np.float32), shapes
    )

    @functools.partial(jax.jit, static_argnums=2)
    def apply(params, batch, is_training):
        predictions = model.apply(params, jax.random.key(0), task, batch, is_training)
        # A batch without outputs has no losses.
        losses = losses_by_probe(model.specs[task], batch, predictions) if batch.outputs else {}
        return predictions, losses

    return model, params, apply


def predict(task, termination, batch, is_training=False):
    _, params, apply = network(task, termination)
    return apply(params, batch, is_training)[0]


def find_losses(task, termination, batch, is_training=False):
    _, params, apply = network(task, termination)
    return apply(params, batch, is_training)[1]


compiled_losses = jax.jit(losses_by_probe, static_argnums=0)


LEARNED = Learned(Budget(steps=2, steps_per_node=1.4), prior=0.15)
BUDGET = Budget(steps=1, steps_per_node=0.7)
every_rule = pytest.mark.parametrize("termination", [FromTrace(), BUDGET, LEARNED], ids=repr)


def test_step_limits_of_all_rules():
    assert [Budget(1, 0.7).num_steps(n) for n in (0, 1, 5, 10)] == [1, 2, 5, 8]
    assert Budget(0, 1.1).num_steps(10) == 11  # though 1.1 * 10 > 11 in floating point
    batch = batch_of("bfs")
    padded = pad_nodes(batch, Transforms().spec(ALGORITHMS["bfs"]), 9)
    assert BUDGET.max_steps(batch, 5) == 5
    assert BUDGET.max_steps(padded, 9) == 8
    for rule in (BUDGET, LEARNED.budget):
        np.testing.assert_array_equal(rule.step_limits(padded, 9), rule.step_limits(batch, 5))
    np.testing.assert_array_equal(FromTrace().step_limits(batch, 5), np.maximum(batch.lengths - 1, 1))


@pytest.mark.slow
def test_rollouts_take_the_steps_of_trace_and_budget():
    batch = batch_of("bfs")
    np.testing.assert_array_equal(predict("bfs", FromTrace(), batch).steps, np.maximum(batch.lengths - 1, 1))
    predictions = predict("bfs", Budget(steps=7, steps_per_node=0), batch)
    np.testing.assert_array_equal(predictions.steps, 7)
    assert predictions.hints["reach_h"].shape == (7, BATCH, 5)


@pytest.mark.slow
def test_a_budget_of_the_length_of_the_trace_has_the_same_predictions():
    longest = take(batch_of("bfs"), slice(0, 1))
    num_steps = int(longest.lengths[0]) - 1
    assert num_steps > 1
    by_trace = predict("bfs", FromTrace(), longest)
    by_budget = predict("bfs", Budget(steps=num_steps, steps_per_node=0), longest)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), by_trace, by_budget)


@pytest.mark.slow
@pytest.mark.parametrize("thresholds", [(0.2, 0.5), pytest.param((0.2, 0.8), marks=pytest.mark.slow)])
def test_evaluation_stops_at_the_threshold(thresholds):
    """Evaluation stops where p_1 + ... + p_n of training first reaches the threshold."""
    batch, all_steps = batch_of("bfs", 7), set()
    for threshold in thresholds:
        rule = dataclasses.replace(LEARNED, threshold=threshold)
        trained, evaluated = (predict("bfs", rule, batch, is_training) for is_training in (True, False))
        reached = np.exp(trained.halting.log_probabilities).cumsum(axis=0) >= threshold
        steps = np.where(reached.any(axis=0), reached.argmax(axis=0), len(reached) - 1) + 1
        np.testing.assert_array_equal(evaluated.steps, steps)
        np.testing.assert_array_equal(trained.steps, steps)
        assert evaluated.halting is None
        at_each_step = np.asarray(trained.halting.outputs["pi"])
        for predictions in (trained, evaluated):
            np.testing.assert_allclose(
                predictions.outputs["pi"], at_each_step[steps - 1, range(BATCH)], rtol=1e-4, atol=1e-4
            )
        all_steps |= set(steps)
    assert len(all_steps) > 1
    assert min(all_steps) < LEARNED.budget.num_steps(7)


@pytest.mark.parametrize("is_training", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("task", ["bfs", pytest.param("minimum", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "termination",
    [*(pytest.param(rule, marks=pytest.mark.slow) for rule in (FromTrace(), BUDGET)), LEARNED],
    ids=repr,
)
def test_padding_does_not_change_predictions_or_losses(task, termination, is_training):
    batch, (model, _, _) = batch_of(task), network(task, termination)
    padded = pad_nodes(pad_steps(batch, batch.num_steps + 3), model.specs[task], 8)
    single = pad_batch(take(padded, slice(2, 3)), BATCH)
    before, after, of_single = (predict(task, termination, x, is_training) for x in (batch, padded, single))
    np.testing.assert_array_equal(after.steps, before.steps)
    np.testing.assert_array_equal(of_single.steps, before.steps[2])
    for name, value in before.outputs.items():
        real = tuple(slice(length) for length in value.shape)
        np.testing.assert_allclose(after.outputs[name][real], value, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(of_single.outputs[name][real][0], value[2], rtol=1e-4, atol=1e-4)
    losses, losses_after = (find_losses(task, termination, x, is_training) for x in (batch, padded))
    assert set(losses) == set(losses_after)
    for name, loss in losses.items():
        assert float(losses_after[name]) == pytest.approx(float(loss), rel=1e-4, abs=1e-5), name


@pytest.mark.parametrize("termination", [BUDGET, LEARNED], ids=repr)
def test_predictions_depend_only_on_inputs_and_initial_hints(termination):
    """Predictions do not depend on lengths, later hints or outputs of the trace."""
    batch = batch_of("bfs")
    unlabelled = dataclasses.replace(
        batch,
        hints={name: value[:1] for name, value in batch.hints.items()},
        outputs={},
        lengths=np.ones_like(batch.lengths),
    )
    before, after = (predict("bfs", termination, x) for x in (batch, unlabelled))
    jax.tree.map(np.testing.assert_array_equal, before, after)


@pytest.mark.slow
def test_inference_applies_every_rule():
    """Steps and outputs are those of the model for any batch size."""
    batch = batch_of("bfs", 7)
    for rule in (FromTrace(), BUDGET, LEARNED):
        model, params, _ = network("bfs", rule)
        decoded = Inference(model, Transforms(), batch_size=2).run_transformed(params, "bfs", batch)
        expected = predict("bfs", rule, batch)
        np.testing.assert_array_equal(decoded.steps, expected.steps)
        np.testing.assert_array_equal(decoded.outputs["pi"], expected.outputs["pi"].argmax(axis=-1))


@pytest.mark.slow
def test_hint_losses_are_means_over_the_steps_of_both_rollout_and_trace():
    """The budget has more or fewer steps than the trace."""
    batch, task = batch_of("bfs"), "bfs"
    whole = predict(task, FromTrace(), batch)
    for num_steps in (1, batch.num_steps + 4):
        model, _, _ = network(task, rule := Budget(steps=num_steps, steps_per_node=0))
        predictions = predict(task, rule, batch)
        common = min(num_steps, batch.num_steps - 1)
        cut = dataclasses.replace(
            batch,
            hints={name: value[: common + 1] for name, value in batch.hints.items()},
            lengths=np.minimum(batch.lengths, common + 1),
        )
        expected = compiled_losses(
            model.specs[task],
            cut,
            dataclasses.replace(whole, hints={k: v[:common] for k, v in whole.hints.items()}),
        )
        losses = compiled_losses(model.specs[task], batch, predictions)
        for name in ("reach_h", "pi_h"):
            assert float(losses[name]) == pytest.approx(float(expected[name]), rel=1e-4), (num_steps, name)


def test_only_learned_halting_adds_parameters():
    with_head, without = (set(flatten_tasks(network("bfs", rule)[1])) for rule in (LEARNED, BUDGET))
    assert with_head - without == {"bfs/halt/nodes", "bfs/halt/out"}
    assert without == set(flatten_tasks(network("bfs", FromTrace())[1]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Budget(-1, 1.0), "budget steps must be a number from 0 to 100000, got -1"),
        (lambda: Budget(1, float("nan")), "budget steps_per_node must be .*, got nan"),
        (lambda: Budget(0, 0.0), "a budget must have positive steps or steps_per_node"),
        (lambda: Learned(prior=1.0), "halting prior must lie between 0 and 1, got 1.0"),
        (lambda: Learned(threshold=0.0), "halting threshold must lie between 0 and 1, got 0.0"),
        (lambda: Learned(weight=-0.1), "halting weight must be a finite number >= 0, got -0.1"),
    ],
)
def test_invalid_values_raise(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---------------------------------------------------------------------------------------------------
# Learning


@pytest.mark.slow
def test_halting_is_learned():
    """On paths of eight nodes the farthest node is four to seven steps from the source."""
    options = {"family": "path"}
    task = Task(ALGORITHMS["bfs"], (8,), options)
    stream = TrainingStream([task], batch_size=16, seed=0)
    rule = Learned(Budget(steps=12, steps_per_node=0), prior=0.2)
    model = make_model(NetConfig(PGN, 16, termination=rule), {"bfs": task.spec})
    optimizer, devices = make_optimizer(5e-3, 1.0), Devices.all()
    state = devices.make_state(lambda: init_state(model, optimizer, {"bfs": stream.batch(0)}, 0))
    before = jax.tree.map(np.array, state.params)
    step, rows = make_train_step(model, optimizer), []
    for index in range(300):
        state, metrics = step(state, devices.put_batch(stream.batch(index)), "bfs")
        rows.append(jax.device_get(metrics))
    for module, leaves in flatten_tasks(before).items():
        for name, value in leaves.items():
            logit_bias = name == "b" and module.endswith("/out") and "halt" not in module
            graph = module.endswith("/graph")  # bfs has no graph features
            changed = not np.array_equal(value, flatten_tasks(state.params)[module][name])
            assert logit_bias or graph or changed, (module, name)
    assert set(rows[0]) >= {"loss/bfs/auxiliary/halting", "steps/bfs"}
    assert np.mean([row["loss"] for row in rows[-10:]]) < 0.1 < rows[0]["loss"]

    traces = nar.sample_traces("bfs", 8, 64, seed=9, **options)
    batch = Transforms().apply(task.algorithm, traces)
    inference = Inference(model, Transforms())
    decoded = inference.run_transformed(state.params, "bfs", batch)
    scores = score_traces(inference, state.params, "bfs", traces)
    assert scores["score"] > 0.99
    assert scores["steps"] == pytest.approx(decoded.steps.mean())
    assert 4 <= decoded.steps.min() <= decoded.steps.max() <= 10
    # After one step a node has information only from its neighbors. An inner node that is adjacent neither to
    # the source nor to an end of the path must guess the side of the source: at best 3 in 32 nodes are wrong.
    at_each_step = model.apply(state.params, jax.random.key(0), "bfs", batch, True).halting.outputs
    after_one = score_outputs(model.specs["bfs"], batch, {name: x[0] for name, x in at_each_step.items()})
    assert after_one["score"] < scores["score"] - 0.08
