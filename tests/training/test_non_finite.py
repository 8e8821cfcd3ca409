"""Non-finite losses, gradients and parameters: messages, and the policies stop, skip and restore."""

import dataclasses
import json

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from quick_runs import config_of

from nar.algorithms import ALGORITHMS
from nar.data import Task, TrainingStream
from nar.model import NetConfig, make_model
from nar.processors import PROCESSORS
from nar.runs.components import build_graph_run
from nar.training import (
    Callback,
    Checkpoints,
    Devices,
    NonFinitePolicy,
    SaveCheckpoints,
    StepReport,
    WriteMetrics,
    fit,
    init_state,
    make_optimizer,
    make_train_step,
)
from nar.training.loop import Clock, Evaluation, restore_states
from nar.training.loop.non_finite import describe
from nar.training.optim import parameter_names
from nar.training.state import digest

DEVICES = Devices.all()
MODEL = build_graph_run(config_of()).model
BAD = (3, 4, 8)
"""Steps, from 1, with non-finite batches."""


class PoisonedStream(TrainingStream):
    """Training stream with non-finite batches at some steps."""

    bad: tuple[int, ...] = BAD

    def batch(self, step):
        batch = super().batch(step)
        if step + 1 not in self.bad:
            return batch
        return dataclasses.replace(batch, inputs={**batch.inputs, "pos": batch.inputs["pos"] * np.nan})


class Steep(hk.Module):
    """A processor whose gradients, but not its outputs, are non-finite at the bad steps."""

    def __init__(self, hidden_size, layer_norm=True, name="steep"):
        super().__init__(name=name)
        self._inner = PROCESSORS["mpnn"](hidden_size, layer_norm=layer_norm)

    def initial_memory(self, batch_size, num_nodes):
        return self._inner.initial_memory(batch_size, num_nodes)

    def __call__(self, features, hidden, memory=(), context=None):
        output = self._inner(features, hidden, memory, context)
        is_bad = jnp.isin(context.training_step + 1, jnp.array(BAD))
        # The square root of 0 is 0, but its derivative is infinite.
        scale = 1 + jnp.sqrt(jnp.where(is_bad, 0.0, 1.0) * jnp.abs(output.nodes.mean()))
        return output._replace(nodes=output.nodes * scale)


class Training:
    """A small run that can be interrupted, with a checkpoint every fifth step."""

    def __init__(self, model=MODEL, rate=1e-3, grad_clip_norm=1.0, **optimizer):
        task = Task(ALGORITHMS["bfs"], (4,))
        self.stream = PoisonedStream([task], batch_size=4, seed=0)
        self.model = model
        self.optimizer = make_optimizer(rate, grad_clip_norm, **optimizer)
        self.step = make_train_step(self.model, self.optimizer, ema_decay=0.9)
        state = init_state(self.model, self.optimizer, self.stream.examples(), 0, track_ema=True)
        self.start = jax.tree.map(np.array, dataclasses.replace(state, key=jax.random.key_data(state.key)))

    def state(self):
        start = jax.tree.map(jnp.array, self.start)
        return DEVICES.make_state(lambda: dataclasses.replace(start, key=jax.random.wrap_key_data(start.key)))

    def one_step(self, state, index):
        return self.step(state, DEVICES.put_batch(self.stream.batch(index)), "bfs")

    def run(self, folder, policy, stops=(10,), limit=10, bad=BAD):
        """Trains in one session per entry of `stops`, each until that step; returns the state."""
        self.stream.bad = bad
        state = self.state()
        for stop in stops:
            checkpoints = Checkpoints(folder)
            restored = checkpoints.restore(state)
            state = DEVICES.put_state(restored.state) if restored else self.state()
            if not restored:
                checkpoints.save(state, None, {})
            start, path = int(state.step), folder / "metrics.jsonl"
            stateful = (
                NonFinitePolicy(policy, limit, checkpoints, DEVICES),
                WriteMetrics(path, (), 2, lambda step: 4, start, Clock()),
            )
            callbacks = (ScoreEveryFifthStep(), *stateful, SaveCheckpoints(checkpoints, stateful, Clock()))
            restore_states(stateful, restored.metadata if restored else {})
            state, _ = fit(state, self.step, self.stream, callbacks, num_steps=stop, devices=DEVICES)
        return state


