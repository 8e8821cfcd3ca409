"""Training: the step, the loop, optimisers, checkpoints, metrics and workdirs."""

import json
import pathlib
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nar.algorithms import ALGORITHMS
from nar.batches import Task, TrainingStream
from nar.model import NetConfig, make_model
from nar.processors import PROCESSORS
from nar.training import (
    Checkpoints,
    Clock,
    Devices,
    TrainState,
    Workdir,
    WriteMetrics,
    count_parameters,
    digest,
    fit,
    frozen_names,
    init_state,
    make_optimiser,
    make_step,
)
from nar.training.hooks import keep_lines

DEVICES = Devices.all()


class Run:
    """A small run of some tasks."""

    def __init__(self, *names, freeze=(), processor="mpnn", sizes=(4, 5)):
        self.tasks = tuple(Task(ALGORITHMS[name], sizes) for name in names)
        self.stream = TrainingStream(self.tasks, batch_size=4, seed=0)
        specs = {task.name: task.spec for task in self.tasks}
        self.model = make_model(NetConfig(PROCESSORS[processor], hidden_size=8), specs)
        self.optimiser = make_optimiser(1e-2, 1.0, freeze)
        self.step = make_step(self.model, self.optimiser)

    def state(self, seed=0):
        batches = {task.name: self.stream.batch(index) for index, task in enumerate(self.tasks)}
        return DEVICES.make_state(lambda: init_state(self.model, self.optimiser, batches, seed))

    def fit(self, state, num_steps, *hooks):
        return fit(state, self.step, self.stream, num_steps=num_steps, devices=DEVICES, hooks=hooks)[0]


class Keep:
    """A hook that keeps all metrics."""

    def __init__(self):
        self.rows = []

    def after_step(self, step, state, metrics):
        self.rows.append({"step": step, **{name: float(value) for name, value in metrics.items()}})

    def at_end(self, state, interrupted):
        assert not interrupted


@pytest.fixture(scope="module")
def bfs():
    return Run("bfs")


# ---------------------------------------------------------------------------------------------------
# Step and loop


def test_resumed_run_equals_an_uninterrupted_one_bit_for_bit(bfs, tmp_path):
    straight = digest(bfs.fit(bfs.state(), 6))
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(bfs.fit(bfs.state(), 3), 0.5, {})
    with Checkpoints(tmp_path) as checkpoints:
        restored = checkpoints.restore(bfs.state(seed=1))
    resumed = bfs.fit(DEVICES.put_state(restored.state), 6)
    assert int(resumed.step) == 6
    assert digest(resumed) == straight


def test_seed_decides(bfs):
    assert digest(bfs.state(seed=0)) == digest(bfs.state(seed=0)) != digest(bfs.state(seed=1))


def test_metrics_name_every_probe_and_losses_fall():
    run, keep = Run("bfs", sizes=(4,)), Keep()
    run.fit(run.state(), 60, keep)
    names = {f"loss/bfs/{p.name}" for p in (*run.tasks[0].spec.outputs, *run.tasks[0].spec.hints)}
    assert names | {"loss", "gradient_norm", "step"} == set(keep.rows[0])
    for name in names | {"loss"}:
        losses = [row[name] for row in keep.rows]
        assert np.mean(losses[-10:]) < np.mean(losses[:10])
    for row in keep.rows:
        assert row["loss"] == pytest.approx(sum(row[name] for name in names), rel=1e-5)


def test_a_task_leaves_the_codecs_of_others_untouched():
    run = Run("bfs", "minimum")
    before = run.state()
    params = jax.tree.map(np.array, before.params)
    state = run.fit(before, 1)
    moments = state.optimiser[1][0].mu["minimum/decode/min/node"]
    for module, leaves in params.items():
        same = all(np.array_equal(leaves[k], state.params[module][k]) for k in leaves)
        assert same == module.startswith("minimum/"), module
    assert not any(np.asarray(moment).any() for moment in moments.values())
    # With momentum, the codecs of bfs would move in the step of minimum.
    params = jax.tree.map(np.array, state.params)
    state = run.fit(state, 2)
    for module, leaves in params.items():
        if module.startswith("bfs/"):
            assert all(np.array_equal(leaves[k], state.params[module][k]) for k in leaves), module


