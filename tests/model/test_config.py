"""Options of `NetConfig`: their documented effects, and rejected values."""

import contextlib
import dataclasses
import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from matched_models import (
    BATCH,
    HIDDEN,
    SIZE,
)

from nar import ALGORITHMS
from nar.data import Task, TrainingStream, Transforms
from nar.model import ENCODER_INITS, HINT_MODES, Budget, Learned, NetConfig, Schedule, make_model
from nar.model.params_by_task import flatten_tasks, nest_by_task
from nar.processors import MPNN, PGN, PROCESSORS
from nar.traces import clrs30_sample
from nar.training import Devices, init_state, make_optimizer, make_train_step
from nar.training.loop import Compilations

# ---------------------------------------------------------------------------------------------------
# Parameters


def batch_of(task="bfs", size=SIZE, seed=0):
    algorithm = ALGORITHMS[task]
    return Transforms().apply(algorithm, clrs30_sample(task, size, BATCH, seed))


def model_of(task="bfs", processor=PGN, **options):
    return make_model(NetConfig(processor, HIDDEN, **options), {task: Transforms().spec(ALGORITHMS[task])})


@functools.cache
def shapes_of(task="bfs", **options):
    model = model_of(task, **options)
    return flatten_tasks(jax.eval_shape(model.init, jax.random.key(0), {task: batch_of(task)}))


def test_hint_modes_have_only_the_parameters_that_they_use():
    def modules(mode):
        names = shapes_of(hint_mode=mode)
        return {m: any(name.startswith(f"bfs/{m}/reach_h") for name in names) for m in ("encode", "decode")}

    assert modules("encoded_decoded") == modules("encoded_without_loss") == {"encode": True, "decode": True}
    assert modules("decoded_only") == {"encode": False, "decode": True}
    assert modules("none") == {"encode": False, "decode": False}
    assert {"bfs/encode/adj_0", "bfs/decode/pi/out"} <= set(shapes_of(hint_mode="none"))


ALL_OPTIONS = {"lstm": True, "dropout": 0.2, "message_passing_steps": 2, "teacher_forcing": 0.5}


@pytest.mark.slow
@pytest.mark.parametrize("hint_mode", HINT_MODES)
def test_every_parameter_trains_with_all_options(hint_mode):
    """Unlike in dm-clrs, which selects parameters to update by name and never updates those of the LSTM."""
    task = Task(ALGORITHMS["binary_search"], (SIZE,))
    stream = TrainingStream([task], batch_size=BATCH, seed=0)
    model = make_model(NetConfig(MPNN, HIDDEN, hint_mode=hint_mode, **ALL_OPTIONS), {task.name: task.spec})
    optimizer, devices = make_optimizer(1e-2), Devices.all()
    state = devices.make_state(lambda: init_state(model, optimizer, {task.name: stream.batch(0)}, seed=0))
    before = flatten_tasks(jax.tree.map(np.array, state.params))
    assert ("processor/lstm/gates" in before) and ("binary_search/encode/target_0" in before)
    step = make_train_step(model, optimizer)
    for index in range(3):
        state, metrics = step(state, devices.put_batch(stream.batch(index)), task.name)
    assert ("loss/binary_search/mid" in metrics) == (hint_mode != "none")
    if hint_mode == "encoded_without_loss":
        assert metrics["loss"] == metrics["loss/binary_search/return"]
    for module, leaves in before.items():
        for name, value in leaves.items():
            # A bias shared by the logits of all nodes has zero gradient.
            if name == "b" and module.endswith("/node"):
                continue
            assert not np.array_equal(value, flatten_tasks(state.params)[module][name]), (module, name)


@pytest.mark.slow
@pytest.mark.parametrize("init", ENCODER_INITS)
def test_encoder_inits_have_the_statistics_of_dm_clrs(init):
    """Standard deviations over many keys of a scalar hint, a mask hint and an input."""
    task, num_keys = "bellman_ford", 100
    probes = {
        "d": ("hint", "node", "scalar"),
        "msk": ("hint", "node", "mask"),
        "A": ("input", "edge", "scalar"),
    }

    def encode():
        for name, row in probes.items():
            (encoder,) = oracle.encoders.construct_encoders(*row, HIDDEN, init, name)
            encoder(np.ones((1, 1), np.float32))

    with oracle.relaxed():
        init_theirs = jax.jit(jax.vmap(hk.transform(encode).init))
        theirs = init_theirs(jax.random.split(jax.random.key(0), num_keys))
    model = model_of(task, encoder_init=init)
    draws = [model.init(jax.random.key(seed), {task: batch_of(task)})[task] for seed in range(num_keys)]
    for probe in probes:
        expected = theirs[f"{probe}_enc_linear"]["w"]
        ours = np.stack([draw[f"encode/{probe}_0"]["w"] for draw in draws])
        assert np.std(ours) == pytest.approx(float(np.std(expected)), rel=0.1), probe


def apply(model, params, batch, is_training=False, key=0, **arguments):
    task = next(iter(model.specs))
    return _compiled(model.apply)(
        params, jax.random.key(key), task=task, batch=batch, is_training=is_training, **arguments
    )


@functools.cache
def _compiled(function):
    return jax.jit(function, static_argnames=("task", "is_training", "num_steps"))


def random_params(shapes):
    random = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: (random.standard_normal(leaf.shape) / leaf.shape[0] ** 0.5).astype(np.float32), shapes
    )


def with_other_initial_hints(batch):
    changed = {name: np.concatenate([1 - value[:1], value[1:]]) for name, value in batch.hints.items()}
    return dataclasses.replace(batch, hints=changed)


