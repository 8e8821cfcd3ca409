"""Optimizers, schedules, moving average and early stopping: parity with optax, and resumption."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import base
from nar.algorithms import ALGORITHMS
from nar.data import Task, TrainingStream
from nar.model import NetConfig, make_model
from nar.processors import PROCESSORS
from nar.runs.components import build_graph_run
from nar.runs.config import RunConfig
from nar.runs.workdir import Workdir
from nar.training import (
    OPTIMIZERS,
    SCHEDULES,
    Callback,
    Checkpoints,
    Devices,
    EarlyStopping,
    SaveCheckpoints,
    StepReport,
    TrainState,
    Validate,
    fit,
    init_state,
    make_optimizer,
    make_schedule,
    make_train_step,
)
from nar.training.checkpointing import RestoredCheckpoint
from nar.training.loop import Clock, Evaluation, restore_states
from nar.training.optim import depends_on_length
from nar.training.state import digest, update_ema

DEVICES = Devices.all()
PARAMS = {
    "processor/a": {"w": np.array([[1, -2]], np.float32), "b": np.array([0.5], np.float32)},
    "bfs/b": {"w": np.ones(3, np.float32)},
}


def gradients_at(step, params=PARAMS):
    random = np.random.default_rng(step)
    return jax.tree.map(lambda leaf: random.normal(size=leaf.shape).astype(np.float32), params)


def trained(optimizer, num_steps=5):
    """Parameters after some steps with fixed gradients."""

    @jax.jit
    def train(params, gradients):
        def step(carry, gradient):
            updates, state = optimizer.update(gradient, carry[1], carry[0])
            return (optax.apply_updates(carry[0], updates), state), None

        return jax.lax.scan(step, (params, optimizer.init(params)), gradients)[0][0]

    gradients = [gradients_at(step) for step in range(num_steps)]
    return jax.device_get(train(PARAMS, jax.tree.map(lambda *leaves: np.stack(leaves), *gradients)))


def assert_close(actual, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7), actual, expected)


def differs(actual, expected):
    return any(
        not np.allclose(a, b) for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True)
    )


# ---------------------------------------------------------------------------------------------------
# Optimizers


def test_default_optimizer_is_adam_with_clipping():
    ours, plain = make_optimizer(1e-2, 1.0), optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2))
    assert jax.tree.structure(ours.init(PARAMS)) == jax.tree.structure(plain.init(PARAMS))
    assert digest(trained(ours)) == digest(trained(plain))


def test_all_optax_optimizers_are_registered():
    """All optimizers in optax's documentation that take a learning rate and one gradient per step."""
    documented = """
        adabelief adadelta adafactor adagrad adam adamax adamaxw adamw adan amsgrad fromage lamb lars lion
        noisy_sgd novograd optimistic_adam_v2 optimistic_gradient_descent radam rmsprop rprop sgd sign_sgd
        signum sm3 yogi
    """
    assert set(documented.split()) <= set(OPTIMIZERS)


COMMON = ("adam", "adamw", "lamb", "lion", "noisy_sgd", "sgd")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in COMMON else [pytest.mark.slow]) for name in OPTIMIZERS]
)
def test_every_optimizer_decreases_the_loss_and_updates_all_parameters(name):
    options = {"noisy_sgd": {"key": 0}, "adadelta": {"eps": 1e-2}}
    rate = {"adadelta": 1.0, "rprop": 0.01}.get(name, 0.02)
    optimizer = make_optimizer(rate, 1.0, name=name, options=options.get(name, {}))

    def norm(params):
        return optax.tree.norm(params, squared=True)

    @jax.jit
    def train(params):
        def step(carry, _):
            updates, state = optimizer.update(jax.grad(norm)(carry[0]), carry[1], carry[0])
            return (optax.apply_updates(carry[0], updates), state), None

        params, _ = jax.lax.scan(step, (params, optimizer.init(params)), length=20)[0]
        return params, norm(params)

    params, loss = train(jax.tree.map(jnp.asarray, PARAMS))
    assert loss < sum(np.sum(leaf**2) for leaf in jax.tree.leaves(PARAMS))
    for before, after in zip(jax.tree.leaves(PARAMS), jax.tree.leaves(params), strict=True):
        assert not np.array_equal(before, after)