def test_frozen_parameters_do_not_train():
    run = Run("bfs", freeze=("^processor/",))
    state = run.state()
    before = jax.tree.map(np.array, state.params)
    frozen = frozen_names(before, ("^processor/",))
    assert frozen and all(name.startswith("processor/") for name in frozen)
    after = run.fit(state, 3).params
    for module, leaves in before.items():
        for name, value in leaves.items():
            assert np.array_equal(value, after[module][name]) == module.startswith("processor/")


def test_every_parameter_trains_unless_frozen():
    run = Run("heapsort", processor="triplet_gmpnn")
    state = run.state()
    before = jax.tree.map(np.array, state.params)
    after = run.fit(state, 3).params
    for module, leaves in before.items():
        for name, value in leaves.items():
            # Offsets of pointer logits shift all targets alike, so that their gradient is zero by nature.
            if name == "b" and module.endswith(("/out", "/node")):
                continue
            assert not np.array_equal(value, after[module][name]), (module, name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"learning_rate": 1e-3, "gradient_clip": -1.0}, "gradient_clip must not be negative"),
        ({"learning_rate": 1e-3, "freeze": ("(",)}, "no regular expression"),
    ],
)
def test_optimiser_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_optimiser(**arguments)


def test_freeze_pattern_that_finds_nothing():
    with pytest.raises(ValueError, match="finds no parameter"):
        frozen_names({"a": {"w": np.zeros(1)}}, ("b/",))


# ---------------------------------------------------------------------------------------------------
# Checkpoints


def small_state(step: int) -> TrainState:
    params = {"a": {"w": jnp.arange(5.0) + step}, "b": {"w": jnp.ones((3, 4))}}
    optimiser = make_optimiser(1e-3).init(params)
    return TrainState(params, optimiser, jnp.array(step, jnp.int32), jax.random.key(7))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    with Checkpoints(folder) as checkpoints:
        for step, score in ((1, 0.5), (2, 0.9), (3, 0.3), (4, 0.2), (5, None)):
            checkpoints.save(small_state(step), score, {"seconds": step})
    return folder


def test_last_two_and_best_are_kept(saved):
    with Checkpoints(saved, read_only=True) as checkpoints:
        assert checkpoints.steps == [2, 4, 5]
        best, last = checkpoints.restore_best(small_state(0)), checkpoints.restore_last(small_state(0))
    assert digest(best.state) == digest(small_state(2))
    assert digest(last.state) == digest(small_state(5))
    assert last.notes == {"seconds": 5}


