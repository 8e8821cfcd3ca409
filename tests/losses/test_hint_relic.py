"""Hint-ReLIC: its two terms against numpy, their gradients, and the objectives that augment problems."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nar
from nar.data import MultiSeedStream, Task, TrainingStream, Transforms
from nar.data.augmentation import SHARED_NODES, SHARED_STEPS
from nar.losses import Augmented, HintReLIC, LossTerm, find_objective, loss_terms
from nar.losses.hint_relic import relic as relic_of_arrays
from nar.model import NetConfig, Predictions, make_model
from nar.processors import MPNN
from nar.training import Devices, init_state, make_train_step
from nar.training.train_step import loop_seeds
from nar.training.train_step.gradient_accumulation import MicroBatch
from nar.training.train_step.objective_gradients import evaluate_objective

TASK = Task(nar.ALGORITHMS["bfs"], (5,), transforms=Transforms(reversed_pointers=True))
CONFIG = NetConfig(MPNN, 8, pair_size=3, hint_mode="decoded_only")
MODEL = make_model(CONFIG, {"bfs": TASK.spec})
RELIC = ("relic/contrast", "relic/invariance")
DEVICES, OPTIMIZER = Devices.one(), optax.sgd(0.1)
relic = jax.jit(relic_of_arrays)


def arrays(num_steps=2, batch=2, old=3, new=2, size=4, seed=0):
    random = np.random.default_rng(seed)
    nodes = np.stack([np.sort(random.permutation(old + new)[:old]) for _ in range(batch)])
    return (
        random.normal(size=(num_steps, batch, old, old, size)).astype(np.float32),
        random.normal(size=(num_steps, batch, old + new, old + new, size)).astype(np.float32),
        nodes.astype(np.int32),
        random.integers(old, size=(num_steps, batch, old)).astype(np.int32),
    )


def softmax(values):
    exponentials = np.exp(values - values.max())
    return exponentials / exponentials.sum()


def unit(vector):
    return vector / np.sqrt((vector**2).sum())


def by_hand(pairs, others, nodes, pointers, temperature):
    """The formulas of the module's docstring, one node at a time."""
    contrast, invariance = np.zeros(pointers.shape), np.zeros(pointers.shape)
    for s, b, i in np.ndindex(pointers.shape):
        target = pointers[s, b, i]
        f = [unit(pairs[s, b, i, u]) for u in range(pairs.shape[2])]
        g = [unit(others[s, b, nodes[b, i], u]) for u in range(others.shape[2])]
        other_target = nodes[b, target]
        to_others = np.array([f[target] @ one for one in g]) / temperature
        to_pairs = np.array([g[other_target] @ one for one in f]) / temperature
        first, second = softmax(to_others)[other_target], softmax(to_pairs)[target]
        contrast[s, b, i] = -(np.log(first) + np.log(second)) / 2
        p, q = softmax(to_others[nodes[b]]), softmax(to_pairs)
        invariance[s, b, i] = (p * np.log(p / q)).sum()
    return contrast, invariance


@pytest.mark.parametrize("temperature", [0.1, 2.0])
def test_terms_equal_the_form_in_numpy(temperature):
    values = arrays()
    for found, expected in zip(relic(*values, temperature), by_hand(*values, temperature), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-5)


def test_same_representations_are_invariant():
    pairs, _, _, pointers = arrays(new=0)
    nodes = np.broadcast_to(np.arange(3), (2, 3))
    contrast, invariance = relic(pairs, 2 * pairs, nodes, pointers, 0.5)
    np.testing.assert_allclose(invariance, 0, atol=1e-6)
    assert (contrast > 0).all()
    near = relic(pairs, pairs, nodes, pointers, 0.01)[0]
    assert near.mean() < 0.01 < contrast.mean()


def test_gradients_equal_finite_differences():
    pairs, others, nodes, pointers = arrays(1, 1, 3, 1, 3)
    weights = np.random.default_rng(1).normal(size=(2, 1, 1, 3))

    def total(pairs, others):
        terms = relic(pairs, others, nodes, pointers, 0.7)
        return sum((term * weight).sum() for term, weight in zip(terms, weights, strict=True))

    gradients = jax.jit(jax.grad(total, (0, 1)))(pairs, others)

    def in_float64(pairs, others):
        terms = by_hand(pairs, others, nodes, pointers, 0.7)
        return sum((term * weight).sum() for term, weight in zip(terms, weights, strict=True))

    given = [pairs.astype(np.float64), others.astype(np.float64)]
    for index, gradient in enumerate(gradients):
        for place in np.ndindex(gradient.shape):
            values = []
            for change in (1e-5, -1e-5):
                changed = [value.copy() for value in given]
                changed[index][place] += change
                values.append(in_float64(*changed))
            expected = (values[0] - values[1]) / 2e-5
            assert gradient[place] == pytest.approx(expected, abs=2e-4), (index, place)