def test_options_reach_the_optimizer():
    assert_close(
        trained(make_optimizer(0.1, name="sgd", options={"momentum": 0.9, "nesterov": True})),
        trained(optax.sgd(0.1, momentum=0.9, nesterov=True)),
    )
    assert_close(
        trained(make_optimizer(0.1, name="optax.contrib:ademamix", options={"b1": 0.8})),
        trained(optax.contrib.ademamix(0.1, b1=0.8)),
    )


@pytest.mark.parametrize("rate", [0.1, optax.cosine_decay_schedule(0.1, 4)])
def test_adam_with_weight_decay_equals_adamw(rate):
    ours = trained(make_optimizer(rate, weight_decay=0.3))
    assert_close(ours, trained(optax.adamw(rate, weight_decay=0.3)))
    assert differs(ours, trained(optax.adam(rate)))
    mask = {"processor/a": {"w": True, "b": False}, "bfs/b": {"w": True}}
    assert_close(
        trained(make_optimizer(rate, weight_decay=0.3, weight_decay_exclude=("/b$",))),
        trained(optax.adamw(rate, weight_decay=0.3, mask=mask)),
    )


def test_multipliers_equal_separate_learning_rates():
    labels = {"processor/a": {"w": "slow", "b": "fast"}, "bfs/b": {"w": "default"}}
    for name, factory in (("adam", optax.adam), ("sgd", optax.sgd)):
        rates = {"default": 0.1, "slow": 0.05, "fast": 0.1}
        plain = optax.partition({label: factory(rate) for label, rate in rates.items()}, labels)
        multipliers = (("^processor/", 0.5), ("/b$", 2.0))
        ours = make_optimizer(0.1, 1.0, name=name, learning_rate_multipliers=multipliers)
        assert_close(trained(ours), trained(optax.chain(optax.clip_by_global_norm(1.0), plain)))


def test_frozen_parameters_are_excluded_from_clipping_and_decay():
    ours = trained(make_optimizer(0.1, 1.0, ("^bfs/",), name="sgd", weight_decay=0.3))
    assert np.array_equal(ours["bfs/b"]["w"], PARAMS["bfs/b"]["w"])
    params = {"processor/a": PARAMS["processor/a"]}
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.add_decayed_weights(0.3))
    update = jax.jit(lambda gradients, params: optimizer.update(gradients, optimizer.init(params), params)[0])
    for step in range(5):
        updates = update({"processor/a": gradients_at(step)["processor/a"]}, params)
        params = jax.tree.map(lambda p, u: p - 0.1 * u, params, updates)
    assert_close(ours["processor/a"], params["processor/a"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "adm"}, "unknown optimizer 'adm'; known: adabelief, .*adam, .*or module:ATTRIBUTE"),
        ({"name": "lbfgs"}, "unknown optimizer 'lbfgs'"),
        ({"options": {"beta": 0.9}}, "optimizer_options: adam has no option 'beta'; known: b1, b2, eps"),
        ({"options": {"b1": "high"}}, "optimizer adam cannot be used with options {'b1': 'high'}"),
        ({"weight_decay": -0.1}, "weight_decay must not be negative, got -0.1"),
        ({"weight_decay": float("inf")}, "weight_decay must be finite, got inf"),
        ({"name": "adamw", "weight_decay": 0.1}, "adamw has its own option weight_decay"),
        (
            {"learning_rate_multipliers": (("a", 0.0),)},
            "the factor of 'a' must be a positive number, got 0.0",
        ),
        ({"learning_rate_multipliers": ("a",)}, r"must be pairs \(pattern, factor\), got 'a'"),
        (
            {"learning_rate_multipliers": (("(", 1.0),)},
            r"learning_rate_multipliers pattern '\(' is not a regular",
        ),
        (
            {"weight_decay": 0.1, "weight_decay_exclude": (3,)},
            "weight_decay_exclude pattern 3 is not a string",
        ),
    ],
)
def test_invalid_optimizers_are_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_optimizer(1e-3, **arguments)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_learning_rate_is_positive_and_finite(rate):
    for make in (make_optimizer, lambda rate: make_schedule("constant", rate, 10)):
        with pytest.raises(ValueError, match=f"learning_rate must be positive and finite, got {rate}"):
            make(rate)


