"""Sweeps: lists of trials, their names and checks, launchers, supervision and tables."""

import collections
import json
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import running_script
import scipy.stats
from absl import flags
from commands import ROOT, run
from ml_collections import config_flags
from saved_checkpoints import saved_file, saved_steps

from configs import base, text_small, tiny
from configs.sweeps import bfs_processors
from experiments.sweeps import hyper, trial_config
from experiments.sweeps.launchers.local import Accelerators, divide, find_accelerators
from experiments.sweeps.live_status import describe
from experiments.sweeps.seed_sharing import results_of_seeds, share_seeds, without_seed
from experiments.sweeps.supervisor import State, Supervisor
from experiments.sweeps.trial import (
    check_root,
    check_trials,
    make_trials,
    override,
    read_sweep,
    record_trials,
)
from nar.atomic_io import read_json, write_json
from nar.reports import Outcome, summarize, sweep_json, sweep_markdown, sweep_table
from nar.runs.config import RunConfig
from nar.statistics import sample_statistics
from nar.training import Devices


def test_hyper_combines_lists_of_trials():
    rates = hyper.sweep("training.learning_rate", [1, 2])
    seeds = hyper.sweep("training.seed", range(3))
    assert rates == [{"training.learning_rate": 1}, {"training.learning_rate": 2}]
    product = hyper.product([rates, seeds])
    assert [(trial["training.learning_rate"], trial["training.seed"]) for trial in product] == [
        (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2),
    ]  # fmt: skip
    assert hyper.zipit([rates, seeds[1:]]) == [
        {"training.learning_rate": 1, "training.seed": 1},
        {"training.learning_rate": 2, "training.seed": 2},
    ]
    assert hyper.chainit([rates, seeds]) == rates + seeds
    assert hyper.product([]) == [{}]
    with pytest.raises(ValueError, match="the same length, got 2, 3"):
        hyper.zipit([rates, seeds])
    for join in (hyper.product, hyper.zipit):
        with pytest.raises(ValueError, match=r"training\.seed is set by two"):
            join([seeds, seeds])


def trials_of(sweep, root=pathlib.Path("nowhere"), config=None):
    return make_trials(config or tiny.get_config(), sweep, root)


def test_trials_are_named_after_overrides_and_keep_their_names_when_a_sweep_grows():
    sweep = bfs_processors.get_sweep(hyper)
    names = [trial.name for trial in trials_of(sweep)]
    assert names[:2] == [f"processor=mpnn,learning_rate=0.001,seed={seed}" for seed in range(2)]
    assert len(set(names)) == len(sweep) == 8
    larger = hyper.chainit([hyper.sweep("training.seed", [7]), sweep])
    assert [trial.name for trial in trials_of(larger)][1:] == names
    assert trials_of([{}])[0].name == "as_configured"
    unusual = trials_of(
        [{"data.sizes": (4, 5)}, {"data.sizes": (4, 5, 6)}, {"algorithms": ("dir/mine:A",)},
         {"model.processor_options": {"a": "x" * 300}}, {"model.processor_options": {"a": "x" * 301}}]
    )  # fmt: skip
    names = [trial.name for trial in unusual]
    assert len(set(names)) == 5
    assert all(re.fullmatch(r"[\w.,=+-]{1,120}", name, re.ASCII) for name in names)


def test_overrides_change_the_config_and_nothing_else():
    config = tiny.get_config()
    before = config.to_dict()
    values = {"training.learning_rate": 1, "data.sizes": (5,), "training.loss_weights": {"hint": 0.5}}
    changed = override(config, values)
    assert changed["training"]["learning_rate"] == 1.0
    assert isinstance(changed["training"]["learning_rate"], float)
    assert changed["data"]["sizes"] == (5,)
    assert changed["training"]["loss_weights"] == {"hint": 0.5}
    assert config.to_dict() == before
    del changed["training"], before["training"]
    changed["data"]["sizes"] = before["data"]["sizes"]
    assert changed == before


NESTED = [4]
NESTED.append(NESTED)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"training.learning_rat": 1.0}, r"trial 0: config key training\.learning_rat: .*learning_rate"),
        ({"trainin.seed": 1}, r"training"),
        ({"training": 1}, r"config key training"),
        ({"training": {}}, r"trial 0: config key training is a section: .* such as training\.steps"),
        ({"data.sizes": NESTED}, r"trial 0: config key data\.sizes has more than 100 levels"),
        ({"training.steps": "many"}, r"config key training\.steps: .*int"),
        ({"training.steps.more": 1}, r"config key training\.steps\.more"),
    ],
)
def test_unknown_keys_and_wrong_types_are_rejected(overrides, message):
    with pytest.raises(ValueError, match=message):
        trials_of([overrides])


