"""Crash test: kills a training run at random points until it is finished, and compares it with another one.

    python -m experiments.crash_test --workdir=/tmp/killed --kills=30 --seed=0
    python -m experiments.crash_test --config=configs/bfs.py --config.training.steps=200 --workdir=/tmp/killed

Each process is killed at a point drawn from the seed: while it starts, compiles, trains, writes a checkpoint
or runs the final evaluation; mostly by SIGKILL, sometimes by SIGTERM. The next process resumes the run. Final
parameters, the last and best states, the scores and `metrics.jsonl` must equal those of the uninterrupted run
bit for bit; then the exit code is 0. With the default config, `configs/tiny.py`, 30 kills take four to six
minutes of CPU time. The logs of all processes are kept in the workdir.
"""

import collections
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from absl import flags
from ml_collections import config_flags

from experiments.cli.launch import launch
from experiments.cli.paths import define_path
from experiments.fault_injection.compare_runs import find_differences
from experiments.fault_injection.kill_points import TrainingProcess, draw_kill_point, saved_steps
from nar.runs.build import build_run
from nar.runs.workdir import Workdir
from nar.training.loop import read_lines

_CONFIG = config_flags.DEFINE_config_file("config", "configs/tiny.py", "Config of the runs.")
_WORKDIR = define_path("workdir", None, "Directory for all runs; new or empty.", required=True)
_KILLS = flags.DEFINE_integer("kills", 30, "Number of kills.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of kill points and signals.")

_CONFIG_FILE = '''"""The config of this test."""

from ml_collections import ConfigDict


def get_config():
    return ConfigDict({config!r})
'''


def main() -> None:
    """Runs both, compares them, and prints a summary."""
    config = _CONFIG.value.to_dict()
    build_run(config)
    root = pathlib.Path(_WORKDIR.value)
    if root.exists() and any(root.iterdir()):
        raise ValueError(f"{root} is not empty; choose another workdir")
    root.mkdir(parents=True, exist_ok=True)
    (root / "config.py").write_text(_CONFIG_FILE.format(config=config))
    start = time.monotonic()
    uninterrupted, seconds = run_uninterrupted(root)
    print(f"uninterrupted: {time.monotonic() - start:.0f} s, of which {seconds[0] / 2:.1f} s to start")
    rng, counts, rounds, differ = random.Random(_SEED.value), collections.Counter[str](), 0, []
    while counts.total() < _KILLS.value:
        rounds += 1
        workdir = Workdir(root / f"killed_{rounds}")
        for kill in kill_until_done(root, workdir, config["training"]["steps"], seconds, rng, counts):
            counts[kill] += 1
            elapsed = time.monotonic() - start
            print(f"kill {counts.total():>2} at {elapsed:4.0f} s: {kill}", flush=True)
        differ += [f"{workdir.path}: {line}" for line in find_differences(uninterrupted, workdir)]
    print(f"\n{counts.total()} kills in {time.monotonic() - start:.0f} s, over {rounds} runs:")
    print(*(f"  {count:>3} {kill}" for kill, count in sorted(counts.items())), sep="\n")
    if differ:
        sys.exit("\n".join(["error: not equal to the uninterrupted run:", *differ]))
    print(f"Parameters, states, scores and metrics equal those of the uninterrupted run, bit for bit: {root}")


def run_uninterrupted(root: pathlib.Path) -> tuple[Workdir, tuple[float, float]]:
    """Runs training without kills; returns the run, and upper bounds on its start-up and evaluation times."""
    workdir, times = Workdir(root / "uninterrupted"), []
    with start_training(root, workdir) as process:
        start = time.monotonic()
        for condition in (lambda: bool(saved_steps(workdir)), lambda: False):
            while process.poll() is None and not condition():
                time.sleep(0.01)
            times.append(time.monotonic() - start)
    check_end(process, root / "uninterrupted.log", expected=(0,))
    started, ended = times
    # Seconds from the initial checkpoint to the last line of metrics: compilation and training.
    trained = read_lines(workdir.metrics)[-1]["seconds"]
    return workdir, (2 * started, max(1.0, ended - started - trained))


def kill_until_done(
    root: pathlib.Path,
    workdir: Workdir,
    steps: int,
    seconds: tuple[float, float],
    rng: random.Random,
    counts: collections.Counter[str],
) -> Iterator[str]:
    """Starts and kills a run until it is finished, or until the number of kills is reached.

    Yields:
      A description of each kill: signal and kill point.

    Raises:
      ValueError: if a process failed for another reason, or printed a traceback on SIGTERM.
    """
    while not workdir.result.exists():
        log = root / f"{workdir.path.name}.log"
        with start_training(root, workdir) as process:
            if counts.total() >= _KILLS.value:
                process.wait()
                check_end(process, log, expected=(0,))
                return
            training = TrainingProcess(process, workdir, steps, seconds)
            kill_point = draw_kill_point(training, rng)
            kill_point(training, rng)
            number = signal.SIGKILL if rng.random() < 0.7 else signal.SIGTERM
            process.send_signal(number)
            if number == signal.SIGTERM and rng.random() < 0.3:
                training.wait(rng.uniform(0, 0.3))
                process.send_signal(number)
            process.wait()
        ended = (0,) if number == signal.SIGKILL else (0, 1, 128 + number)
        check_end(process, log, expected=(-number, *ended))
        if process.returncode != 0:
            partial = ", partial checkpoint left" if training.is_saving() else ""
            yield f"{number.name} {kill_point.__name__.replace('_', ' ')}{partial}"


def start_training(root: pathlib.Path, workdir: Workdir) -> subprocess.Popen[bytes]:
    """Starts a process that trains the run, or resumes it after a kill."""
    arguments = [f"--config={root / 'config.py'}", f"--workdir={workdir.path}"]
    with (root / f"{workdir.path.name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "experiments.train", *arguments],
            stdout=log,
            stderr=log,
            # A separate cache, since a kill may corrupt it.
            env={**os.environ, "JAX_COMPILATION_CACHE_DIR": f"{workdir.path}_compiled"},
        )


def check_end(process: subprocess.Popen[bytes], log: pathlib.Path, expected: tuple[int, ...]) -> None:
    """Raises ValueError if a process ended with an unexpected exit code or a traceback."""
    text = log.read_text(errors="replace")
    if process.returncode not in expected or "Traceback" in text:
        raise ValueError(f"a process ended with exit code {process.returncode}, see {log}:\n{text[-3000:]}")


if __name__ == "__main__":
    launch(main)