# ---------------------------------------------------------------------------------------------------
# Schedules

STEPS = 40
CASES = {
    "constant": ({}, lambda t: 0.5),
    "linear": ({}, lambda t: 0.5 * (1 - t / STEPS)),
    "polynomial": ({"power": 2}, lambda t: 0.5 * (1 - t / STEPS) ** 2),
    "cosine": ({"alpha": 0.1}, lambda t: 0.5 * (0.1 + 0.9 * (1 + np.cos(np.pi * t / STEPS)) / 2)),
    "exponential": ({"decay_rate": 0.1}, lambda t: 0.5 * 0.1 ** (t / STEPS)),
    "piecewise_constant": (
        {"boundaries_and_scales": ((10, 0.1), (20, 0.5))},
        lambda t: 0.5 * (1 if t < 10 else 0.1 if t < 20 else 0.05),
    ),
    "piecewise_interpolate": (
        {"interpolate_type": "linear", "boundaries_and_scales": {"40": 0.5}},
        lambda t: 0.5 - 0.25 * t / STEPS,
    ),
    "one_cycle_linear": (
        {"pct_start": 0.5, "pct_final": 0.75, "div_factor": 5.0, "final_div_factor": 1e9},
        lambda t: 0.1 + 0.02 * t if t <= 20 else 0.5 - 0.04 * (t - 20) if t <= 30 else 0.1 - 0.01 * (t - 30),
    ),
    "one_cycle_cosine": (
        {"pct_start": 0.5, "div_factor": 5.0, "final_div_factor": 5.0},
        lambda t: (
            0.1 + 0.4 * (1 - np.cos(np.pi * t / 20)) / 2
            if t <= 20
            else 0.1 + 0.4 * (1 + np.cos(np.pi * (t - 20) / 20)) / 2
        ),
    ),
    "warmup_constant": ({"warmup_steps": 10}, lambda t: 0.5 * min(t / 10, 1)),
    "warmup_cosine": (
        {"warmup_steps": 10},
        lambda t: 0.5 * (t / 10 if t < 10 else (1 + np.cos(np.pi * (t - 10) / 30)) / 2),
    ),
    "warmup_exponential": (
        {"warmup_steps": 10, "decay_rate": 0.1},
        lambda t: 0.5 * (t / 10 if t < 10 else 0.1 ** ((t - 10) / STEPS)),
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in ("cosine", "linear", "warmup_cosine")))
        for name in SCHEDULES
    ],
)
def test_schedules_equal_their_formulas(name):
    options, formula = CASES[name]
    schedule = make_schedule(name, 0.5, STEPS, options)
    rates = [schedule] * STEPS
    if callable(schedule):
        rates = jax.device_get(jax.jit(jax.vmap(schedule))(np.arange(STEPS)))
    if name == "one_cycle_cosine":  # the final learning rate is the first divided by final_div_factor
        rates, formula_steps = rates[:20], 20
    else:
        formula_steps = STEPS
    np.testing.assert_allclose(rates, [formula(t) for t in range(formula_steps)], rtol=1e-4, atol=1e-6)


