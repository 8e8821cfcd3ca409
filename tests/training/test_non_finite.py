"""What is not finite does no harm: it is named at once, and training stops, skips it or goes back."""

import dataclasses
import json

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from quick_runs import config_of

from experiments.cli.build import assemble
from nar.algorithms import ALGORITHMS
from nar.data import Task, TrainingStream
from nar.model import NetConfig, make_model
from nar.processors import PROCESSORS
from nar.training import (
    Checkpoints,
    Clock,
    Devices,
    NonFinitePolicy,
    SaveCheckpoints,
    WriteMetrics,
    digest,
    fit,
    init_state,
    make_optimizer,
    make_train_step,
    parameter_names,
)

DEVICES = Devices.all()
MODEL = assemble(config_of()).model
BAD = (3, 4, 8)
"""Steps, from 1, whose batches are not finite."""


class PoisonedStream(TrainingStream):
    """Batches of one task, which are not finite at some steps."""

    bad: tuple[int, ...] = BAD

    def batch(self, step):
        batch = super().batch(step)
        if step + 1 not in self.bad:
            return batch
        return dataclasses.replace(batch, inputs={**batch.inputs, "pos": batch.inputs["pos"] * np.nan})


class Steep(hk.Module):
    """A processor whose gradients are not finite at the bad steps, though all else is."""

    def __init__(self, hidden_size, layer_norm=True, name="steep"):
        super().__init__(name=name)
        self._inner = PROCESSORS["mpnn"](hidden_size, layer_norm=layer_norm)

    def initial_memory(self, batch_size, num_nodes):
        return self._inner.initial_memory(batch_size, num_nodes)

    def __call__(self, features, hidden, memory=(), context=None):
        found = self._inner(features, hidden, memory, context)
        is_bad = jnp.isin(context.training_step + 1, jnp.array(BAD))
        # The square root of 0 is 0, but its slope is infinite.
        scale = 1 + jnp.sqrt(jnp.where(is_bad, 0.0, 1.0) * jnp.abs(found.nodes.mean()))
        return found._replace(nodes=found.nodes * scale)


class Training:
    """A small run that can be interrupted, with a checkpoint each fifth step."""

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
        """Trains to the last of some steps, in as many sessions; the state."""
        self.stream.bad = bad
        state = self.state()
        for stop in stops:
            checkpoints = Checkpoints(folder)
            restored = checkpoints.restore(state)
            metadata = restored.metadata if restored else {}
            state = DEVICES.put_state(restored.state) if restored else self.state()
            if not restored:
                checkpoints.save(state, None, {})

            def restore(state, checkpoints=checkpoints):
                found = checkpoints.restore_scored(state).state
                restored = dataclasses.replace(DEVICES.put_state(found), step=state.step)
                return restored, int(found.step)

            non_finite_policy = NonFinitePolicy(policy, limit, restore, metadata)
            start = int(state.step)
            metrics = WriteMetrics(folder / "metrics.jsonl", (), 2, lambda step: 4, start, Clock(), metadata)
            save = SaveCheckpoints(checkpoints, (metrics, non_finite_policy), Clock())
            try:
                state, _ = fit(
                    state,
                    self.step,
                    self.stream,
                    num_steps=stop,
                    devices=DEVICES,
                    callbacks=(ScoreEachFifth(), metrics, save),
                    non_finite_policy=non_finite_policy,
                )
            except FloatingPointError:
                metrics.at_end(state, interrupted=False)
                raise
            save.at_end(state, interrupted=stop != stops[-1])
        return state


def place(step):
    """The number of a step where a state has it, so that nothing is compiled anew."""
    return DEVICES.make_state(lambda: jnp.int32(step))


class ScoreEachFifth:
    def after_step(self, step, state, metrics):
        if step % 5 == 0:
            metrics["validation/score"] = np.float64(0.5)

    def at_end(self, state, interrupted):
        pass


def lines(folder):
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if "second" not in name} for line in found]


@pytest.fixture(scope="module")
def poisoned():
    return Training()


@pytest.fixture(scope="module")
def straight(poisoned, tmp_path_factory):
    """Runs that nothing disturbed, by policy: the folder of each, and its state at the end."""
    folders = {policy: tmp_path_factory.mktemp(policy) for policy in ("skip", "restore")}
    return {policy: (folder, digest(poisoned.run(folder, policy))) for policy, folder in folders.items()}


def test_a_step_that_is_not_finite_changes_nothing_but_its_number(poisoned):
    state = poisoned.state()
    for index in range(2):
        state, metrics = poisoned.one_step(state, index)
        assert metrics["finite"].all() and metrics["skipped"] == 0
    before = jax.tree.map(np.array, (state.params, state.optimizer, state.ema_params))
    state, metrics = poisoned.one_step(state, 2)
    assert int(state.step) == 3
    assert metrics["skipped"] == 1 and not metrics["finite"][0]
    assert np.isnan(metrics["loss"])
    assert digest((state.params, state.optimizer, state.ema_params)) == digest(before)


def test_stop_names_step_task_and_probes_and_leaves_the_checkpoint(poisoned, tmp_path):
    message = r"^step 3 \(bfs\): loss/bfs/.* is nan, .*on_nonfinite=skip"
    with pytest.raises(FloatingPointError, match=message) as caught:
        poisoned.run(tmp_path, "stop")
    spec = ALGORITHMS["bfs"].spec
    for probe in (*spec.outputs, *spec.hints):
        if probe.name != "pos":
            assert f"loss/bfs/{probe.name} is nan" in str(caught.value)
    restored = Checkpoints(tmp_path).restore(poisoned.state())
    assert int(restored.state.step) == 0
    # The same run goes on where the policy allows it.
    assert int(poisoned.run(tmp_path, "skip").step) == 10


