"""Runs that are killed at random points, or whose disk is full: real processes on a real file system."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from commands import ROOT, command, run
from running_script import RunningScript
from saved_checkpoints import saved_file, saved_files, saved_steps

from experiments.fault_injection import damaged_files
from experiments.fault_injection.compare_runs import find_differences
from nar.atomic_io import read_json, write_json
from nar.runs.workdir import Workdir
from nar.training import Checkpoints, TrainState

SMALL = ("--config.model.hidden_size=4", "--config.training.steps=40", "--config.training.eval_every=5")


def arguments_for(workdir):
    return "--config=configs/tiny.py", f"--workdir={workdir}", *SMALL


def train(workdir):
    code, output, errors = run("train", *arguments_for(workdir))
    return code, output + errors


def parameters(workdir):
    return json.loads((workdir / "result.json").read_text())["parameters_sha256"]


@pytest.mark.slow
def test_repeatedly_killed_run_equals_an_uninterrupted_one(tmp_path):
    """Runs `experiments.crash_test` with few kills."""
    quickly = ("--config.model.hint_mode=none", "--config.training.optimizer=sgd")
    few = ("--kills=3", "--damages=0", "--losses=0", "--seed=2")
    arguments = ("--config=configs/tiny.py", f"--workdir={tmp_path / 'kills'}", *SMALL, *quickly, *few)
    code, output, errors = run("crash_test", *arguments, timeout=550)
    assert code == 0, output + errors
    assert re.search(r"^[3-9] kills, 0 damages, 0 losses in \d+ s, 0 differences$", output, re.MULTILINE)
    assert "bit for bit" in output
    # The same command has nothing left to do.
    code, output, errors = run("crash_test", *arguments, timeout=550)
    assert code == 0 and "kills 0:" not in output, output + errors


@pytest.mark.slow
def test_damages_and_losses_make_no_difference(tmp_path):
    few = ("--kills=0", "--damages=60", "--losses=12", "--seed=7")
    code, output, errors = run("crash_test", f"--workdir={tmp_path / 'damages'}", *few, timeout=550)
    assert code == 0, output + errors
    assert "0 kills, 60 damages, 12 losses in" in output and ", refused" in output


def test_crash_test_finds_what_is_wrong(tmp_path):
    """A use that trusts a damaged file, and one that raises another error, are noticed."""
    (tmp_path / "intact").mkdir()
    (tmp_path / "intact" / "file").write_text("right")

    def trusting(folder, file):
        return ["content"] if not file.is_file() or file.read_text(errors="replace") != "right" else []

    def failing(folder, file):
        raise KeyError(file)

    target, random = damaged_files.Target("files", tmp_path / "intact", trusting), np.random.default_rng(0)
    wrong = [
        damaged_files.damage_and_use(target, tmp_path / f"copy_{index}", random)[1] for index in range(20)
    ]
    assert sum(map(bool, wrong)) >= 15 and ["file: content"] in wrong
    with pytest.raises(KeyError):
        damaged_files.damage_and_use(dataclasses.replace(target, use=failing), tmp_path / "copy", random)


def saved_run(path, weight):
    """Files of a finished run: result, metrics, and checkpoints with `weight` in their last array."""
    workdir = Workdir(path)
    checkpoints = Checkpoints(workdir.checkpoints)
    for step, score in ((2, 0.9), (4, 0.5)):
        params = {"a": {"w": np.arange(3.0)}, "b": {"w": np.array([step, weight])}}
        checkpoints.save(TrainState(params, (), np.int32(step), jax.random.key(0)), score, {})
    result = {"steps": 4, "best_step": 2, "scores": {"test": 0.5}, "seconds": time.monotonic()}
    write_json(workdir.result, result)
    line = json.dumps({"step": 4, "loss": 0.5, "steps_per_second": time.monotonic()})
    workdir.metrics.write_text(f"{line}\n")
    return workdir


def test_find_differences_is_bit_exact(tmp_path):
    """Runs that differ in one bit of an array, or in one score, are not equal."""
    a, b = (saved_run(tmp_path / name, 1.0) for name in "ab")
    assert find_differences(a, b) == []
    result = read_json(b.result)
    write_json(b.result, {**result, "scores": {"test": 0.25}})
    assert find_differences(a, b) == ["parameters and scores in result.json"]
    write_json(b.result, result)
    b.metrics.write_text(b.metrics.read_text().replace("0.5", "0.25", 1))
    assert find_differences(a, b) == ["metrics.jsonl"]
    assert find_differences(a, saved_run(tmp_path / "c", np.nextafter(1.0, 2.0))) == ["states"]
    best_differs = saved_run(tmp_path / "d", 1.0)
    shutil.copy(saved_file(tmp_path / "c", 2), best_differs.checkpoints)  # the best one alone
    assert find_differences(a, best_differs) == ["states"]


def handles_sigterm(process):
    """Returns whether the script has installed its signal handlers; before, signals act by default."""
    status = pathlib.Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return time.sleep(1) is None
    caught = re.search(r"^SigCgt:\s*(\w+)", status.read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize(
    ("number", "seconds"),
    [
        (signal.SIGTERM, 0.0),
        (signal.SIGINT, 0.5),
        pytest.param(signal.SIGTERM, 1.5, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 3.0, marks=pytest.mark.slow),
    ],
)
def test_signal_during_startup_ends_the_process_with_one_line(tmp_path, number, seconds):
    process = subprocess.Popen(
        command("train", *arguments_for(tmp_path / "run")),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not handles_sigterm(process):
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode in (1, 128 + number)
    assert re.search(r"^Interrupted\b.*run the same command to resume", output, re.MULTILINE)
    assert "Traceback" not in output


@pytest.mark.slow
def test_second_signal_ends_the_process_immediately(tmp_path):
    script = RunningScript("train", *arguments_for(tmp_path / "run"))
    script.wait_for(lambda: 0 in saved_steps(tmp_path / "run"))
    for _ in range(2):
        script.signal(signal.SIGTERM)
        time.sleep(0.05)
    code, output, errors = script.end()
    assert code in (1, 128 + signal.SIGTERM)
    assert "Interrupted" in errors and "Traceback" not in output + errors


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a temporary file system of a few hundred kilobytes."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if not sys.platform.startswith("linux") or os.geteuid() != 0 or not mount("size=260k"):
        pytest.skip("no file system can be mounted here")
    try:
        yield folder, mount
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_run_on_a_full_disk_resumes_after_the_disk_grows(small_disk, tmp_path):
    folder, mount = small_disk
    code, output = train(folder / "run")
    assert code == 1
    assert re.search(
        r"^error: \S+/disk/run/\S+: No space left on device; what was saved", output, re.MULTILINE
    )
    assert "Traceback" not in output
    saved = saved_files(folder / "run")
    assert len(saved) >= 2
    # While the disk is full, existing checkpoints do not change.
    before = {path: path.read_bytes() for path in saved}
    code, output = train(folder / "run")
    assert code == 1 and "No space left" in output and "Traceback" not in output
    assert {path: path.read_bytes() for path in before} == before
    assert mount("remount,size=8m")
    code, output = train(folder / "run")
    assert code == 0, output
    assert "Resuming from step" in output
    code, output = train(tmp_path / "uninterrupted")
    assert code == 0, output
    assert parameters(folder / "run") == parameters(tmp_path / "uninterrupted")