def custom_schedule(learning_rate, num_steps, factor=1.0):
    return lambda count: factor * learning_rate * (1 - count / num_steps)


def test_custom_schedule():
    schedule = make_schedule("test_optim:custom_schedule", 0.5, STEPS, {"factor": 2.0})
    assert float(schedule(10)) == pytest.approx(0.75)


def test_optimizer_evaluates_the_schedule_at_each_step():
    rates = [0.1 * (1 - t / 5) for t in range(5)]
    expected = PARAMS
    for step, rate in enumerate(rates):
        expected = jax.tree.map(lambda p, g: p - rate * g, expected, gradients_at(step))  # noqa: B023
    assert_close(trained(make_optimizer(make_schedule("linear", 0.1, 5), name="sgd")), expected)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cosin", {}, "unknown schedule 'cosin'; known: constant, linear, .*or module:ATTRIBUTE"),
        ("cosine", {"warmup_steps": 5}, "cosine has no option 'warmup_steps'; known: decay_steps, alpha"),
        ("cosine", {"init_value": 5}, "cosine has no option 'init_value'"),
        ("cosine", {"decay_steps": 0}, "schedule_options of cosine, .*positive decay_steps"),
        (
            "warmup_cosine",
            {},
            "schedule_options of warmup_cosine, .*: missing a required argument: 'warmup_steps'",
        ),
        ("warmup_cosine", {"warmup_steps": "ten"}, "schedule_options of warmup_cosine"),
        ("linear", {"end_value": -1.0}, "a learning rate would be -"),
        ("piecewise_constant", {"boundaries_and_scales": (5,)}, "schedule_options of piecewise_constant"),
        ("constant", {"value": 1.0}, "constant has no option 'value'; known: none"),
    ],
)
def test_invalid_schedules_are_errors(name, options, message):
    with pytest.raises(ValueError, match=message):
        make_schedule(name, 0.1, 50, options)


def test_run_with_length_dependent_schedule_cannot_be_extended(tmp_path):
    assert depends_on_length("cosine", {}) and not depends_on_length("cosine", {"decay_steps": 5})
    assert not depends_on_length("constant", {})
    training = {"steps": 5, "schedule": "cosine", "schedule_options": {}}
    workdir = Workdir(tmp_path)
    workdir.check({"training": training})
    workdir.claim({"training": training})
    with pytest.raises(ValueError, match="cannot be extended from 5 to 9 steps"):
        workdir.check({"training": {**training, "steps": 9}})


# ---------------------------------------------------------------------------------------------------
# Moving average, early stopping, resumption


def scaled(factor):
    return jax.tree.map(lambda leaf: leaf * np.float32(factor), PARAMS)


def test_moving_average_is_a_weighted_mean():
    history = [scaled(step) for step in range(1, 8)]
    for decay in (0.0, 0.9, 0.9999):
        average, reference = PARAMS, optax.ema(decay)
        state, move = reference.init(PARAMS), jax.jit(functools.partial(update_ema, decay=decay))
        update = jax.jit(reference.update)
        for step, params in enumerate(history, 1):
            average = move(average, params, np.int32(step))
            theirs, state = update(params, state)
        weights = np.array([decay ** (7 - step) for step in range(1, 8)])
        expected = (weights * np.arange(1, 8)).sum() / weights.sum()
        assert_close(average, scaled(np.float32(expected)))
        if decay < 0.99:  # in float32, the correction of optax is not exact for long averages
            assert_close(average, theirs)


OPTIONS = {
    "learning_rate": make_schedule("warmup_cosine", 1e-2, 12, {"warmup_steps": 2}),
    "grad_clip_norm": 1.0,
    "frozen_params": ("/encode/pos",),
    "name": "radam",
    "weight_decay": 0.01,
    "weight_decay_exclude": ("/b$",),
    "learning_rate_multipliers": (("^processor/", 0.5),),
}


