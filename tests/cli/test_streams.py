"""Output of scripts in other encodings, and output without a reader."""

import json
import os
import shlex
import subprocess
import sys

import pytest
from commands import ROOT, TINY, command

SCRIPT = """
import sys
from experiments.cli.streams import make_streams_tolerant

make_streams_tolerant()
make_streams_tolerant()  # as a command of `nar` does
print("\\u2500 1 \\xb1 2 \\udcff \\u4e2d", flush=True)
print("error \\u2013", file=sys.stderr)
for _ in range(20_000):
    print("line \\xb1")
    print("more \\xb1", file=sys.stderr)
sys.stdout.flush()
open(sys.argv[1], "w").write("done")
sys.exit(3)
"""


def start(tmp_path, encoding="utf-8", redirect="", script=SCRIPT):
    """Runs a script in a shell; returns its process and whether it reached its end."""
    done = tmp_path / "done"
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" "$2" {redirect}', sys.executable, script, str(done)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return process, done.exists()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_letters_that_the_encoding_lacks_are_replaced(tmp_path, encoding):
    process, done = start(tmp_path, encoding)
    assert done and process.returncode == 3
    first = process.stdout.decode(encoding).splitlines()[0]
    assert first == "\u2500 1 \xb1 2 \udcff \u4e2d".encode(encoding, "replace").decode(encoding)
    assert process.stderr.decode(encoding).startswith("error ")


@pytest.mark.parametrize(
    "redirect",
    ["2>&1 | head -1", "| head -1", "2> >(head -1) | cat", ">&-", "2>&-", ">&- 2>&-", "2> /dev/full"],
)
def test_output_that_nobody_reads_does_not_end_a_script(tmp_path, redirect):
    process, done = start(tmp_path, redirect=redirect)
    assert done
    assert process.returncode == (0 if "|" in redirect else 3)
    assert b"Traceback" not in process.stderr and b"BrokenPipe" not in process.stderr


def test_a_full_disk_is_an_error(tmp_path):
    process, done = start(tmp_path, redirect="> /dev/full")
    assert not done and process.returncode != 0


@pytest.mark.parametrize("words", [("show", "--algorithm=bfs", "--size=4"), ("train", "--help")])
def test_a_full_disk_ends_a_command_with_one_line(words):
    line = shlex.join(command(*words)) + " > /dev/full"
    process = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 1 and process.stderr.count("\n") == 1
    assert process.stderr.startswith("error: standard output: No space left on device; what was saved")


@pytest.mark.slow
@pytest.mark.parametrize("redirect", ["", "2>&1 | head -1"])
def test_commands_with_ascii_output_and_closed_pipes(tmp_path, redirect):
    """Each does its work, whatever happens to its output."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    tiny = [*TINY, "--config.training.steps=10"]
    run, sweep = tmp_path / "run", tmp_path / "seeds.py"
    sweep.write_text("def get_sweep(hyper):\n    return hyper.sweep('training.seed', [0])\n")
    words = {
        "train": ["--config=configs/bfs.py", f"--workdir={run}", *tiny],
        "evaluate": [f"--workdir={run}", "--sizes=4"],
        "report": [str(run), f"--output={tmp_path / 'report'}"],
        "sweep": ["--config=configs/bfs.py", f"--workdir={tmp_path / 'sweep'}", *tiny, f"--sweep={sweep}"],
    }
    for script, arguments in words.items():
        line = shlex.join(command(script, *arguments)) + f" {redirect}"
        process = subprocess.run(
            ["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, timeout=300, check=False
        )
        assert process.returncode == 0, (script, process.stderr)
    assert json.loads((run / "result.json").read_text())["steps"] == 10
    assert (run / "evaluation.json").exists() and (tmp_path / "report" / "table.md").exists()
    assert (tmp_path / "sweep" / "table.md").exists()


IN_TERMINAL = """
import os, pty, signal, sys

process, terminal = pty.fork()
if process == 0:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
os.read(terminal, 10)
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no terminals of this kind")
def test_terminal_that_is_closed_does_not_end_a_script(tmp_path):
    """A closed terminal no longer says that it is one."""
    done = tmp_path / "done"
    words = [sys.executable, "-c", IN_TERMINAL, SCRIPT, done]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(words, cwd=ROOT, env=environment, timeout=60, check=False)
    assert process.returncode == 3 and done.exists()
