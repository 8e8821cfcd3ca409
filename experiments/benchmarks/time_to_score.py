"""Time from process start to a validation score, for nar and dm-clrs 2.0.3, and start-up time of nar.

    python -m experiments.benchmark time_to_score
    python -m experiments.benchmark time_to_score --algorithms=bfs --repeats=1 --seed=4

Measures whole processes: from the start of the training command to 99 % validation score on bfs, and 95 % on
minimum and bellman_ford, including data generation, compilation and an evaluation every 50 steps, with empty
caches. The dm-clrs process follows its training script without the initial download of a test set; its
validation set is sampled, as in the script, while that of nar is the one of CLRS-30. The number of steps
varies with the seed, so both run with several seeds (--repeats), alternately; after each there is a summary
so far. Before that it prints the start-up time of nar: the time of an import, and from the start of a process
to the end of its first training step, with empty caches and with compiled code on disk.
"""

import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from absl import flags

from experiments.benchmarks.lib.benchmark_flags import define_algorithms, define_count
from experiments.benchmarks.lib.interleaved_timing import summary

ROOT = pathlib.Path(__file__).parents[2]
GOALS: Mapping[str, float] = {"bfs": 0.99, "minimum": 0.95, "bellman_ford": 0.95}
"""Validation score at which the clock stops, by algorithm."""

FLAGS = flags.FlagValues()
_ALGORITHMS = define_algorithms(FLAGS, list(GOALS))
_STEPS = flags.DEFINE_integer("steps", 2000, "Maximum number of steps.", lower_bound=50, flag_values=FLAGS)
_SEED = flags.DEFINE_integer("seed", 0, "First seed.", lower_bound=0, flag_values=FLAGS)
_REPEATS = define_count(FLAGS, "repeats", 3, "Number of seeds.")
_HIDDEN_SIZE = define_count(FLAGS, "hidden_size", 128, "Hidden size.")

EVAL_EVERY = 50
"""Steps between evaluations, for both."""


class RunOutcome(NamedTuple):
    """Outcome of a run: seconds, steps and score at its end, and whether it reached the goal."""

    seconds: float
    steps: int
    score: float
    done: bool

    def __str__(self) -> str:
        text = f"{self.seconds:.0f} s, {self.steps} steps, {self.score:.1%}"
        return text if self.done else f"missed the goal: {text}"


def main() -> None:
    """Benchmarks the time from process start to a score against dm-clrs."""
    seeds = range(_SEED.value, _SEED.value + _REPEATS.value)
    time_to_score(_ALGORITHMS.value, _STEPS.value, seeds, _HIDDEN_SIZE.value)


def time_to_score(names: Sequence[str], num_steps: int, seeds: Sequence[int], hidden_size: int) -> None:
    """Prints the start-up time of nar, and the time from process start to the goal for nar and dm-clrs.

    After each seed it prints a summary so far: for each algorithm the median ratio and its range over seeds,
    and the geometric mean over algorithms.

    Args:
      names: names of algorithms in `GOALS`.
      num_steps: maximum number of steps of a run.
      seeds: seeds, the same for both.
      hidden_size: hidden size.

    Raises:
      ValueError: if an algorithm has no goal.
    """
    for name in names:
        if name not in GOALS:
            raise ValueError(f"no goal is set for {name!r}; known: {', '.join(GOALS)}")
    measure_start_up(names[0])
    print("dm-clrs: its training script without the download of a test set", flush=True)
    ratios: dict[str, list[float]] = {}
    missed: list[str] = []
    for seed in seeds:
        for name in names:
            nar, dm_clrs = (run(name, num_steps, seed, hidden_size) for run in (run_nar, run_dm_clrs))
            line = f"{name} to {GOALS[name]:.0%} of validation, seed {seed}: nar {nar}; dm-clrs {dm_clrs}"
            if nar.done and dm_clrs.done:
                ratios.setdefault(name, []).append(dm_clrs.seconds / nar.seconds)
                line += f"; {ratios[name][-1]:.2f}×"
            else:
                missed.append(f"{name} with seed {seed}")
            print(line, flush=True)
        if ratios:
            print(summarize_seeds(ratios, missed), flush=True)


def summarize_seeds(ratios: Mapping[str, Sequence[float]], missed: Sequence[str]) -> str:
    """Formats the median and range over seeds of each algorithm, and on the last line the geometric mean.

    Args:
      ratios: ratios by algorithm, one per seed.
      missed: runs without a ratio, since nar or dm-clrs missed the goal.
    """
    medians = {name: statistics.median(values) for name, values in ratios.items()}
    lines = [
        f"{name}: {medians[name]:.2f}×, {min(values):.2f} to {max(values):.2f} in {len(values)} runs"
        for name, values in ratios.items()
    ]
    excluded = [f"excluded, since a goal was missed: {', '.join(missed)}"] if missed else []
    return "\n".join(["", *lines, *excluded, summary(medians)])