class Run:
    """A small run with every option."""

    def __init__(self):
        self.tasks = tuple(Task(ALGORITHMS[name], (4,)) for name in ("minimum",))
        self.stream = TrainingStream(self.tasks, batch_size=2, seed=0)
        config = NetConfig(PROCESSORS["mpnn"], hidden_size=4, hint_mode="none")
        self.model = make_model(config, {task.name: task.spec for task in self.tasks})
        self.optimizer = make_optimizer(**OPTIONS)
        self.step = make_train_step(self.model, self.optimizer, ema_decay=0.5)
        batches = {task.name: self.stream.batch(index) for index, task in enumerate(self.tasks)}
        state = DEVICES.make_state(lambda: init_state(self.model, self.optimizer, batches, 0, track_ema=True))
        self.start = jax.tree.map(np.array, dataclasses.replace(state, key=jax.random.key_data(state.key)))

    def state(self):
        start = jax.tree.map(jnp.array, self.start)
        return DEVICES.make_state(lambda: dataclasses.replace(start, key=jax.random.wrap_key_data(start.key)))

    def fit(self, state, num_steps, *callbacks):
        return fit(state, self.step, self.stream, num_steps=num_steps, devices=DEVICES, callbacks=callbacks)[
            0
        ]


class RecordParams(Callback):
    """A callback that copies the parameters after each step."""

    def __init__(self):
        self.params = []

    def on_step(self, report):
        self.params.append(jax.tree.map(np.array, report.state.params))


@pytest.mark.slow
def test_moving_average_and_resumption_with_every_option(tmp_path):
    run, record = Run(), RecordParams()
    uninterrupted = run.fit(run.state(), 6, record)
    assert uninterrupted.eval_params is uninterrupted.ema_params
    weights = np.array([0.5 ** (6 - step) for step in range(1, 7)], np.float32)
    weights /= weights.sum()
    mean = jax.tree.map(lambda *leaves: np.tensordot(weights, leaves, axes=1), *record.params)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), uninterrupted.ema_params, mean
    )
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(run.fit(run.state(), 3), 0.5, {})
    checkpoints = Checkpoints(tmp_path)
    restored = checkpoints.restore(run.state())
    assert digest(run.fit(DEVICES.put_state(restored.state), 6)) == digest(uninterrupted)


SMALL = TrainState(PARAMS, (), jnp.zeros((), jnp.int32), jax.random.key(0))


def count(state, batch, task, stream_key):
    return dataclasses.replace(state, step=state.step + 1), {"loss": jnp.zeros(())}


def stop_early(stream, folder, scores, num_steps):
    """Trains with the given validation score after each step; returns the number of steps taken."""
    checkpoints = Checkpoints(folder)
    restored = checkpoints.restore(SMALL) or RestoredCheckpoint(SMALL, {})
    early_stopping, left = EarlyStopping(2), iter(scores[int(restored.state.step) :])
    callbacks = (
        Validate(lambda params: {"validation/score": next(left)}, 1, num_steps, Clock()),
        early_stopping,
        SaveCheckpoints(checkpoints, (early_stopping,), Clock()),
    )
    restore_states((early_stopping,), restored.metadata)
    state, _ = fit(restored.state, count, stream, callbacks, num_steps=num_steps, devices=DEVICES)
    return int(state.step)


def test_resumed_run_stops_early_at_the_same_step(tmp_path):
    stream = TrainingStream((Task(ALGORITHMS["bfs"], (4,)),), batch_size=2, seed=0)
    scores = [0.2, 0.5, 0.4, 0.6, 0.6, 0.5, 0.9, 0.9]
    assert stop_early(stream, tmp_path / "uninterrupted", scores, 8) == 6
    for interruption in (1, 3, 5, 6):
        folder = tmp_path / str(interruption)
        assert stop_early(stream, folder, scores, interruption) == interruption
        assert stop_early(stream, folder, scores, 8) == 6
        assert stop_early(stream, folder, scores, 8) == 6


