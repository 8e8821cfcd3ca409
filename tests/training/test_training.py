"""The training step, the loop, metrics and TensorBoard events."""

import json
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from quick_runs import config_of
from tensorboardX.proto import event_pb2
from tensorboardX.record_writer import masked_crc32c

from nar.algorithms import ALGORITHMS
from nar.data import Task, TrainingStream
from nar.model import make_model
from nar.model.params_by_task import flatten_tasks
from nar.runs.components.model import make_net_config
from nar.runs.config import ModelConfig
from nar.training import (
    Callback,
    Checkpoints,
    Devices,
    StepReport,
    WriteMetrics,
    count_parameters,
    fit,
    init_state,
    make_optimizer,
    make_train_step,
)
from nar.training.loop import Clock, Evaluation
from nar.training.loop.metrics import truncate_lines
from nar.training.optim import frozen_names
from nar.training.state import digest
from nar.training.trackers import Session
from nar.training.trackers.tensorboard import TensorBoard

DEVICES = Devices.all()


def session_of(workdir, start=0):
    return Session(workdir, start, {}, {}, {})


class Run:
    """A small run of the named tasks."""

    def __init__(self, *names, frozen_params=(), **model):
        self.tasks = tuple(Task(ALGORITHMS[name], (4,)) for name in names)
        self.stream = TrainingStream(self.tasks, batch_size=4, seed=0)
        specs = {task.name: task.spec for task in self.tasks}
        self.model = make_model(
            make_net_config(ModelConfig.from_dict({**config_of()["model"], **model})), specs
        )
        self.optimizer = make_optimizer(1e-2, 1.0, frozen_params)
        self.step = make_train_step(self.model, self.optimizer)

    def state(self, seed=0):
        batches = {task.name: self.stream.batch(index) for index, task in enumerate(self.tasks)}
        return DEVICES.make_state(lambda: init_state(self.model, self.optimizer, batches, seed))

    def fit(self, state, num_steps, *callbacks):
        return fit(state, self.step, self.stream, callbacks, num_steps=num_steps, devices=DEVICES)[0]


class RecordMetrics(Callback):
    """A callback that records all metrics."""

    def __init__(self):
        self.rows = []

    def on_step(self, report):
        assert report.data_wait >= 0 and report.compilation_wait >= 0 and report.evaluation is None
        self.rows.append(
            {"step": report.step, **{name: float(value) for name, value in report.metrics.items()}}
        )

    def on_end(self, state, interrupted):
        assert not interrupted


@pytest.fixture(scope="module")
def bfs():
    return Run("bfs")


# ---------------------------------------------------------------------------------------------------
# Step and loop


@pytest.mark.slow
def test_resumed_run_equals_an_uninterrupted_one_bit_for_bit(bfs, tmp_path):
    uninterrupted = digest(bfs.fit(bfs.state(), 6))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(bfs.fit(bfs.state(), 3), 0.5, {})
    checkpoints = Checkpoints(tmp_path)
    restored = checkpoints.restore(bfs.state(seed=1))
    resumed = bfs.fit(DEVICES.put_state(restored.state), 6)
    assert int(resumed.step) == 6
    assert digest(resumed) == uninterrupted


def test_initial_state_depends_only_on_the_seed(bfs):
    assert digest(bfs.state(seed=0)) == digest(bfs.state(seed=0)) != digest(bfs.state(seed=1))


@pytest.mark.slow
def test_metrics_include_every_probe_and_losses_decrease(bfs):
    run, record = bfs, RecordMetrics()
    run.fit(run.state(), 60, record)
    names = {f"loss/bfs/{p.name}" for p in (*run.tasks[0].spec.outputs, *run.tasks[0].spec.hints)}
    others = {"loss", "gradient_norm", "skipped", "step"}
    assert names | others == set(record.rows[0])
    for name in names | {"loss"}:
        losses = [row[name] for row in record.rows]
        assert np.mean(losses[-10:]) < np.mean(losses[:10])
    for row in record.rows:
        assert row["loss"] == pytest.approx(sum(row[name] for name in names), rel=1e-5)