def test_duplicate_trial_is_rejected():
    with pytest.raises(ValueError, match="trial 1 is a duplicate"):
        trials_of([{"training.seed": 1}, {"training.seed": 1}])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.processor": "mpn"}, "trial processor=mpn: .*mpnn"),
        ({"training.steps": 0}, r"trial steps=0: training\.steps must be"),
        ({"data.problem": {"width": 2}}, "trial problem=.*none of bfs has this option"),
        ({"training.callbacks": ("os:none",)}, "trial callbacks=.*os has no callback 'none'"),
        ({"training.trackers": ("wandbb",)}, "trial trackers=.*wandbb"),
        ({"training.init_from": "nowhere"}, "trial init_from=.*nowhere"),
    ],
)
def test_configs_are_checked_before_any_trial_starts(tmp_path, overrides, message):
    trials = trials_of([{"training.seed": 1}, overrides], tmp_path)
    with pytest.raises(ValueError, match=message):
        check_trials(trials, Devices.one())
    assert not list(tmp_path.iterdir())


def test_plugins_of_trials_that_are_trained_elsewhere_need_not_be_here(tmp_path):
    trials = trials_of([{"training.trackers": ("wandbb",)}], tmp_path)
    check_trials(trials, Devices.one(), trained_here=False)


@pytest.mark.parametrize("name", ["table.txt", "sweep.json", "logs/mine", ".env", "notes.txt"])
def test_folder_of_others_is_rejected_and_nothing_in_it_is_overwritten(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    with pytest.raises(ValueError, match="is not empty and is not the directory of a sweep; choose another"):
        check_root(tmp_path)


def test_folders_of_sweeps_are_accepted(tmp_path):
    recorded, started = tmp_path / "recorded", tmp_path / "started"  # the second one by --sweep_index
    record_trials(trials_of([{}], recorded), {}, recorded)
    (started / "trials").mkdir(parents=True)
    (started / "table.txt").write_text("of --launcher=status")
    for root in (recorded, started, tmp_path / "missing"):
        check_root(root)
    (recorded / "notes.txt").write_text("mine")
    killed = tmp_path / "killed"  # while it wrote its first files
    killed.mkdir()
    for name in ("sweep.json", ".lock_holder"):
        (killed / f".{name}.0123456789abcdef.part").touch()
    check_root(killed)
    check_root(recorded)


def test_workdir_of_another_config_is_rejected(tmp_path):
    (trial,) = trials_of([{"training.seed": 1}], tmp_path)
    with trial.workdir.lock():
        trial.workdir.claim(trial.config)
    check_trials([trial], Devices.one())
    config = tiny.get_config()
    config.model.hidden_size = 9
    with pytest.raises(ValueError, match=r"seed=1: .*another config(?s:.*)hidden_size: 8 saved, 9 given"):
        check_trials(trials_of([{"training.seed": 1}], tmp_path, config), Devices.one())
    config = tiny.get_config()
    config.training.steps = 1000  # longer training is allowed
    check_trials(trials_of([{"training.seed": 1}], tmp_path, config), Devices.one())


def test_config_file_of_a_trial_reproduces_its_config(tmp_path):
    config = base.get_config()
    overrides = {"algorithms": ("bfs", "dfs"), "model.processor_options": {"x": [1]}}
    (trial,) = trials_of([overrides], tmp_path, config)
    trial.prepare()
    (file,) = (tmp_path / "configs").iterdir()
    assert trial_config.get_config(str(file)).to_dict() == trial.config
    assert trial.config == {**config.to_dict(), "algorithms": ("bfs", "dfs"), "model": trial.config["model"]}
    assert trial.config["model"]["processor_options"] == {"x": (1,)}


def test_numbers_of_numpy_and_infinity_are_read_as_they_were_meant(tmp_path):
    overrides = {
        "training.learning_rate": np.float64(0.25),
        "training.steps": np.int64(7),
        "training.grad_clip_norm": math.inf,
        "model.lstm": np.bool_(True),
        "data.sizes": np.array([4, 5]),
        "training.loss_weights": {"hint": np.float32(0.5)},
    }
    (trial,) = trials_of([overrides], tmp_path)
    trial.prepare()
    check_trials([trial], Devices.one())
    record_trials([trial], tiny.get_config().to_dict(), tmp_path)
    (file,) = (tmp_path / "configs").iterdir()
    read = trial_config.get_config(str(file)).to_dict()
    expected = {"learning_rate": 0.25, "steps": 7, "grad_clip_norm": math.inf, "loss_weights": {"hint": 0.5}}
    assert {key: read["training"][key] for key in expected} == expected
    assert read["data"]["sizes"] == (4, 5) and read["model"]["lstm"] is True
    assert RunConfig.from_dict(read).training.steps == 7


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "trial 0: config key training.learning_rate must not be NaN"),
        (np.float32("nan"), "trial 0: config key training.learning_rate must not be NaN"),
        (
            np.datetime64("2020-01-01"),
            "trial 0: config key training.learning_rate must be a number, a string",
        ),
        (object(), "trial 0: config key training.learning_rate must be a number, a string, or"),
        ({1: 2}, "trial 0: config key training.learning_rate has the key 1, which is not a string"),
    ],
)
def test_values_that_no_file_can_hold_are_rejected(value, message):
    with pytest.raises(ValueError, match=message):
        trials_of([{"training.learning_rate": value}])


