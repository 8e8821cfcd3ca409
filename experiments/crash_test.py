"""Kills a training at random moments until it is done, and compares it with one that was left alone.

    python -m experiments.crash_test --workdir=/tmp/killed --kills=30 --seed=0
    python -m experiments.crash_test --config=configs/bfs.py --config.training.steps=200 --workdir=/tmp/killed

Every life of the process ends in a moment that the seed draws, be it while it starts, compiles, trains,
writes a checkpoint or scores at the end; most by SIGKILL, some by SIGTERM. The next one goes on. Final
parameters, the whole last and best state, the scores and the lines of `metrics.jsonl` must be those of the
undisturbed run, bit for bit; then the exit code is 0. With the default config, `configs/tiny.py`, 30 kills
take four to six minutes of CPU time. Logs of all lives stay in the workdir.
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
from experiments.cli.run_kinds import assemble_kind
from experiments.fault_injection.compare_runs import differences
from experiments.fault_injection.kill_points import Life, draw_moment, names_in, saved_steps
from nar.runs.workdir import Workdir
from nar.training.loop.metrics import read_lines

_CONFIG = config_flags.DEFINE_config_file("config", "configs/tiny.py", "What is trained.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for both runs; new or empty.", required=True)
_KILLS = flags.DEFINE_integer("kills", 30, "How often a living process is killed.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the moments and signals.")

_CONFIG_FILE = '''"""The config of this test."""

from ml_collections import ConfigDict


def get_config():
    return ConfigDict({config!r})
'''


def main() -> None:
    """Runs both, compares, and says what was found."""
    config = _CONFIG.value.to_dict()
    assemble_kind(config)
    root = pathlib.Path(_WORKDIR.value)
    if names_in(root):
        raise ValueError(f"{root} is not empty; choose another workdir")
    root.mkdir(parents=True, exist_ok=True)
    (root / "config.py").write_text(_CONFIG_FILE.format(config=config))
    start = time.monotonic()
    undisturbed, seconds = run_undisturbed(root)
    print(f"undisturbed: {time.monotonic() - start:.0f} s, {seconds[0] / 2:.1f} s of them to start")
    draw, counts, rounds, differ = random.Random(_SEED.value), collections.Counter[str](), 0, []
    while counts.total() < _KILLS.value:
        rounds += 1
        workdir = Workdir(root / f"killed_{rounds}")
        for words in kill_until_done(root, workdir, config["training"]["steps"], seconds, draw, counts):
            counts[words] += 1
            passed = time.monotonic() - start
            print(f"kill {counts.total():>2} at {passed:4.0f} s: {words}", flush=True)
        differ += [f"{workdir.path}: {line}" for line in differences(undisturbed, workdir)]
    print(f"\n{counts.total()} kills in {time.monotonic() - start:.0f} s, over {rounds} runs:")
    print(*(f"  {count:>3} {words}" for words, count in sorted(counts.items())), sep="\n")
    if differ:
        sys.exit("\n".join(["error: not equal to the undisturbed run:", *differ]))
    print(f"Parameters, states, scores and metrics equal those of the undisturbed run, bit for bit: {root}")


def run_undisturbed(root: pathlib.Path) -> tuple[Workdir, tuple[float, float]]:
    """The run, and how many seconds a process takes to start, and to score at its end."""
    workdir, times = Workdir(root / "undisturbed"), []
    with start_life(root, workdir) as process:
        start = time.monotonic()
        for happens in (lambda: bool(saved_steps(workdir)), lambda: False):
            while process.poll() is None and not happens():
                time.sleep(0.01)
            times.append(time.monotonic() - start)
    check_end(process, root / "undisturbed.log", expected=(0,))
    started, ended = times
    # From the state before the first step to the last line of metrics: compilation and training.
    trained = read_lines(workdir.metrics)[-1]["seconds"]
    return workdir, (2 * started, max(1.0, ended - started - trained))


def kill_until_done(
    root: pathlib.Path,
    workdir: Workdir,
    steps: int,
    seconds: tuple[float, float],
    draw: random.Random,
    counts: collections.Counter[str],
) -> Iterator[str]:
    """Starts and kills a run until it is done or was killed often enough, and then lets it end.

    Yields:
      For each kill by what and when it was.

    Raises:
      ValueError: if a process failed otherwise, or a SIGTERM left more than a message.
    """
    while not workdir.result.exists():
        log = root / f"{workdir.path.name}.log"
        with start_life(root, workdir) as process:
            if counts.total() >= _KILLS.value:
                process.wait()
                check_end(process, log, expected=(0,))
                return
            life = Life(process, workdir, steps, seconds)
            moment = draw_moment(life, draw)
            moment(life, draw)
            number = signal.SIGKILL if draw.random() < 0.7 else signal.SIGTERM
            process.send_signal(number)
            if number == signal.SIGTERM and draw.random() < 0.3:
                life.wait(draw.uniform(0, 0.3))
                process.send_signal(number)
            process.wait()
        ended = (0,) if number == signal.SIGKILL else (0, 1, 128 + number)
        check_end(process, log, expected=(-number, *ended))
        if process.returncode != 0:
            half = ", half a checkpoint left" if life.is_saving() else ""
            yield f"{number.name} {moment.__name__.replace('_', ' ')}{half}"


def start_life(root: pathlib.Path, workdir: Workdir) -> subprocess.Popen[bytes]:
    """A process that trains, and goes on where the one before was killed."""
    arguments = [f"--config={root / 'config.py'}", f"--workdir={workdir.path}"]
    with (root / f"{workdir.path.name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "experiments.train", *arguments],
            stdout=log,
            stderr=log,
            # Its own, since a kill may hit while compiled code is written.
            env={**os.environ, "JAX_COMPILATION_CACHE_DIR": f"{workdir.path}_compiled"},
        )


def check_end(process: subprocess.Popen[bytes], log: pathlib.Path, expected: tuple[int, ...]) -> None:
    """Raises ValueError if a process ended otherwise than it should."""
    text = log.read_text(errors="replace")
    if process.returncode not in expected or "Traceback" in text:
        raise ValueError(f"a process ended with {process.returncode}, see {log}:\n{text[-3000:]}")


if __name__ == "__main__":
    launch(main)