def test_latest_of_equally_good_checkpoints_is_best(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        for step in range(1, 6):
            checkpoints.save(small_state(step), 1.0 if step <= 3 else 0.5, {})
    with Checkpoints(tmp_path) as checkpoints:
        assert int(checkpoints.restore_best(small_state(0)).state.step) == 3


def test_saved_state_does_not_change_with_the_memory_it_came_from(tmp_path, bfs):
    state = bfs.fit(bfs.state(), 1)
    expected = digest(state)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(state, 0.0, {})
        bfs.fit(state, 4)
    with Checkpoints(tmp_path) as checkpoints:
        assert digest(checkpoints.restore(bfs.state()).state) == expected


@pytest.mark.parametrize("how", ["truncated", "flipped", "missing"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_damage_to_any_file_never_changes_what_is_restored(saved, tmp_path, how):
    files = [path.relative_to(saved) for path in (saved / "step_5").rglob("*") if path.is_file()]
    skipped = 0
    for index, name in enumerate(files):
        folder = tmp_path / str(index)
        shutil.copytree(saved, folder)
        damage(folder / name, how)
        with Checkpoints(folder) as checkpoints:
            step = int(checkpoints.restore(small_state(0)).state.step)
            assert digest(checkpoints.restore(small_state(0)).state) == digest(small_state(step))
            assert step in (4, 5), name
            if step == 4:
                skipped += 1
                assert checkpoints.steps == [2, 4]
                checkpoints.save(small_state(5), 0.1, {})
        with Checkpoints(folder) as checkpoints:
            assert int(checkpoints.restore(small_state(0)).state.step) == 5
    assert skipped >= 3


def damage(path: pathlib.Path, how: str) -> None:
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(bytes(byte ^ 0xFF for byte in content))


def test_flipped_parameters_in_a_valid_file_are_noticed(saved, tmp_path, monkeypatch):
    """Even if the library reads a file without complaint, the checksum decides."""
    shutil.copytree(saved, tmp_path / "copy")
    with Checkpoints(tmp_path / "copy") as checkpoints:
        real = checkpoints._manager.restore

        def flipped(step, **arguments):
            found = real(step, **arguments)
            if step == 5:
                found.state["params"]["a"]["w"] = found.state["params"]["a"]["w"] + 1
            return found

        monkeypatch.setattr(checkpoints._manager, "restore", flipped)
        assert int(checkpoints.restore(small_state(0)).state.step) == 4


def test_all_checkpoints_damaged(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("notes/metadata"):
        path.write_text("{")
    with Checkpoints(tmp_path / "copy") as checkpoints:
        with pytest.raises(ValueError, match=r"no whole checkpoint .*damaged: \[2, 4, 5\]"):
            checkpoints.restore(small_state(0))
        assert checkpoints.steps == [2, 4, 5]


def test_no_checkpoints(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore(small_state(0)) is None
        with pytest.raises(ValueError, match="there are none"):
            checkpoints.restore_best(small_state(0))


def test_digest_sees_names_types_shapes_and_bytes():
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


def metrics_hook(folder, start=0, every=2):
    return WriteMetrics(folder / "metrics.jsonl", folder / "events", every, 8, start, Clock(100.0))


def test_metrics_are_means_over_an_interval(tmp_path):
    hook = metrics_hook(tmp_path)
    for step in range(1, 5):
        metrics = {"loss": jnp.asarray(float(step))}
        if step == 3:
            metrics["validation/score"] = np.float64(0.5)
        hook.after_step(step, None, metrics)
    hook.at_end(None, False)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [(2, 1.5), (3, 3.0), (4, 4.0)]
    assert [line.get("validation/score") for line in lines] == [None, 0.5, None]
    for line in lines:
        assert line["examples_per_second"] == pytest.approx(8 * line["steps_per_second"])
        assert line["seconds"] >= 100
    assert list((tmp_path / "events").iterdir())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_loss_that_is_not_finite_stops_training(tmp_path, value):
    hook = metrics_hook(tmp_path)
    hook.after_step(1, None, {"loss/bfs/pi": jnp.asarray(value)})
    with pytest.raises(FloatingPointError, match="loss/bfs/pi is (nan|inf) at step 2"):
        hook.after_step(2, None, {"loss/bfs/pi": jnp.asarray(1.0)})


def test_lines_behind_the_start_are_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    keep_lines(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


# ---------------------------------------------------------------------------------------------------
# Workdirs


CONFIG = {"training": {"steps": 5, "seed": 0}, "algorithms": ("bfs",)}


def test_workdir_belongs_to_one_config(tmp_path):
    workdir = Workdir(tmp_path / "runs" / "a")
    workdir.claim(CONFIG)
    workdir.claim(CONFIG)
    assert json.loads(workdir.config.read_text())["algorithms"] == ["bfs"]
    assert {"nar", "jax", "git"} <= set(json.loads((workdir.path / "versions.json").read_text()))
    with pytest.raises(ValueError, match=r"training.seed: 0 there, 1 now"):
        workdir.claim({**CONFIG, "training": {"steps": 5, "seed": 1}})


def test_run_may_be_prolonged_but_not_cut(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.claim(CONFIG)
    workdir.claim({**CONFIG, "training": {"steps": 9, "seed": 0}})
    assert json.loads(workdir.config.read_text())["training"]["steps"] == 9
    with pytest.raises(ValueError, match="training.steps: 9 there, 5 now"):
        workdir.claim(CONFIG)


def test_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="not the workdir of a run"):
        Workdir(tmp_path).claim(CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_damaged_config_of_a_workdir(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        Workdir(tmp_path).claim(CONFIG)