@pytest.mark.parametrize("has_average", [False, True])
def test_raw_parameters_are_scored_too(has_average):
    state = dataclasses.replace(SMALL, params=0.25, ema_params=0.75 if has_average else None)
    validate = Validate(lambda params: {"validation/score": params}, 1, 1, Clock())
    report = validate.on_step(StepReport(1, "bfs", state, {}))
    assert report.evaluation.score == (0.75 if has_average else 0.25)
    raw = {"raw/validation/score": 0.25} if has_average else {}
    assert report.evaluation.scores == {"validation/score": report.evaluation.score} | raw


def test_a_selecting_score_that_is_nan_is_reported(caplog):
    for value, count in ((0.5, 0), (float("nan"), 1)):
        validate = Validate(lambda params, value=value: {"validation/score": value}, 1, 1, Clock())
        validate.on_step(StepReport(1, "bfs", SMALL, {}))
        assert len(caplog.messages) == count
    assert "step 1: validation/score, which selects the best checkpoint, is NaN" in caplog.text


def test_early_stopping_is_disabled_without_patience():
    early_stopping = EarlyStopping(0)
    for _ in range(5):
        early_stopping.on_step(
            StepReport(1, "bfs", SMALL, {}, evaluation=Evaluation({"validation/score": 0.1}))
        )
    assert not early_stopping.should_stop() and early_stopping.state_dict() == {}
    with pytest.raises(ValueError, match="early_stopping_patience must be an integer of at least 0, got -1"):
        EarlyStopping(-1)


# ---------------------------------------------------------------------------------------------------
# Configs


def config_with(**changes):
    config = base.get_config()
    config.model.processor, config.model.hidden_size = "mpnn", 4
    with config.unlocked():
        config.training.update(changes)
    return config.to_dict()


def test_config_reaches_the_optimizer():
    components = build_graph_run(
        config_with(
            optimizer="sgd",
            learning_rate=0.1,
            grad_clip_norm=0.0,
            schedule="linear",
            schedule_options={"transition_steps": 5},
            weight_decay=0.3,
            weight_decay_exclude=["/b$"],
            learning_rate_multipliers=[["^processor/", 0.5]],
            ema_decay=0.99,
        )
    )
    plain = make_optimizer(
        optax.linear_schedule(0.1, 0.0, 5),
        name="sgd",
        weight_decay=0.3,
        weight_decay_exclude=("/b$",),
        learning_rate_multipliers=(("^processor/", 0.5),),
    )
    assert_close(trained(components.optimizer), trained(plain))
    assert components.ema_decay == 0.99


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "adm"}, "training: unknown optimizer 'adm'"),
        ({"optimizer_options": {"beta": 1}}, "training: optimizer_options: adam has no option 'beta'"),
        ({"schedule": "cosin"}, "training: unknown schedule 'cosin'"),
        (
            {"max_cpu_minutes": -1.0},
            "training: max_cpu_minutes must be a finite number of at least 0, got -1",
        ),
        ({"ema_decay": 1.0}, "training: ema_decay must be at least 0 and less than 1, got 1.0"),
        (
            {"early_stopping_patience": -1},
            "training: early_stopping_patience must be an integer of at least 0, got -1",
        ),
        (
            {"weight_decay_exclude": ("nothing",)},
            "weight_decay_exclude pattern 'nothing' matches no parameter",
        ),
        (
            {"learning_rate_multipliers": (("nothing", 2.0),)},
            "learning_rate_multipliers pattern 'nothing' matches no",
        ),
        ({"frozen_params": ("nothing",)}, "frozen_params pattern 'nothing' matches no parameter"),
    ],
)
def test_invalid_configs_are_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        build_graph_run(config_with(**changes))


def test_every_option_is_explained():
    descriptions = {key.path: key.description for key in RunConfig().describe()}
    for name in SCHEDULES:
        assert name in descriptions["training.schedule"]