def test_gradient_at_zero_is_finite():
    pairs, others, nodes, pointers = arrays()
    gradient = jax.jit(jax.grad(lambda pairs: relic(pairs, others, nodes, pointers, 0.1)[0].sum()))(0 * pairs)
    assert np.isfinite(gradient).all()


def predictions_of(pairs):
    return Predictions({}, {}, {}, jnp.zeros(2, jnp.int32), pairs={"pi_h": pairs})


def test_terms_are_means_over_shared_steps():
    """Only the first steps count; two steps of one trace and one of the other are shared."""
    pairs, others, nodes, pointers = arrays(4)
    batch = dataclasses.replace(stream_of().batch(0).batch)
    hints = {"pi_h": np.concatenate([np.zeros_like(pointers[:1]), pointers])}
    batch = dataclasses.replace(batch, hints=hints)
    shared = np.array([2, 1], np.int32)
    view = dataclasses.replace(batch, inputs={SHARED_NODES: nodes, SHARED_STEPS: shared})
    objective = HintReLIC(temperature=0.5)
    terms = objective.relic_terms(batch, view, predictions_of(pairs), predictions_of(others[:3]))
    expected = by_hand(pairs, others, nodes, pointers, 0.5)
    for name, values in zip(RELIC, expected, strict=True):
        assert terms[name].count == 9
        assert float(terms[name].sum) == pytest.approx(values[:2, 0].sum() + values[:1, 1].sum(), rel=1e-4)


def stream_of(objective=None, seed=0, **options):
    objective = objective or HintReLIC(new_nodes=2)
    return TrainingStream([TASK], 4, seed, views=objective.views, **options)


def evaluated(objective, batch, params):
    return evaluate_objective(
        objective, MODEL, "bfs", params, MicroBatch(batch, jax.random.key(1), carry={})
    ).terms


@pytest.mark.slow
def test_objective_adds_two_terms_to_the_supervised_losses():
    objective = HintReLIC(new_nodes=2)
    batch, params = stream_of().batch(0), MODEL.init(jax.random.key(0), stream_of().examples())
    terms = evaluated(objective, batch, params)
    assert set(terms) == {"pi", "pi_h", "reach_h", "pi_h_reversed", *RELIC}
    supervised = loss_terms(
        TASK.spec, batch.batch, MODEL.apply(params, jax.random.key(1), "bfs", batch.batch, True)
    )
    for name, term in supervised.items():
        assert float(terms[name].mean) == pytest.approx(float(term.mean), rel=1e-5)
    shared = batch.views["augmented"].inputs[SHARED_STEPS]
    assert terms["relic/contrast"].count == shared.sum() * 5
    assert all(float(terms[name].mean) > 0 for name in RELIC)


@pytest.mark.slow
def test_plain_augmentation_is_the_mean_over_both():
    objective = Augmented(new_nodes=2)
    batch = stream_of(objective).batch(0)
    params = MODEL.init(jax.random.key(0), stream_of(objective).examples())
    terms = evaluated(objective, batch, params)
    parts = [
        loss_terms(TASK.spec, part, MODEL.apply(params, jax.random.key(1), "bfs", part, True))
        for part in (batch.batch, batch.views["augmented"])
    ]
    assert set(terms) == set(parts[0])
    for name, term in terms.items():
        mean = LossTerm(sum(part[name].sum for part in parts), sum(part[name].count for part in parts)).mean
        assert float(term.mean) == pytest.approx(float(mean), rel=1e-5)


@pytest.mark.slow
def test_gradient_of_the_network_equals_finite_differences():
    objective = HintReLIC(temperature=1.0, new_nodes=2)
    batch = jax.tree.map(jnp.asarray, stream_of().batch(0))
    params = MODEL.init(jax.random.key(0), stream_of().examples())

    @jax.jit
    def loss(params):
        terms = evaluated(objective, batch, params)
        return sum(terms[name].mean for name in RELIC)

    gradient = jax.jit(jax.grad(loss))(params)
    leaves, tree = jax.tree.flatten(params)
    random = np.random.default_rng(0)
    direction = [random.normal(size=leaf.shape).astype(np.float32) for leaf in leaves]
    expected = sum((one * way).sum() for one, way in zip(jax.tree.leaves(gradient), direction, strict=True))
    values = [
        float(
            loss(
                jax.tree.unflatten(
                    tree, [leaf + size * way for leaf, way in zip(leaves, direction, strict=True)]
                )
            )
        )
        for size in (5e-5, -5e-5)  # few kinks of ReLU and maximum are that near
    ]
    assert (values[0] - values[1]) / 1e-4 == pytest.approx(float(expected), rel=0.05, abs=1e-3)
    assert any(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient["processor"]))


