"""The callback interface: order, reports, states in checkpoints, and custom callbacks named in a config."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from quick_runs import config_of, metrics_of, outcome, quick_runs

import nar
from experiments.examples.weight_norms import WeightNorms
from nar.algorithms import ALGORITHMS
from nar.data import Task, TrainingStream
from nar.runs import train
from nar.runs.workdir import Workdir
from nar.training import Callback, Checkpoints, Devices, SaveCheckpoints, StepReport, TrainState, fit
from nar.training.loop import (
    Clock,
    Evaluation,
    check_callbacks,
    collect_states,
    make_callbacks,
    restore_states,
)

DEVICES = Devices.all()
STREAM = TrainingStream((Task(ALGORITHMS["bfs"], (4,)),), batch_size=2, seed=0)


def initial_state():
    return TrainState({"a": {"w": jnp.zeros(2)}}, (), jnp.zeros((), jnp.int32), jax.random.key(0))


def add_one(state, batch, task, stream_key):
    params = jax.tree.map(lambda leaf: leaf + 1, state.params)
    return dataclasses.replace(state, params=params, step=state.step + 1), {"loss": jnp.zeros(())}


def train_with(*callbacks, num_steps=4):
    return fit(initial_state(), add_one, STREAM, callbacks, num_steps=num_steps, devices=DEVICES)


class Record(Callback):
    """Records the reports and the end."""

    def __init__(self):
        self.reports, self.ends = [], []

    def on_step(self, report):
        self.reports.append(report)

    def on_end(self, state, interrupted):
        self.ends.append((int(state.step), interrupted))


class Counter(Callback):
    """A callback with a state: the number of steps, at which it may stop training."""

    def __init__(self, stop=100):
        self.count, self._stop = 0, stop

    def on_step(self, report):
        self.count += 1

    def should_stop(self):
        return self.count >= self._stop

    def state_dict(self):
        return {"count": self.count} if self.count else {}

    def load_state_dict(self, state):
        self.count = state["count"]


# ---------------------------------------------------------------------------------------------------
# The loop


def test_changed_report_reaches_later_callbacks_only():
    class Add(Callback):
        def on_step(self, report):
            evaluated = dataclasses.replace(report, evaluation=Evaluation({"validation/score": 0.5}))
            return evaluated.add_metrics({"x": report.step})

    before, after = Record(), Record()
    train_with(before, Add(), after)
    assert [report.step for report in before.reports] == [1, 2, 3, 4]
    assert {report.task for report in before.reports} == {"bfs"}
    assert all("x" not in report.metrics and report.evaluation is None for report in before.reports)
    assert [report.metrics["x"] for report in after.reports] == [1, 2, 3, 4]
    assert {report.evaluation.score for report in after.reports} == {0.5}
    assert before.ends == after.ends == [(4, False)]


def test_training_continues_from_a_replaced_state():
    class Reset(Callback):
        def on_step(self, report):
            zeros = jax.tree.map(jnp.zeros_like, report.state.params)
            state = dataclasses.replace(report.state, params=zeros)
            return dataclasses.replace(report, state=state) if report.step == 2 else None

    record = Record()
    state, _ = train_with(Reset(), record)
    assert [float(report.state.params["a"]["w"][0]) for report in record.reports] == [1, 0, 1, 2]
    assert np.array_equal(state.params["a"]["w"], [2, 2]) and int(state.step) == 4


@pytest.mark.parametrize("stop", [0, 3])
def test_callback_stops_training(stop):
    state, interrupted = train_with(Counter(stop))
    assert int(state.step) == stop and not interrupted


def test_result_of_on_batch_is_called_before_its_step():
    events = []

    class Wait(Callback):
        def on_batch(self, batch, task, stream_key):
            assert isinstance(batch.lengths, jax.Array) and (task, stream_key) == ("bfs", None)
            return lambda: events.append("wait")

        def on_step(self, report):
            events.append(report.step)

    train_with(Wait(), num_steps=3)
    assert events == ["wait", 1, "wait", 2, "wait", 3]


def test_evaluation_separates_the_scores_of_seeds():
    evaluation = Evaluation(
        {"validation/score": 0.5, "validation/score/seed_index_0": 0.4, "validation/score/seed_index_1": 0.6}
    )
    assert (evaluation.score, evaluation.seed_scores) == (0.5, [0.4, 0.6])
    assert Evaluation({"validation/score": 0.5}).seed_scores == []


# ---------------------------------------------------------------------------------------------------
# States


def test_states_are_saved_by_name_and_restored(caplog):
    class Other(Counter):
        pass

    first, second, unused = Counter(), Other(), Record()
    train_with(first, second, unused, num_steps=2)
    metadata = json.loads(json.dumps(collect_states([first, second, unused])))
    assert metadata == {"Counter": {"count": 2}, "Other": {"count": 2}}
    restored, new = Counter(), Record()
    restore_states([new, restored], {"Counter": {"count": 7}})
    assert restored.count == 7 and not caplog.records
    restore_states([restored], metadata)
    assert restored.count == 2
    assert "states of callbacks that this run lacks: ['Other']" in caplog.text
    restore_states([restored], {})
    assert restored.count == 2


def test_callbacks_of_the_same_name_are_an_error():
    with pytest.raises(ValueError, match="two callbacks are named 'Counter'"):
        collect_states([Counter(), Counter()])


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "callback 'Counter': state_dict must return a dictionary, got None"),
        ({"count": np.float32(1)}, "callback 'Counter': the result of state_dict must be JSON-serializable"),
    ],
)
def test_states_that_cannot_be_saved_are_errors_before_training(tmp_path, monkeypatch, state, message):
    monkeypatch.setattr(Counter, "state_dict", lambda self: state)
    with pytest.raises(ValueError, match=message):
        SaveCheckpoints(Checkpoints(tmp_path), [Counter()], Clock())


@pytest.mark.parametrize(
    ("on_step", "message"),
    [
        (lambda self, report: {"norm": 1.0}, "callback 'Record': on_step must return None or a StepReport"),
        (lambda self, report: report.add_metrics({"name": "a"}), "metric 'name' must be a number, got 'a'"),
    ],
)
def test_results_of_on_step_are_reports_of_numbers(monkeypatch, on_step, message):
    monkeypatch.setattr(Record, "on_step", on_step)
    with pytest.raises(ValueError, match=message):
        train_with(Record())


def test_last_step_is_saved_with_the_states_of_callbacks(tmp_path):
    """Also if it was not scored, because a callback stopped training; but a step is not saved twice."""
    counter, checkpoints = Counter(stop=3), Checkpoints(tmp_path)
    train_with(counter, SaveCheckpoints(checkpoints, [counter], Clock()))
    restored = checkpoints.restore(initial_state())
    assert int(restored.state.step) == 3 and restored.metadata == {"Counter": {"count": 3}}
    counter = Counter(stop=3)
    restore_states([counter], restored.metadata)
    save = SaveCheckpoints(Checkpoints(tmp_path), [], Clock())
    fit(restored.state, add_one, STREAM, [counter, save], num_steps=8, devices=DEVICES)
    assert Checkpoints(tmp_path).restore(initial_state()).metadata == {"Counter": {"count": 3}}


# ---------------------------------------------------------------------------------------------------
# Custom callbacks

NORMS = "experiments.examples.weight_norms:WeightNorms"


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ("WeightNorms", {}, "unknown callback 'WeightNorms'; known: none, or module:ATTRIBUTE"),
        ("no_such_module:Callback", {}, "callback 'no_such_module:Callback' cannot be imported"),
        ("experiments.examples.weight_norms:Norms", {}, "has no callback 'Norms'; it has: WeightNorms"),
        ((NORMS, NORMS), {}, "must name each callback once"),
        (NORMS, {"Norms": {}}, "'Norms' is not a callback of this run; its callbacks: WeightNorms"),
        (NORMS, {"WeightNorms": 2}, r"callback_options\.WeightNorms must be a dict, got 2"),
    ],
)
def test_invalid_names_and_options_are_errors(names, options, message):
    with pytest.raises(ValueError, match=message):
        check_callbacks(names, options)


@pytest.mark.parametrize("options", [{"depth": 0}, {"width": 1}])
def test_invalid_arguments_are_errors(options):
    with pytest.raises(ValueError, match=f"callback '{NORMS}' cannot be made: .*(depth must|width)"):
        make_callbacks(NORMS, {"WeightNorms": options})


def test_function_that_makes_no_callback_is_an_error():
    with pytest.raises(ValueError, match="must return a nar.training.Callback, got"):
        make_callbacks(("quick_runs:config_of",), {})


def test_options_are_passed_to_the_callback():
    (callback,) = make_callbacks((NORMS,), {"WeightNorms": {"depth": 2}})
    params = {"bfs": {"encode": {"s": jnp.ones(4), "A": jnp.ones(5)}}, "processor": {"mpnn": jnp.zeros(3)}}
    state = dataclasses.replace(initial_state(), params=params)
    report = StepReport(1, "bfs", state, {}, evaluation=Evaluation({"validation/score": 0.5}))
    metrics = callback.on_step(report).metrics
    assert metrics == {"weight_norm/bfs/encode": 3.0, "weight_norm/processor/mpnn": 0.0}


@pytest.mark.slow
def test_run_with_a_custom_callback_resumes_bit_for_bit(tmp_path, monkeypatch):
    config = config_of(callbacks=(NORMS,))
    uninterrupted, killed = (Workdir(tmp_path / name) for name in ("uninterrupted", "killed"))

    def kill(self, report):
        if report.step == 10:
            raise KeyboardInterrupt

    with quick_runs():
        nar.train(config, uninterrupted)
        monkeypatch.setattr(train.ShowProgress, "on_step", kill)
        with pytest.raises(KeyboardInterrupt):
            nar.train(config, killed)
        monkeypatch.undo()
        restored = []
        load = WeightNorms.load_state_dict
        monkeypatch.setattr(
            WeightNorms, "load_state_dict", lambda self, state: (restored.append(state), load(self, state))
        )
        nar.train(config, killed)
    assert metrics_of(killed) == metrics_of(uninterrupted) and outcome(killed) == outcome(uninterrupted)
    validations = [line for line in metrics_of(killed) if "validation/score" in line]
    assert [line["step"] for line in validations] == [4, 8, 12]
    norms = [line["weight_norm/processor"] for line in validations]
    changes = [line.get("weight_norm_change/processor") for line in validations]
    assert changes == [None, *np.diff(norms)] and 0 not in changes
    assert restored[0]["norms"]["processor"] == norms[1]