@pytest.mark.slow
def test_step_of_a_task_leaves_other_tasks_unchanged():
    run = Run("bfs", "minimum", hint_mode="none")
    before = run.state()
    params = flatten_tasks(jax.tree.map(np.array, before.params))
    state = run.fit(before, 1)
    moments = state.opt_state[1][0].mu["minimum"]["decode/min/node"]
    for module, leaves in params.items():
        same = all(np.array_equal(leaves[k], flatten_tasks(state.params)[module][k]) for k in leaves)
        assert same == module.startswith("minimum/"), module
    assert not any(np.asarray(moment).any() for moment in moments.values())
    # Momentum would change the encoders and decoders of bfs in the step of minimum.
    params = jax.tree.map(np.array, state.params["bfs"])
    state = run.fit(state, 2)
    for module, leaves in params.items():
        assert all(np.array_equal(leaves[k], state.params["bfs"][module][k]) for k in leaves), module


@pytest.mark.slow
def test_frozen_parameters_do_not_train():
    run = Run("bfs", frozen_params=("^processor/",))
    state = run.state()
    before = jax.tree.map(np.array, state.params)
    frozen = frozen_names(before, ("^processor/",))
    assert frozen and all(name.startswith("processor/") for name in frozen)
    after = flatten_tasks(run.fit(state, 3).params)
    for module, leaves in flatten_tasks(before).items():
        for name, value in leaves.items():
            assert np.array_equal(value, after[module][name]) == module.startswith("processor/")


@pytest.mark.parametrize(
    ("task", "processor"),
    [("bfs", "mpnn"), pytest.param("heapsort", "triplet_gmpnn", marks=pytest.mark.slow)],
)
def test_every_parameter_trains_unless_frozen(task, processor):
    run = Run(task, processor=processor)
    state = run.state()
    before = jax.tree.map(np.array, state.params)
    after = flatten_tasks(run.fit(state, 3).params)
    for module, leaves in flatten_tasks(before).items():
        for name, value in leaves.items():
            # Biases of pointer logits shift the logits of all targets equally, so their gradient is zero.
            if name == "b" and module.endswith(("/out", "/node")):
                continue
            if task == "bfs" and (module, name) == ("processor/mpnn/graph", "w"):
                continue  # bfs has no graph features
            assert not np.array_equal(value, after[module][name]), (module, name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"learning_rate": 1e-3, "grad_clip_norm": -1.0}, "grad_clip_norm must not be negative"),
        ({"learning_rate": 1e-3, "frozen_params": ("(",)}, "is not a regular expression"),
    ],
)
def test_invalid_optimizer_arguments_are_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_optimizer(**arguments)


def test_frozen_params_pattern_without_a_match_is_an_error():
    with pytest.raises(ValueError, match="matches no parameter"):
        frozen_names({"a": {"w": np.zeros(1)}}, ("b/",))


@pytest.mark.slow
def test_saved_state_is_independent_of_donated_buffers(tmp_path, bfs):
    state = bfs.fit(bfs.state(), 1)
    expected = digest(state)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state, 0.0, {})
    bfs.fit(state, 4)
    checkpoints = Checkpoints(tmp_path)
    assert digest(checkpoints.restore(bfs.state()).state) == expected


def test_digest_depends_on_names_types_shapes_and_bytes():
    tree = {"a": np.arange(6.0)}
    others = [
        {"b": np.arange(6.0)},
        {"a": np.arange(6.0, dtype=np.float32)},
        {"a": np.arange(6.0).reshape(2, 3)},
        {"a": np.arange(1.0, 7.0)},
    ]
    assert digest(tree) == digest({"a": jnp.arange(6.0).astype(np.float32)} | {"a": np.arange(6.0)})
    assert len({digest(other) for other in [tree, *others]}) == 5
    assert count_parameters({"a": {"w": np.zeros((2, 3)), "b": np.zeros(3)}}) == 9


# ---------------------------------------------------------------------------------------------------
# Metrics


def metrics_callback(folder, start=0, every=2, state=None, trackers=()):
    clock = Clock()
    clock.load_state_dict({"seconds": 100.0, "cpu_seconds": 50.0})
    callback = WriteMetrics(folder / "metrics.jsonl", trackers, every, lambda step: 8, start, clock)
    if state is not None:
        callback.load_state_dict(state)
    return callback