def test_reversed_pointers_are_encoded_and_decoded():
    for mode, is_encoded in (("encoded_decoded", True), ("decoded_only", False)):
        model = make_model(dataclasses.replace(CONFIG, hint_mode=mode), {"bfs": TASK.spec})
        params = jax.eval_shape(model.init, jax.random.key(0), stream_of().examples())["bfs"]
        assert any("encode/pi_h_reversed" in name for name in params) == is_encoded
        assert any("decode/pi_h_reversed" in name for name in params)
        assert any("decode/pi_h/pair" in name for name in params)


def trained(stream, step, seed=0, num_steps=2):
    state = DEVICES.make_state(lambda: init_state(MODEL, OPTIMIZER, stream.examples(), seed))
    rows = []
    for index in range(num_steps):
        batch = DEVICES.put_batch(stream.batch(index), stream.num_leading_axes)
        state, metrics = step(state, batch, "bfs", None)
        rows.append(metrics)
    return jax.device_get((dataclasses.replace(state, key=None), rows))


def assert_close(first, second):
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-5), first, second)


@pytest.mark.slow
@pytest.mark.parametrize("objective", [HintReLIC(new_nodes=2), Augmented(new_nodes=2)])
def test_accumulated_gradients_equal_those_of_the_whole_batch(objective):
    stream = stream_of(objective, num_microbatches=2)
    steps = [make_train_step(MODEL, OPTIMIZER, objective, num_microbatches=number) for number in (1, 2)]
    (first, rows), (second, others) = [trained(stream, step) for step in steps]
    assert_close(first.params, second.params)
    for row, other in zip(rows, others, strict=True):
        for name in (name for name in row if name.startswith("loss")):
            np.testing.assert_allclose(row[name], other[name], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_each_seed_equals_its_own_run():
    objective = HintReLIC(new_nodes=2)
    streams = [stream_of(objective, seed) for seed in (3, 4)]
    step = make_train_step(MODEL, OPTIMIZER, objective, map_over_seeds=loop_seeds)
    _, rows = trained(MultiSeedStream(streams), step, [3, 4])
    for index, seed in enumerate((3, 4)):
        _, expected = trained(streams[index], make_train_step(MODEL, OPTIMIZER, objective), seed)
        for row, other in zip(rows, expected, strict=True):
            for name in (f"loss/bfs/{name}" for name in RELIC):
                np.testing.assert_allclose(row[name][index], other[name], rtol=1e-3)


# ---------------------------------------------------------------------------------------------------
# Options


def test_options():
    objective = find_objective("hint_relic", {"temperature": 0.5, "new_nodes": 0})
    assert isinstance(objective, HintReLIC) and objective.temperature == 0.5
    assert not objective.views["augmented"].is_whole
    assert find_objective("augmented").views["augmented"].is_whole


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hint_relic", {"tau": 1}, "unknown option of hint_relic 'tau'; known: temperature, new_nodes"),
        ("hint_relic", {"temperature": 0}, "temperature must be a number greater than 0, got 0"),
        ("hint_relic", {"new_nodes": -1}, "new_nodes must be an integer of at least 0, got -1"),
        ("augmented", {"new_nodes": 1.5}, "new_nodes must be an integer of at least 0, got 1.5"),
        ("supervised", {"new_nodes": 1}, r"objective 'supervised' has no options, got \['new_nodes'\]"),
    ],
)
def test_invalid_options_are_errors(name, options, message):
    with pytest.raises(ValueError, match=message):
        find_objective(name, options)


@pytest.mark.parametrize(
    ("options", "task", "message"),
    [
        ({"pair_size": 0}, "bfs", "set model.pair_size"),
        ({"hint_mode": "none"}, "bfs", "needs predicted hints"),
        ({}, "floyd_warshall", "floyd_warshall has no hint that points from nodes"),
    ],
)
def test_networks_that_have_nothing_to_compare_are_errors(options, task, message):
    config = dataclasses.replace(CONFIG, **options)
    model = make_model(config, {task: Transforms().spec(nar.ALGORITHMS[task])})
    with pytest.raises(ValueError, match=message):
        HintReLIC().check_model(model)