@pytest.mark.parametrize("hint_mode", ["encoded_decoded", "decoded_only", "none"])
def test_hints_that_are_not_encoded_do_not_affect_outputs(hint_mode):
    batch, model = batch_of("minimum"), model_of("minimum", hint_mode=hint_mode, teacher_forcing=1.0)
    params = nest_by_task(random_params(shapes_of("minimum", hint_mode=hint_mode)))
    first = apply(model, params, batch, is_training=True)
    other = apply(model, params, with_other_initial_hints(batch), is_training=True)
    same = np.array_equal(first.outputs["min"], other.outputs["min"])
    assert same == (hint_mode != "encoded_decoded")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be at least 1, got 0"),
        ({"hint_feedback": "loud"}, "unknown hint_feedback 'loud'; known: soft, hard, hard_on_eval"),
        ({"teacher_forcing": 1.5}, r"teacher_forcing must lie between 0 and 1, got 1\.5"),
        ({"teacher_forcing": -0.5}, r"got -0\.5"),
        ({"teacher_forcing": float("nan")}, "got nan"),
        ({"hint_mode": "loud"}, "unknown hint_mode 'loud'; known: encoded_decoded, decoded_only, none, "),
        ({"encoder_init": "glorot"}, "unknown encoder_init 'glorot'; known: default, xavier_on_scalars"),
        ({"dropout": 1.0}, r"dropout must be at least 0 and less than 1, got 1\.0"),
        ({"message_passing_steps": 0}, "message_passing_steps must be at least 1, got 0"),
        ({"hint_mode": "encoded_without_loss", "hint_feedback": "hard"}, "hard hints have no gradient"),
        ({"hint_mode": "encoded_without_loss", "teacher_forcing": 1.0}, "teacher_forcing less than 1"),
    ],
)
def test_invalid_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        NetConfig(PGN, **options)


@pytest.mark.slow
def test_teacher_forcing_follows_its_schedule():
    """Depending on the training step, all, some or no samples receive true hints."""
    batch = batch_of("minimum")
    params = nest_by_task(random_params(shapes_of("minimum")))

    def hints(teacher_forcing, **arguments):
        model = model_of("minimum", teacher_forcing=teacher_forcing)
        predictions = apply(model, params, batch, is_training=True, **arguments)
        return np.asarray(predictions.hints["min_h"])

    schedule = Schedule("linear", 1.0, 0.0, 10)
    always, never = hints(1.0), hints(0.0)
    assert not np.allclose(always, never)
    for step, expected in ((0, always), (10, never)):
        np.testing.assert_allclose(hints(schedule, training_step=jnp.asarray(step)), expected, atol=1e-5)
    second = hints(schedule, training_step=jnp.asarray(5))[1]
    forced, free = (np.isclose(second, x[1], atol=1e-5).all(axis=1) for x in (always, never))
    assert (forced | free).all()


@pytest.mark.slow
def test_train_step_passes_its_step_to_schedules():
    """Losses of a train step are those of the scheduled teacher-forcing probability."""
    task = Task(ALGORITHMS["minimum"], (SIZE,))
    stream = TrainingStream([task], batch_size=BATCH, seed=0)
    devices, optimizer = Devices.all(), make_optimizer(1e-9)
    hint_losses = {}
    for name, teacher_forcing in (
        ("always", 1.0),
        ("scheduled", Schedule("linear", 1.0, 0.0, 1)),
    ):
        model = make_model(NetConfig(PGN, HIDDEN, teacher_forcing=teacher_forcing), {"minimum": task.spec})
        state = devices.make_state(lambda: init_state(model, optimizer, {"minimum": stream.batch(0)}, 0))  # noqa: B023
        step = make_train_step(model, optimizer)
        hint_losses[name] = []
        with contextlib.closing(Compilations()) as compilations:
            for _ in range(2):
                state, metrics = step(state, devices.put_batch(stream.batch(0)), "minimum")
                hint_losses[name].append(float(metrics["loss/minimum/min_h"]))
        assert compilations.programs["compute_gradients"] == 1
    always, scheduled = hint_losses["always"], hint_losses["scheduled"]
    assert scheduled[0] == pytest.approx(always[0], rel=1e-5)
    assert scheduled[1] != pytest.approx(always[1], rel=1e-3)


REPRESENTATIVE = ("g_forgetnet", "pgn_mask")
"""Processors with an auxiliary loss and with masked pointers; the others are marked slow."""


@pytest.mark.parametrize(
    "processor",
    [
        pytest.param(name, marks=[] if name in REPRESENTATIVE else [pytest.mark.slow])
        for name in PROCESSORS
        if name != "discrete"
    ],
)
def test_every_processor_supports_all_options(processor):
    """Checks shapes only."""
    model = model_of(
        "bfs", PROCESSORS[processor], **ALL_OPTIONS, termination=Learned(Budget(steps=3, steps_per_node=0))
    )
    batch = batch_of()
    params = jax.eval_shape(model.init, jax.random.key(0), {"bfs": batch})
    assert {"processor/lstm/gates", "bfs/halt/out"} <= set(flatten_tasks(params))

    def apply(params):
        return model.apply(params, jax.random.key(0), "bfs", batch, True)

    predictions = jax.eval_shape(apply, params)
    assert predictions.outputs["pi"].shape == (BATCH, SIZE, SIZE)
    assert predictions.hints["reach_h"].shape == (3, BATCH, SIZE)
    assert "halting" in predictions.losses


def test_discrete_processors_refuse_wrappers():
    """Wrappers encode the numbers that a discrete processor needs as they are."""
    model = model_of("bfs", PROCESSORS["discrete"], **ALL_OPTIONS)
    with pytest.raises(
        ValueError, match="needs numbers as they are .* cannot be combined with dropout, lstm"
    ):
        jax.eval_shape(model.init, jax.random.key(0), {"bfs": batch_of()})
