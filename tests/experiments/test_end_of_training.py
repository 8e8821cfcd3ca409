"""Training whose cluster, terminal or reader ends: it is saved, and resumes to the same result."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from commands import ROOT, command, run
from running_script import RunningScript
from saved_checkpoints import saved_steps

EVERY = 100


def arguments_for(workdir):
    changes = {
        "model.hidden_size": 4,
        "model.hint_mode": "none",
        "training.steps": 3 * EVERY,
        "training.eval_every": EVERY,
        "evaluation.validation.sizes": "(4,)",
        "evaluation.test.sizes": "(4,)",
    }
    overrides = (f"--config.{key}={value}" for key, value in changes.items())
    return "--config=configs/tiny.py", f"--workdir={workdir}", *overrides


def parameters(workdir):
    return json.loads((workdir / "result.json").read_text())["parameters_sha256"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "uninterrupted"
    code, output, errors = run("train", *arguments_for(workdir))
    assert code == 0, output + errors
    return parameters(workdir)


def assert_saved_and_resumes(workdir, uninterrupted):
    step = max(saved_steps(workdir))
    assert step % EVERY, "training was saved when the signal arrived, not at the last validation"
    code, output, errors = run("train", *arguments_for(workdir))
    assert code == 0, output + errors
    assert f"Resuming from step {step}." in output
    assert parameters(workdir) == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGALRM"])
def test_training_is_saved_when_a_signal_arrives(tmp_path, uninterrupted, name):
    number = getattr(signal, name)
    workdir = tmp_path / "run"
    script = RunningScript("train", *arguments_for(workdir))
    script.wait_for((workdir / "metrics.jsonl").exists)
    script.signal(number)
    code, output, errors = script.end()
    assert code == 1 and "Traceback" not in output + errors
    assert re.search(r"^Interrupted; run the same command to resume", errors, re.MULTILINE)
    assert_saved_and_resumes(workdir, uninterrupted)


TERMINAL = """
import os, pathlib, pty, select, signal, sys, time

process, terminal = pty.fork()
if process == 0:
    signal.signal(signal.SIGHUP, signal.SIG_IGN if sys.argv[2] else signal.SIG_DFL)
    os.execv(sys.executable, [sys.executable, *sys.argv[3:]])
while not pathlib.Path(sys.argv[1]).exists():
    if select.select([terminal], [], [], 0.01)[0]:
        os.read(terminal, 1024)
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
"""
"""Runs Python in a terminal of its own, which is closed once a file exists; exits with its exit code."""


@pytest.mark.slow
@pytest.mark.parametrize("nohup", ["", "nohup"])
@pytest.mark.skipif(sys.platform == "win32", reason="no terminals of this kind")
def test_training_is_saved_when_its_terminal_is_closed(tmp_path, uninterrupted, nohup):
    workdir = tmp_path / "run"
    words = command("train", *arguments_for(workdir))[1:]
    process = subprocess.run(
        [sys.executable, "-c", TERMINAL, workdir / "metrics.jsonl", nohup, *words],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        timeout=300,
        check=False,
    )
    if nohup:  # It continues, though whatever it writes to the terminal is an error.
        assert process.returncode == 0 and parameters(workdir) == uninterrupted
    else:
        assert process.returncode == 1
        assert_saved_and_resumes(workdir, uninterrupted)


@pytest.mark.slow
def test_training_continues_when_the_reader_of_its_output_exits(tmp_path, uninterrupted):
    workdir = tmp_path / "run"
    shell = '"$@" 2>&1 | head -3; echo "${PIPESTATUS[0]}"'
    process = subprocess.run(
        ["bash", "-c", shell, "bash", *command("train", *arguments_for(workdir))],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = process.stdout.splitlines()
    assert len(lines) == 4 and lines[-1] == "0" and "Traceback" not in process.stdout + process.stderr
    assert parameters(workdir) == uninterrupted