def run_nar(name: str, num_steps: int, seed: int, hidden_size: int) -> RunOutcome:
    """Runs the training command with empty caches until its metrics reach the goal."""
    settings = {
        "model.hidden_size": hidden_size,
        "training.steps": num_steps,
        "training.seed": seed,
        "training.eval_every": EVAL_EVERY,
    }
    with tempfile.TemporaryDirectory() as folder:
        return run_training(
            name, settings, "validation/score", GOALS[name], environment_without_caches(folder)
        )


def run_training(
    name: str, settings: Mapping[str, Any], metric: str, goal: float, environment: Mapping[str, str]
) -> RunOutcome:
    """Runs the training command until a metric reaches the goal, or the command ends.

    Raises:
      ValueError: if it ends without having logged the metric.
    """
    with tempfile.TemporaryDirectory() as folder:
        workdir = pathlib.Path(folder, "run")
        words = [
            sys.executable,
            "-m",
            "experiments.train",
            "--config=configs/base.py",
            f"--workdir={workdir}",
        ]
        words += [f"--config.{key}={value}" for key, value in {"algorithms": name, **settings}.items()]
        start = time.perf_counter()
        with open(pathlib.Path(folder, "log"), "w+") as log:
            child = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log)
            try:
                reached = wait_for_score(child, workdir / "metrics.jsonl", metric, goal, start)
            finally:
                child.send_signal(signal.SIGTERM)
                child.wait()
            log.seek(0)
            if reached is None:
                raise ValueError(f"training of {name} ended without {metric}: {log.read()[-2000:]}")
    return reached


def wait_for_score(
    child: subprocess.Popen[bytes], metrics: pathlib.Path, metric: str, goal: float, start: float
) -> RunOutcome | None:
    """Polls the metrics of a run until the goal is reached or the run ends; None without the metric."""
    last = None
    while True:
        ended = child.poll() is not None
        for line in metrics.read_text().splitlines() if metrics.exists() else ():
            values = parse_line(line)
            if metric in values and (last is None or values["step"] > last.steps):
                value = values[metric]
                last = RunOutcome(time.perf_counter() - start, int(values["step"]), value, value >= goal)
                if last.done:
                    return last
        if ended:
            return last
        time.sleep(0.05)


def parse_line(line: str) -> dict[str, float]:
    """Values of a line of metrics; empty if the line is incomplete."""
    try:
        return json.loads(line)
    except ValueError:
        return {}


def run_dm_clrs(name: str, num_steps: int, seed: int, hidden_size: int) -> RunOutcome:
    """Runs the training script of dm-clrs in a fresh process."""
    from nar.algorithms import ALGORITHMS

    with tempfile.TemporaryDirectory() as folder:
        arguments = (
            name,
            GOALS[name],
            num_steps,
            seed,
            folder,
            bool(ALGORITHMS[name].fixed_hints),
            hidden_size,
        )
        code = f"from experiments.benchmarks.lib.dm_clrs_training import train; train(*{arguments!r})"
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
        )
        seconds = time.perf_counter() - start
    if done.returncode:
        raise ValueError(f"dm-clrs failed at {name}: {done.stderr[-2000:]}")
    outcome, steps, score = done.stdout.split()[-3:]
    return RunOutcome(seconds, int(steps), float(score), outcome == "reached")


def measure_start_up(name: str) -> None:
    """Prints the time of an import, and from the start of the training command to its first step."""
    with tempfile.TemporaryDirectory() as folder:
        environment = environment_without_caches(folder)
        for label in ("with empty caches", "with compiled code on disk"):
            import_seconds = _process("import nar", environment)
            first = run_training(name, {"training.log_every": 1}, "step", 1, environment).seconds
            first_step = f"first training step of {name} {first:.1f} s after the start of the command"
            print(f"import of nar {import_seconds:.1f} s, {first_step}, {label}", flush=True)


def environment_without_caches(folder: str) -> dict[str, str]:
    """Environment of a process without compiled code or cached traces."""
    caches = {
        "XDG_CACHE_HOME": folder,
        "NUMBA_CACHE_DIR": str(pathlib.Path(folder, "numba")),
        "NAR_CACHE": "",
    }
    rest = {key: value for key, value in os.environ.items() if key != "JAX_COMPILATION_CACHE_DIR"}
    return rest | caches


def _process(code: str, environment: Mapping[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT)
    return time.perf_counter() - start