def test_a_missing_initial_run_is_an_error_before_any_trial_starts(tmp_path):
    trials = trials_of([{"training.init_from": str(tmp_path / "none")}], tmp_path)
    with pytest.raises(ValueError, match=r"trial .*: training.init_from: .*none is not the workdir of a run"):
        check_trials(trials, Devices.one())
    check_trials(trials, Devices.one(), check_sources=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings(r"ignore:the load_module\(\) method:DeprecationWarning")  # of ml_collections
def test_paths_of_a_trial_may_have_colons(tmp_path):
    (trial,) = trials_of([{"training.steps": 7}], tmp_path / "a:b")
    trial.prepare()
    values, (word,) = flags.FlagValues(), [word for word in trial.command() if word.startswith("--config=")]
    config_flags.DEFINE_config_file("config", None, "", flag_values=values)
    values(["train", word])
    assert values.config.to_dict() == trial.config and values.config.training.steps == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is not a file"),
        ("def get_sweep(hyper):\n    return []", "has no trials"),
        ("def get_sweep(hyper):\n    return [1]", "a trial must be a dict"),
        ("def get_sweep(hyper):\n    return hyper.sweeep('a', [1])", "AttributeError: .*sweeep"),
        ("def get_swep(hyper):\n    return []", "get_sweep"),
        ("def get_sweep(hyper:", "SyntaxError"),
    ],
)
def test_invalid_sweep_file_is_rejected(tmp_path, text, message):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_sweep(str(path))


# ---------------------------------------------------------------------------------------------------
# Shares of a machine


@pytest.mark.parametrize("count", range(1, 9))
def test_cores_are_divided_evenly_and_all_are_used(count):
    cores = list(range(3, 9))
    shares = [share.cores for share in divide(cores, None, parallel=count)]
    assert len(shares) == count
    assert {core for share in shares for core in share} == set(cores)
    sizes = [len(share) for share in shares]
    assert min(sizes) >= 1 and max(sizes) - min(sizes) <= 1


def test_devices_are_divided_and_assigned_by_environment_variables():
    gpus = Accelerators("gpu", ("0", "1", "2", "3", "4"))
    two = divide(range(8), gpus, trial_devices=2)
    assert [share.accelerators.variables() for share in two] == [
        {"CUDA_VISIBLE_DEVICES": "0,1"},
        {"CUDA_VISIBLE_DEVICES": "2,3"},
    ]
    assert [share.cores for share in two] == [(0, 1, 2, 3), (4, 5, 6, 7)]
    (chips, _) = divide(range(8), Accelerators("tpu", tuple("0123")), trial_devices=2)
    assert chips.accelerators.variables()["TPU_VISIBLE_CHIPS"] == "0,1"
    assert chips.accelerators.variables()["TPU_CHIPS_PER_PROCESS_BOUNDS"] == "1,2,1"
    with pytest.raises(ValueError, match="this machine has 5"):
        divide(range(8), gpus, parallel=6)
    with pytest.raises(ValueError, match="must be 1, 2, 4, 8 on TPUs"):
        divide(range(8), Accelerators("tpu", tuple("0123")), trial_devices=3)
    assert len(divide(range(9), None)) == 2  # four cores each