def put_step(step):
    """A step number with the sharding of a state's, so that nothing is recompiled."""
    return DEVICES.make_state(lambda: jnp.int32(step))


class ScoreEveryFifthStep(Callback):
    def on_step(self, report):
        evaluation = Evaluation({"validation/score": 0.5})
        return None if report.step % 5 else dataclasses.replace(report, evaluation=evaluation)


def metrics_lines(folder):
    """Lines of the metrics file, without times."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if "second" not in name} for line in lines]


@pytest.fixture(scope="module")
def poisoned():
    return Training()


@pytest.fixture(scope="module")
def uninterrupted(poisoned, tmp_path_factory):
    """Folder and final state's digest of an uninterrupted run, by policy."""
    folders = {policy: tmp_path_factory.mktemp(policy) for policy in ("skip", "restore")}
    return {policy: (folder, digest(poisoned.run(folder, policy))) for policy, folder in folders.items()}


def test_non_finite_step_changes_only_the_step_number(poisoned):
    state = poisoned.state()
    for index in range(2):
        state, metrics = poisoned.one_step(state, index)
        assert metrics["finite"].all() and metrics["skipped"] == 0
    before = jax.tree.map(np.array, (state.params, state.opt_state, state.ema_params))
    state, metrics = poisoned.one_step(state, 2)
    assert int(state.step) == 3
    assert metrics["skipped"] == 1 and not metrics["finite"][0]
    assert np.isnan(metrics["loss"])
    assert digest((state.params, state.opt_state, state.ema_params)) == digest(before)


def test_stop_names_step_task_and_probes_and_keeps_the_checkpoint(poisoned, tmp_path):
    message = r"^step 3 \(bfs\): loss/bfs/.* is nan, .*on_nonfinite=skip"
    with pytest.raises(FloatingPointError, match=message) as caught:
        poisoned.run(tmp_path, "stop")
    spec = ALGORITHMS["bfs"].spec
    for probe in (*spec.outputs, *spec.hints):
        if probe.name != "pos":
            assert f"loss/bfs/{probe.name} is nan" in str(caught.value)
    restored = Checkpoints(tmp_path).restore(poisoned.state())
    assert int(restored.state.step) == 0
    # The same run can be resumed with another policy.
    assert int(poisoned.run(tmp_path, "skip").step) == 10


def test_bad_step_is_not_checkpointed(poisoned, tmp_path):
    """A step is checked after the next one was dispatched, but immediately before a checkpoint."""
    with pytest.raises(FloatingPointError, match=r"step 5 \(bfs\)"):
        poisoned.run(tmp_path, "stop", bad=(5,))
    assert Checkpoints(tmp_path).all_steps() == [0]
    with pytest.raises(FloatingPointError, match=r"step 5 \(bfs\)"):
        poisoned.run(tmp_path / "last", "stop", stops=(5,), bad=(5,))


def test_skip_equals_training_without_the_bad_steps(poisoned, tmp_path, caplog):
    state = poisoned.run(tmp_path, "skip")
    assert caplog.text.count("the step is skipped") == 3
    assert [line.get("skipped") for line in metrics_lines(tmp_path)] == [0, 2, 0, 0, 1, 0]
    assert all(np.isfinite(value) for line in metrics_lines(tmp_path) for value in line.values())
    expected = poisoned.state()
    for index in range(10):
        if index + 1 in BAD:
            expected = dataclasses.replace(expected, step=put_step(index + 1))
        else:
            expected, _ = poisoned.one_step(expected, index)
    assert digest(state) == digest(expected)


def test_too_many_consecutive_skips_stop(poisoned, tmp_path):
    with pytest.raises(FloatingPointError, match=r"step 4 .*1 steps before it were skipped already"):
        poisoned.run(tmp_path, "skip", limit=1)
    # Three skips in total, of which two are consecutive.
    assert int(poisoned.run(tmp_path, "skip", limit=2).step) == 10


