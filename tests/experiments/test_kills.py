"""Runs that are killed at any moment, or whose disk is full: real processes on a real file system."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SHORT = ("--config.training.steps=80", "--config.training.checkpoint_every=10")


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", f"experiments.{script}", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process, seconds=500):
    output, _ = process.communicate(timeout=seconds)
    return process.returncode, output


def train(workdir, *arguments):
    return start("train", "--config=configs/tiny.py", f"--workdir={workdir}", *SHORT, *arguments)


def parameters(workdir):
    return json.loads((workdir / "result.json").read_text())["parameters_sha256"]


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_an_undisturbed_one(tmp_path):
    """`experiments.kill_test`, with fewer kills than by hand."""
    code, output = end(start("kill_test", f"--workdir={tmp_path / 'kills'}", *SHORT, "--kills=4", "--seed=2"))
    assert code == 0, output
    assert "4 kills in" in output and "bit for bit" in output


@pytest.mark.slow
def test_kill_test_notices_a_difference(tmp_path, monkeypatch):
    """Two runs that differ in a bit of one array, or in one score, are not equal."""
    from experiments.differences import differences
    from nar.training import Workdir, read_json, write_json

    code, output = end(train(tmp_path / "a", "--config.training.steps=10"))
    assert code == 0, output
    code, output = end(train(tmp_path / "b", "--config.training.steps=10"))
    assert code == 0, output
    a, b = Workdir(tmp_path / "a"), Workdir(tmp_path / "b")
    assert differences(a, b) == []
    result = read_json(b.result)
    write_json(b.result, {**result, "best_step": result["best_step"], "examples": 7})
    assert differences(a, b) == ["parameters and scores in result.json"]
    write_json(b.result, result)
    b.metrics.write_text(b.metrics.read_text().replace("loss", "lost", 1))
    assert differences(a, b) == ["metrics.jsonl"]
    code, output = end(train(tmp_path / "c", "--config.training.steps=10", "--config.training.seed=1"))
    assert code == 0, output
    assert set(differences(a, Workdir(tmp_path / "c"))) >= {"states", "metrics.jsonl"}


def listens(process):
    """Whether Python has begun with our scripts; before, a signal ends it as it ends any program."""
    status = pathlib.Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return time.sleep(1) is None
    caught = re.search(r"^SigCgt:\s*(\w+)", status.read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.5])
def test_a_signal_while_it_starts_ends_it_with_a_line(tmp_path, number, seconds):
    process = train(tmp_path / "run")
    while not listens(process):
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(number)
    code, output = end(process, 60)
    assert code in (1, 128 + number)
    assert re.search(r"^Interrupted\b.*the same command goes on", output, re.MULTILINE)
    assert "Traceback" not in output


def test_a_second_signal_ends_it_at_once(tmp_path):
    process = train(tmp_path / "run")
    while not (tmp_path / "run" / "checkpoints" / "step_0.npz").exists():
        assert process.poll() is None
        time.sleep(0.01)
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    code, output = end(process, 60)
    assert code in (1, 128 + signal.SIGTERM)
    assert "Interrupted" in output and "Traceback" not in output


@pytest.fixture
def small_disk(tmp_path):
    """A file system of our own; of a few hundred kilobytes."""
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
def test_a_real_disk_that_is_full_and_grows_again(small_disk, tmp_path):
    folder, mount = small_disk
    code, output = end(train(folder / "run"))
    assert code == 1
    assert re.search(
        r"^error: \S+/disk/run/\S+: No space left on device; what was saved", output, re.MULTILINE
    )
    assert "Traceback" not in output
    saved = sorted((folder / "run" / "checkpoints").glob("step_*.npz"))
    assert len(saved) >= 2
    # While it is full, nothing changes.
    before = {path: path.read_bytes() for path in saved}
    code, output = end(train(folder / "run"))
    assert code == 1 and "No space left" in output and "Traceback" not in output
    assert {path: path.read_bytes() for path in before} == before
    assert mount("remount,size=8m")
    code, output = end(train(folder / "run"))
    assert code == 0, output
    assert "Going on from step" in output
    code, output = end(train(tmp_path / "undisturbed"))
    assert code == 0, output
    assert parameters(folder / "run") == parameters(tmp_path / "undisturbed")