def test_accelerators_are_found_without_initializing_jax(tmp_path):
    assert find_accelerators({}, tmp_path) is None
    (tmp_path / "vfio").mkdir()
    for name in ("vfio/17", "vfio/18", "vfio/vfio"):
        (tmp_path / name).touch()
    assert find_accelerators({}, tmp_path) == Accelerators("tpu", ("0", "1"))
    for name in ("nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert find_accelerators({}, tmp_path) == Accelerators("gpu", ("0", "1", "10"))
    environment = {"CUDA_VISIBLE_DEVICES": "1,10"}
    assert find_accelerators(environment, tmp_path) == Accelerators("gpu", ("1", "10"))
    assert find_accelerators({"JAX_PLATFORMS": "cpu"}, tmp_path) is None
    with pytest.raises(ValueError, match="no device of JAX_PLATFORMS=cuda"):
        find_accelerators({"JAX_PLATFORMS": "cuda"}, tmp_path / "none")


# ---------------------------------------------------------------------------------------------------
# Supervision, with a scripted launcher


class ScriptedLauncher:
    """Launcher whose processes follow scripts: for each start of a trial, an exit code and the saved step."""

    def __init__(self, scripts, capacity=1):
        self.scripts, self.capacity, self.started, self.running = scripts, capacity, [], []

    def has_capacity(self):
        return len(self.running) < self.capacity

    def start(self, trial):
        self.started.append(trial.name)
        handle = ScriptedProcess(self, trial, self.scripts[trial.name].pop(0))
        self.running.append(handle)
        return handle


class ScriptedProcess:
    def __init__(self, launcher, trial, script):
        self.launcher, self.trial, self.script, self.is_stopped = launcher, trial, script, False

    def poll(self):
        code, saved = self.script
        if code is None and not self.is_stopped:
            return None
        self.trial.workdir.checkpoints.mkdir(parents=True, exist_ok=True)
        saved_file(self.trial.workdir.path, saved).touch()
        if code == 0:
            scores = result({"bfs": 0.5}, {"bfs": 0.5})
            write_json(self.trial.workdir.result, {**scores, "steps": saved, "stopped_early": False})
        if self in self.launcher.running:
            self.launcher.running.remove(self)
        return 1 if code is None else code

    def is_running(self):
        return True

    def stop(self):
        self.is_stopped = True


def supervise(tmp_path, scripts, retries=1, capacity=1, updates=20):
    trials = trials_of(hyper.sweep("training.seed", range(len(scripts))), tmp_path)
    launcher = ScriptedLauncher({f"seed={i}": list(script) for i, script in enumerate(scripts)}, capacity)
    lines = []
    supervisor = Supervisor(trials, launcher, retries, lines.append)
    for _ in range(updates):
        if supervisor.is_over():
            break
        supervisor.update()
    return supervisor, launcher, lines


def test_failing_trial_is_restarted_until_it_makes_no_progress(tmp_path):
    scripts = [
        [(0, 400)],
        [(-9, 20), (1, 40), (-9, 60), (0, 400)],
        [(-9, 20), (1, 40), (1, 40)],
    ]
    supervisor, launcher, lines = supervise(tmp_path, scripts)
    assert [entry.state for entry in supervisor.entries] == [State.DONE, State.DONE, State.FAILED]
    assert collections.Counter(launcher.started) == {"seed=0": 1, "seed=1": 4, "seed=2": 3}
    assert any("seed=1: resumes from step 20" in line for line in lines)
    assert any("seed=1: killed by signal 9, will be restarted" in line for line in lines)
    assert lines[-1].startswith("seed=2: exit code 1, giving up")


def test_resumed_sweep_runs_unfinished_trials_only(tmp_path):
    supervise(tmp_path, [[(0, 400)], [(1, 20)]], retries=0)
    supervisor, launcher, _ = supervise(tmp_path, [[], [(0, 400)], [(0, 400)]])
    assert launcher.started == ["seed=1", "seed=2"]
    assert supervisor.counts() == {State.DONE: 3}


def test_number_of_concurrent_trials_is_limited_by_capacity(tmp_path):
    supervisor, launcher, _ = supervise(tmp_path, [[(None, 0)]] * 3, capacity=2, updates=3)
    assert len(launcher.running) == 2
    assert supervisor.counts() == {State.RUNNING: 2, State.WAITING: 1}


def test_stopped_trials_save_and_wait_to_be_resumed(tmp_path):
    supervisor, launcher, _ = supervise(tmp_path, [[(None, 20)], [(None, 20)]], updates=2)
    supervisor.stop()
    supervisor.update()
    assert supervisor.is_over() and launcher.started == ["seed=0"]
    assert supervisor.counts() == {State.WAITING: 2}


def test_trial_in_use_by_another_process_is_waited_for(tmp_path):
    trials = trials_of(hyper.sweep("training.seed", range(1)), tmp_path)
    launcher, lines = ScriptedLauncher({"seed=0": [(0, 400)]}), []
    supervisor = Supervisor(trials, launcher, 0, lines.append)
    with trials[0].workdir.lock():
        for _ in range(3):
            supervisor.update()
        assert supervisor.counts() == {State.ELSEWHERE: 1} and not launcher.started
    for _ in range(3):
        supervisor.update()
    assert supervisor.is_over() and launcher.started == ["seed=0"]


DAMAGED_METRICS = [
    b"1",
    b"[" * 50_000,
    b'{"step": "x"}',
    b'{"step": 1e400}',
    b"\xff",
    b"{}",
    b'{"step": true}',
]


@pytest.mark.parametrize("line", DAMAGED_METRICS)
def test_damaged_line_in_the_metrics_of_a_trial_is_left_out(tmp_path, line):
    (tmp_path / "trials" / "seed=0").mkdir(parents=True)
    metrics = tmp_path / "trials" / "seed=0" / "metrics.jsonl"
    lines = [b'{"step": 5, "validation/score": 0.25}', line, b'{"step": 7, "loss": 1.0}', b'{"step": 9, "lo']
    metrics.write_bytes(b"\n".join(lines))
    supervisor, _, _ = supervise(tmp_path, [[(None, 20)], [(0, 400)]], updates=0)
    progress = supervisor.entries[0].progress
    assert (progress.step, progress.best, progress.result) == (7, 0.25, None)
    assert describe(supervisor.entries) == "2 waiting, best 25.00% (seed=0)"


def test_trial_with_a_damaged_folder_fails_alone(tmp_path):
    root = tmp_path / "trials" / "seed=0"
    root.mkdir(parents=True)
    os.mkfifo(root / "metrics.jsonl")
    os.mkfifo(root / "result.json")
    os.mkfifo(root / ".lock")
    supervisor, launcher, lines = supervise(tmp_path, [[(0, 400)], [(0, 400)]])
    assert [entry.state for entry in supervisor.entries] == [State.FAILED, State.DONE]
    assert launcher.started == ["seed=1"]
    assert re.search(r"seed=0: giving up: .*\.lock is a named pipe", "\n".join(lines))


# ---------------------------------------------------------------------------------------------------
# Tables


def result(validation, test):
    def split(scores):
        return {task: {"16": {"pi": score, "score": score}} for task, score in scores.items()}

    return {"scores": {"validation": split(validation), "test": split(test)}}


def test_sample_statistics_equal_scipy():
    values = np.random.default_rng(0).normal(size=5)
    statistics = sample_statistics(list(values))
    low, high = scipy.stats.t.interval(0.95, 4, values.mean(), scipy.stats.sem(values))
    assert (statistics.count, statistics.mean) == (5, pytest.approx(values.mean()))
    assert statistics.deviation == pytest.approx(scipy.stats.tstd(values))
    assert statistics.interval == pytest.approx((high - low) / 2)
    assert sample_statistics([0.5]).deviation is None and str(sample_statistics([0.5])) == "50.00"
    with pytest.raises(ValueError, match="no values"):
        sample_statistics([])


def test_table_has_one_row_per_setting_sorted_by_validation_score():
    outcomes = [
        Outcome({"model.processor": "mpnn"}, result({"bfs": 0.8}, {"bfs": 0.9})),
        Outcome({"model.processor": "mpnn"}, result({"bfs": 0.9}, {"bfs": 0.7})),
        Outcome({"model.processor": "gat"}, result({"bfs": 0.95}, {"bfs": 0.5})),
        Outcome({"model.processor": "gat"}, None),
        Outcome({"model.processor": "pgn"}, None),
    ]
    settings = summarize(outcomes)
    assert [setting.overrides["model.processor"] for setting in settings] == ["gat", "mpnn", "pgn"]
    lines = sweep_table(settings).as_text().splitlines()
    assert lines[0].split() == ["processor", "trials", "seeds", "validation", "test"]
    assert lines[2].split() == ["gat", "1", "of", "2", "1", "95.00", "50.00"]
    assert lines[3].split() == ["mpnn", "2", "of", "2", "2", "85.00", "±", "7.07", "80.00", "±", "14.14"]
    assert lines[4].split() == ["pgn", "0", "of", "1", "–", "–", "–"]
    assert "| mpnn | 2 of 2 | 2 | 85.00 ± 7.07 | 80.00 ± 14.14 |" in sweep_markdown(settings)
    content = json.loads(json.dumps(sweep_json(settings)))
    assert content["settings"][1]["tasks"]["bfs"]["mean"] == pytest.approx(0.8)


def test_markdown_table_has_scores_by_algorithm():
    scores = [{"bfs": 0.9, "dfs": 0.5}, {"bfs": 0.7, "dfs": 0.5}]
    settings = summarize([Outcome({}, result(one, one)) for one in scores])
    text = sweep_markdown(settings)
    assert "| bfs | 80.00 ± 14.14 |" in text and "| dfs | 50.00 ± 0.00 |" in text
    assert "| 2 of 2 | 2 | 65.00 ± 7.07 | 65.00 ± 7.07 |" in text


def test_multi_seed_run_has_the_statistics_of_single_seed_runs():
    results_by_seed = [result({"bfs": score}, {"bfs": score}) for score in (0.5, 0.6, 0.7)]
    single = summarize([Outcome({}, seed_result) for seed_result in results_by_seed])
    multi = summarize([Outcome({}, {**result({"bfs": 0.6}, {"bfs": 0.6}), "seeds": results_by_seed})])
    assert (single[0].finished, multi[0].finished) == (3, 1)
    assert single[0].test == multi[0].test and single[0].tasks == multi[0].tasks


def test_settings_without_a_result_keep_their_order():
    settings = summarize([Outcome({"x": name}, None) for name in "abc"])
    assert [setting.overrides["x"] for setting in settings] == ["a", "b", "c"]


# ---------------------------------------------------------------------------------------------------
# Real processes

SWEEP = """
def get_sweep(hyper):
    seeds = hyper.sweep("training.seed", range({number}))
    return hyper.product([hyper.sweep("model.processor", ["mpnn"]), seeds])
"""


def arguments_for(root, *arguments, number=3):
    path = root.parent / "seeds.py"
    path.write_text(SWEEP.format(number=number))
    flags = ["--config=configs/tiny.py", f"--sweep={path}", f"--workdir={root}"]
    return *flags, "--config.model.hidden_size=4", "--config.training.steps=120", *arguments


def sweep(root, *arguments, **options):
    """Runs a sweep; returns its exit code and output."""
    code, output, errors = run("sweep", *arguments_for(root, *arguments, **options))
    return code, output + errors


def start(root, *arguments):
    return running_script.RunningScript("sweep", *arguments_for(root, *arguments))


def end(script):
    code, output, errors = script.end()
    return code, output + errors


def trial_processes(root):
    """Process IDs of the running trials of a sweep."""
    process_ids = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"experiments.train" in words and any(str(root).encode() in word for word in words):
            process_ids.append(int(path.parent.name))
    return process_ids


def results(root):
    return {path.parent.name: read_json(path) for path in root.glob("trials/*/result.json")}


def has_saved(root, step):
    """Returns whether a trial has a checkpoint of the step."""
    return any(step in saved_steps(path) for path in root.glob("trials/*"))


def wait_for_trials_to_end(root):
    """Waits until all trials have ended, as they must after their sweep was killed."""
    limit = time.monotonic() + 60
    while trial_processes(root):
        assert time.monotonic() < limit, "a trial has outlived the sweep"
        time.sleep(0.05)


@pytest.mark.slow
def test_sweep_runs_its_trials_and_writes_a_table(tmp_path):
    root, few = tmp_path / "root", ("--config.training.steps=6", "--config.training.eval_every=6")
    code, output = sweep(root, "--parallel=1", *few, number=2)
    assert code == 0 and "2 of 2" in output, output
    names = ["processor=mpnn,seed=0", "processor=mpnn,seed=1"]
    assert sorted(results(root)) == names and all(f"{name}: done" in output for name in names)
    scores = [one["scores"]["test"]["bfs"]["64"]["score"] for one in results(root).values()]
    (setting,) = read_json(root / "table.json")["settings"]
    assert setting["overrides"] == {"model.processor": "mpnn"}
    assert setting["test"]["mean"] == pytest.approx(np.mean(scores))
    assert setting["test"]["deviation"] == pytest.approx(np.std(scores, ddof=1))
    assert len({one["parameters_sha256"] for one in results(root).values()}) == 2
    code, output = sweep(root, "--launcher=status", *few, number=2)
    assert code == 0 and output.startswith("2 done, best ") and f"{np.mean(scores):.2%}"[:-1] in output
    # Finished trials are skipped; commands are printed for new ones only.
    assert sweep(root, "--launcher=print", *few, number=2) == (0, "")
    code, output = sweep(root, "--launcher=print", *few)
    (line,) = output.splitlines()
    assert code == 0 and line.endswith("--sweep_index=2") and "--launcher" not in line
    assert read_json(root / "sweep.json")["trials"][2]["overrides"]["training.seed"] == 2
    code, output = sweep(root, "--sweep_index=3")
    assert code == 1 and "error: --sweep_index must be below 3" in output


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of three trials that was killed, resumed, interrupted and resumed again, with its outputs."""
    root = tmp_path_factory.mktemp("sweep") / "root"
    outputs = []
    killed = start(root, "--parallel=2")
    killed.wait_for(lambda: has_saved(root, 20))
    os.kill(trial_processes(root)[0], signal.SIGKILL)
    killed.signal(signal.SIGKILL)
    outputs.append(end(killed)[1])
    wait_for_trials_to_end(root)
    before = [len(saved_steps(path)) for path in (root / "trials").iterdir()]
    ended = start(root, "--parallel=1")
    ended.wait_for(lambda: len(results(root)) == 1)
    ended.wait_for(lambda: trial_processes(root))
    ended.signal(signal.SIGINT)
    code, output = end(ended)
    assert code == 1, output
    outputs.append(output)
    code, output = sweep(root)
    assert code == 0, output
    outputs.append(output)
    return root, before, outputs


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="trials end with their sweep on Linux only")
def test_resumed_sweep_has_the_results_of_single_runs(swept):
    root, before, (_, interrupted, last) = swept
    assert max(before) > 1
    assert "resumes from step" in interrupted + last
    assert "Interrupted; run the same command to resume" in interrupted
    assert len(results(root)) == 3 and "3 of 3" in last
    # Finished trials are skipped.
    (done,) = re.findall(r"(seed=\d|processor=mpnn,seed=\d): done", interrupted)
    assert f"{done}: starts" not in last and f"{done}: resumes" not in last
    single = root.parent / "single"
    config = root / "configs" / "processor=mpnn,seed=1.json"
    word = f"--config=experiments/sweeps/trial_config.py:{config}"
    code, _, errors = run("train", word, f"--workdir={single}")
    assert code == 0, errors
    keys = ("parameters_sha256", "scores", "best_step")
    in_sweep, in_single = results(root)["processor=mpnn,seed=1"], read_json(single / "result.json")
    assert [in_sweep[key] for key in keys] == [in_single[key] for key in keys]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="trials end with their sweep on Linux only")
def test_table_of_a_finished_sweep_has_the_statistics_of_its_trials(swept):
    root, _, _ = swept
    scores = [one["scores"]["test"]["bfs"]["64"]["score"] for one in results(root).values()]
    table = read_json(root / "table.json")["settings"]
    assert table[0]["test"]["mean"] == pytest.approx(np.mean(scores))
    assert table[0]["test"]["deviation"] == pytest.approx(np.std(scores, ddof=1))


@pytest.mark.slow
def test_printed_commands_run_their_trials(tmp_path):
    root = tmp_path / "root"
    code, output = sweep(root, "--launcher=print", "--config.training.eval_every=100")
    assert code == 0, output
    lines = output.splitlines()
    assert len(lines) == 3 and all(line.endswith(f"--sweep_index={i}") for i, line in enumerate(lines))
    assert "--launcher" not in output
    done = subprocess.run(["sh", "-c", lines[1]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(results(root)) == ["processor=mpnn,seed=1"]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        pytest.param(
            "--config.model.hidden_size=0",
            "error: trial processor=mpnn,seed=0: model.hidden_size",
            marks=pytest.mark.slow,
        ),
        ("--config.training.stepz=5", "error: --config.training.stepz: .* did you mean training.steps"),
        ("--launcher=screen", "error: .*local"),
    ],
)
def test_invalid_argument_is_reported_in_one_line(tmp_path, argument, message):
    root = tmp_path / "root"
    code, output = sweep(root, argument)
    assert code == 1 and re.search(message, output, re.DOTALL) and "Traceback" not in output
    assert not root.exists()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["ray", "slurm"])
def test_cluster_launchers_run_and_resume_a_sweep(tmp_path, launcher):
    pytest.importorskip({"ray": "ray", "slurm": "submitit"}[launcher])
    root = tmp_path / "root"
    options = ["--options={'cluster': 'local'}"] if launcher == "slurm" else []
    script = start(root, f"--launcher={launcher}", "--trial_cores=1", *options)
    script.wait_for(lambda: has_saved(root, 40))
    os.kill(trial_processes(root)[0], signal.SIGKILL)
    script.wait_for(lambda: results(root))
    script.signal(signal.SIGTERM)
    code, output = end(script)
    assert code == 1 and "Interrupted; run the same command to resume" in output, output
    assert "killed by signal 9, will be restarted" in output
    code, output = sweep(root, f"--launcher={launcher}", "--trial_cores=1", *options)
    assert code == 0 and "3 of 3" in output, output


def test_config_of_a_trial_is_a_regular_file_of_json(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(trial_config.as_text({"a": {"b": (1, 2.5)}}))
    assert trial_config.get_config(str(path)).to_dict() == {"a": {"b": (1, 2.5)}}
    for text in ("[" * 50_000, "[1]", "{", '{"a": 1, "a": 2}', "\ufeff{}"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"."):
            trial_config.get_config(str(path))
    path.unlink()
    with pytest.raises(ValueError, match="No such file"):
        trial_config.get_config(str(path))
    os.mkfifo(path)
    with pytest.raises(ValueError, match="is a named pipe"):
        trial_config.get_config(str(path))


SLURM_JOB = """
import signal, sys
from experiments.sweeps.launchers.slurm import Job

for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU):  # Tests may run under nohup.
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGUSR2, lambda *arguments: print("checkpoint", flush=True))  # as submitit does
trial = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); "
trial += "print('on', flush=True); time.sleep(60)"
sys.exit(Job([sys.executable, "-c", trial], sys.argv[1], ".")())
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU"])
def test_slurm_job_forwards_every_signal_that_would_end_it(tmp_path, name):
    """Except for the one by which submitit asks it to save and be requeued."""
    log = tmp_path / "log"
    words = [sys.executable, "-c", SLURM_JOB, log]
    job = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    while not (log.exists() and log.read_text()):
        assert job.poll() is None
        time.sleep(0.01)
    job.send_signal(signal.SIGUSR2)
    assert job.stdout.readline() == "checkpoint\n" and job.poll() is None
    job.send_signal(getattr(signal, name))
    assert job.wait(timeout=30) == 7
    job.stdout.close()