@pytest.mark.slow
def test_restore_continues_from_the_scored_checkpoint_with_later_data(poisoned, tmp_path, caplog):
    state = poisoned.run(tmp_path, "restore")
    assert "step 3 (bfs)" in caplog.text and caplog.text.count("the state of step 0 is restored") == 2
    assert caplog.text.count("the state of step 5 is restored") == 1
    last = Checkpoints(tmp_path).restore(state, scored_only=True)
    assert int(last.state.step) == 10
    # From the state of step 5, two more steps, with the batches after the bad step 8.
    expected = poisoned.run(tmp_path / "expected", "restore", stops=(5,))
    expected = dataclasses.replace(expected, step=put_step(8))
    for index in (8, 9):
        expected, _ = poisoned.one_step(expected, index)
    assert digest(expected) == digest(state)


def test_too_many_restores_of_one_checkpoint_stop(poisoned, tmp_path):
    with pytest.raises(FloatingPointError, match=r"step 4 .*a checkpoint was restored 1 times already"):
        poisoned.run(tmp_path, "restore", limit=1)


def test_checkpoint_of_a_restored_state_does_not_reset_the_count(poisoned, tmp_path):
    """The state of step 5 is that of step 0, so training has not progressed."""
    with pytest.raises(FloatingPointError, match=r"step 7 .*a checkpoint was restored 3 times already"):
        poisoned.run(tmp_path, "restore", limit=3, bad=(2, 4, 5, 7, 9))


@pytest.mark.parametrize("policy", ["skip", "restore"])
@pytest.mark.parametrize(
    "stops",
    [(3, 10), *(pytest.param(stops, marks=pytest.mark.slow) for stops in ((4, 10), (2, 3, 6, 7, 9, 10)))],
)
def test_interrupted_run_equals_an_uninterrupted_one(poisoned, uninterrupted, tmp_path, policy, stops):
    folder, expected = uninterrupted[policy]
    assert digest(poisoned.run(tmp_path, policy, stops)) == expected
    assert metrics_lines(tmp_path) == metrics_lines(folder)


def test_limit_counts_across_interruptions(poisoned, tmp_path):
    for policy in ("skip", "restore"):
        with pytest.raises(FloatingPointError, match=r"^step 4 "):
            poisoned.run(tmp_path / policy, policy, stops=(3, 10), limit=1)


@pytest.mark.slow
def test_message_names_gradients_if_losses_are_finite(tmp_path):
    config = NetConfig(Steep, hidden_size=4, hint_mode="none")
    training = Training(make_model(config, {"bfs": ALGORITHMS["bfs"].spec}), name="sgd")
    message = r"^step 3 \(bfs\): all losses are finite, but not the gradients of bfs/"
    with pytest.raises(FloatingPointError, match=message):
        training.run(tmp_path, "stop", bad=())


@pytest.mark.slow
def test_parameters_stay_finite_with_a_huge_learning_rate(tmp_path):
    """Gradients are finite, but the updated parameters would not be."""
    training = Training(rate=1e30, name="sgd", grad_clip_norm=0.0)
    with pytest.raises(FloatingPointError, match=r"^step \d+ \(bfs\): "):
        training.run(tmp_path, "stop")
    state = training.run(tmp_path, "skip", limit=100)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state.params, state.ema_params)))


def test_message_names_parameters_if_gradients_are_finite(poisoned):
    state = poisoned.state()
    names = parameter_names(state.params)
    flags = np.ones(1 + 2 * len(names), bool)
    flags[-2:] = False
    message = describe(StepReport(7, "bfs", state, {"loss": np.float32(1)}, flags))
    assert message == (
        f"step 7 (bfs): losses and gradients are finite, but not the new values of {names[-2]}, {names[-1]}"
    )


@pytest.mark.parametrize(
    ("policy", "limit", "message"),
    [
        ("ignore", 10, "unknown on_nonfinite 'ignore'; known: stop, skip, restore"),
        ("skip", -1, "nonfinite_limit"),
    ],
)
def test_invalid_policies_are_errors(policy, limit, message):
    with pytest.raises(ValueError, match=message):
        NonFinitePolicy(policy, limit)