def report_of(step, metrics, score=None):
    evaluation = None if score is None else Evaluation({"validation/score": score})
    return StepReport(step, "bfs", None, metrics, evaluation=evaluation)


def test_metrics_are_means_over_an_interval(tmp_path):
    tracker = TensorBoard(session_of(tmp_path))
    callback = metrics_callback(tmp_path, trackers=[tracker])
    for step in range(1, 5):
        callback.on_step(report_of(step, {"loss": jnp.asarray(float(step))}, 0.5 if step == 3 else None))
    tracker.close()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [(2, 1.5), (3, 3.0), (4, 4.0)]
    assert [line.get("validation/score") for line in lines] == [None, 0.5, None]
    for line in lines:
        assert line["examples_per_second"] == pytest.approx(8 * line["steps_per_second"])
        assert line["seconds"] >= 100
    assert list((tmp_path / "tensorboard").iterdir())


def test_resumed_run_writes_the_lines_of_an_uninterrupted_one(tmp_path):
    """Also if it is interrupted between two lines, since checkpoints include the metrics since the last."""
    rows = [{"loss": jnp.asarray(np.float32(1 / step)), "x": np.float64(step)} for step in range(1, 9)]

    def values(folder):
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        return [{name: value for name, value in line.items() if "second" not in name} for line in lines]

    for name, stops in (("uninterrupted", ()), ("interrupted", (1, 2, 5, 6, 7))):
        (tmp_path / name).mkdir()
        callback = metrics_callback(tmp_path / name, every=4)
        for step, row in enumerate(rows, start=1):
            callback.on_step(report_of(step, row))
            if step in stops:
                state = json.loads(json.dumps(callback.state_dict()))
                # This line is after the checkpoint and must be removed.
                callback.on_step(report_of(step + 1, {}, 0.0))
                callback = metrics_callback(tmp_path / name, start=step, every=4, state=state)
    assert values(tmp_path / "uninterrupted") == values(tmp_path / "interrupted")
    assert [line["step"] for line in values(tmp_path / "uninterrupted")] == [4, 8]


@pytest.mark.parametrize("change", [lambda text: text.replace("1.5", "1.6"), lambda text: text[:9], None])
def test_modified_metrics_file_gives_a_warning(tmp_path, caplog, change):
    callback = metrics_callback(tmp_path)
    for step in (1, 2):
        callback.on_step(report_of(step, {"loss": jnp.asarray(float(step))}))
    path = tmp_path / "metrics.jsonl"
    metrics_callback(tmp_path, start=2, state=callback.state_dict())
    assert not caplog.records
    path.unlink() if change is None else path.write_text(change(path.read_text()))
    metrics_callback(tmp_path, start=2, state=callback.state_dict())
    assert f"{path} differs from what was written up to step 2" in caplog.text


def test_lines_after_the_last_step_are_removed(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    truncate_lines(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_event_file_has_tensorboards_format(tmp_path):
    """TFRecords: the length, its checksum, the content, its checksum."""
    tracker = TensorBoard(session_of(tmp_path, start=4))
    tracker.add(6, {"loss/bfs/pi": 0.5, "validation/score": 0.25}, 100.0)
    (path,) = (tmp_path / "tensorboard").iterdir()
    content = path.read_bytes()  # before it is closed, as after a kill
    tracker.close()
    tracker.close()
    assert path.name.startswith("events.out.tfevents.")
    assert path.read_bytes() == content
    records = []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        assert struct.unpack("<I", content[8:12])[0] == masked_crc32c(content[:8])
        record, content = content[12 : 12 + length], content[12 + length :]
        assert struct.unpack("<I", content[:4])[0] == masked_crc32c(record)
        content = content[4:]
        records.append(vars(event_pb2)["Event"].FromString(record))
    assert records[0].file_version == "brain.Event:2"
    assert (records[1].step, records[1].session_log.status) == (5, 1)
    values = {event.summary.value[0].tag: event.summary.value[0].simple_value for event in records[2:]}
    assert values == {"loss/bfs/pi": 0.5, "validation/score": 0.25}
    assert {(event.step, event.wall_time) for event in records[2:]} == {(6, 100.0)}