def test_stop_before_a_checkpoint_is_saved_of_the_bad_step_itself(poisoned, tmp_path):
    """A step is looked at when the next was started, but before a checkpoint at once."""
    with pytest.raises(FloatingPointError, match=r"step 5 \(bfs\)"):
        poisoned.run(tmp_path, "stop", bad=(5,))
    assert Checkpoints(tmp_path).steps == [0]
    with pytest.raises(FloatingPointError, match=r"step 5 \(bfs\)"):
        poisoned.run(tmp_path / "last", "stop", stops=(5,), bad=(5,))


def test_skip_is_as_if_the_steps_had_not_been(poisoned, tmp_path, caplog):
    state = poisoned.run(tmp_path, "skip")
    assert caplog.text.count("the step is skipped") == 3
    assert [line.get("skipped") for line in lines(tmp_path)] == [0, 2, 0, 0, 1, 0]
    assert all(np.isfinite(value) for line in lines(tmp_path) for value in line.values())
    healthy = poisoned.state()
    for index in range(10):
        if index + 1 in BAD:
            healthy = dataclasses.replace(healthy, step=place(index + 1))
        else:
            healthy, _ = poisoned.one_step(healthy, index)
    assert digest(state) == digest(healthy)


def test_too_many_skips_in_a_row_stop(poisoned, tmp_path):
    with pytest.raises(FloatingPointError, match=r"step 4 .*1 steps before it were skipped already"):
        poisoned.run(tmp_path, "skip", limit=1)
    # Three in all, but two in a row.
    assert int(poisoned.run(tmp_path, "skip", limit=2).step) == 10


def test_restore_goes_back_to_the_scored_checkpoint_and_on_with_later_data(poisoned, tmp_path, caplog):
    state = poisoned.run(tmp_path, "restore")
    assert "step 3 (bfs)" in caplog.text and caplog.text.count("the state of step 0 is restored") == 2
    assert caplog.text.count("the state of step 5 is restored") == 1
    five = Checkpoints(tmp_path).restore_scored(state)
    assert int(five.state.step) == 10
    # From step 5's state, at step 8, two more steps: those of the batches behind the bad one.
    again = poisoned.run(tmp_path / "again", "restore", stops=(5,))
    again = dataclasses.replace(again, step=place(8))
    for index in (8, 9):
        again, _ = poisoned.one_step(again, index)
    assert digest(again) == digest(state)


def test_too_many_returns_to_one_checkpoint_stop(poisoned, tmp_path):
    with pytest.raises(FloatingPointError, match=r"step 4 .*a checkpoint was restored 1 times already"):
        poisoned.run(tmp_path, "restore", limit=1)


def test_checkpoints_of_restored_states_do_not_begin_the_count_anew(poisoned, tmp_path):
    """The state of step 5 is that of step 0 again: training has not got there by itself."""
    with pytest.raises(FloatingPointError, match=r"step 7 .*a checkpoint was restored 3 times already"):
        poisoned.run(tmp_path, "restore", limit=3, bad=(2, 4, 5, 7, 9))


@pytest.mark.parametrize("policy", ["skip", "restore"])
@pytest.mark.parametrize(
    "stops",
    [(3, 10), *(pytest.param(stops, marks=pytest.mark.slow) for stops in ((4, 10), (2, 3, 6, 7, 9, 10)))],
)
def test_an_interrupted_run_equals_an_undisturbed_one(poisoned, straight, tmp_path, policy, stops):
    folder, expected = straight[policy]
    assert digest(poisoned.run(tmp_path, policy, stops)) == expected
    assert lines(tmp_path) == lines(folder)


def test_the_limit_counts_over_interruptions(poisoned, tmp_path):
    for policy in ("skip", "restore"):
        with pytest.raises(FloatingPointError, match=r"^step 4 "):
            poisoned.run(tmp_path / policy, policy, stops=(3, 10), limit=1)


def test_gradients_are_named_where_losses_are_finite(tmp_path):
    config = NetConfig(Steep, hidden_size=4, hint_mode="none")
    training = Training(make_model(config, {"bfs": ALGORITHMS["bfs"].spec}), name="sgd")
    message = r"^step 3 \(bfs\): all losses are finite, but not the gradients of bfs/"
    with pytest.raises(FloatingPointError, match=message):
        training.run(tmp_path, "stop", bad=())


def test_a_learning_rate_that_is_too_large(tmp_path):
    """Finite gradients, and parameters that would be infinite: they never are."""
    training = Training(rate=1e30, name="sgd", grad_clip_norm=0.0)
    with pytest.raises(FloatingPointError, match=r"^step \d+ \(bfs\): "):
        training.run(tmp_path, "stop")
    state = training.run(tmp_path, "skip", limit=100)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state.params, state.ema_params)))


def test_new_parameters_are_named(poisoned):
    from nar.training.loop.non_finite import _PendingStep, describe

    state = poisoned.state()
    names = parameter_names(state.params)
    flags = np.ones(1 + 2 * len(names), bool)
    flags[-2:] = False
    message = describe(_PendingStep(7, "bfs", state, flags, {"loss": np.float32(1)}))
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
def test_bad_policies(policy, limit, message):
    with pytest.raises(ValueError, match=message):
        NonFinitePolicy(policy, limit)