# ---------------------------------------------------------------------------------------------------
# Sharing of seeds


def shared(sweep, **training):
    return share_seeds(sweep, {"training": {"num_seeds": 1, **training}})


def test_trials_with_consecutive_seeds_are_merged():
    rates = hyper.sweep("training.learning_rate", [1, 2])
    sweep = hyper.product([hyper.sweep("training.seed", [3, 0, 1, 4, 8]), rates])
    assert shared(sweep) == [
        {"training.learning_rate": rate, "training.seed": seed, **num_seeds}
        for rate in (1, 2)
        for seed, num_seeds in (
            (0, {"training.num_seeds": 2}),
            (3, {"training.num_seeds": 2}),
            (8, {}),
        )
    ]
    assert shared(rates) == rates  # without seeds, nothing is merged
    (trial,) = trials_of(shared(hyper.sweep("training.seed", range(3))))
    assert trial.name == "seed=0,num_seeds=3"
    assert (trial.config["training"]["seed"], trial.config["training"]["num_seeds"]) == (0, 3)


def test_invalid_seed_sharing_is_rejected():
    seeds = hyper.sweep("training.seed", range(2))
    for sweep, num_seeds in (
        (hyper.product([seeds, hyper.sweep("training.num_seeds", [1, 2])]), 1),
        (seeds, 2),
    ):
        with pytest.raises(ValueError, match=r"--share_seeds sets training\.num_seeds"):
            shared(sweep, num_seeds=num_seeds)
    with pytest.raises(ValueError, match="one seed per run"):
        share_seeds(seeds, text_small.get_config().to_dict())


def test_results_of_a_merged_trial_are_split_by_seed():
    first, second = {"seed": 0}, {"seed": 1}
    merged = {"training.learning_rate": 1, "training.seed": 0, "training.num_seeds": 2}
    assert results_of_seeds(merged, {"seeds": [first, second], "scores": {}}) == [first, second]
    assert results_of_seeds(merged, None) == [None, None]
    assert results_of_seeds({"training.seed": 0}, first) == [first]
    assert without_seed(merged) == {"training.learning_rate": 1}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="trials end with their sweep on Linux only")
def test_killed_sweep_with_shared_seeds_resumes_to_a_complete_table(tmp_path):
    root = tmp_path / "root"
    arguments = ["--share_seeds", "--parallel=1", "--config.training.eval_every=20"]
    script = start(root, *arguments)
    script.wait_for(lambda: has_saved(root, 20))
    script.signal(signal.SIGKILL)
    script.end()
    wait_for_trials_to_end(root)
    code, output = sweep(root, "--launcher=print", *arguments)
    (line,) = output.splitlines()
    assert line.endswith("--share_seeds --sweep_index=0")
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Resuming from step" in done.stdout, done.stdout + done.stderr
    code, output = sweep(root, "--launcher=status", *arguments)
    assert code == 0 and "3 of 3" in output, output
    (name,) = results(root)
    assert name == "processor=mpnn,seed=0,num_seeds=3"
    scores = [one["scores"]["test"]["bfs"]["64"]["score"] for one in results(root)[name]["seeds"]]
    (setting,) = read_json(root / "table.json")["settings"]
    assert setting["overrides"] == {"model.processor": "mpnn"}
    assert (setting["trials"], setting["finished"], setting["test"]["count"]) == (3, 3, 3)
    assert setting["test"]["mean"] == pytest.approx(np.mean(scores))
    assert setting["test"]["deviation"] == pytest.approx(np.std(scores, ddof=1))
