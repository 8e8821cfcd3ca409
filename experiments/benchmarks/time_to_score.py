"""Whole processes, from start to a score of validation, ours against dm-clrs 2.0.3; and our start-up."""

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

from experiments.benchmarks.lib.interleaved_timing import summary

ROOT = pathlib.Path(__file__).parents[2]
GOALS: Mapping[str, float] = {"bfs": 0.99, "minimum": 0.95, "bellman_ford": 0.95}
"""By algorithm, the score of validation at which the clock stops."""

EVERY = 50
"""Steps between two validations, of both."""


class Reached(NamedTuple):
    """How a run ended: after how many seconds and steps, with which score, and whether that is the goal."""

    seconds: float
    steps: int
    score: float
    done: bool

    def __str__(self) -> str:
        words = f"{self.seconds:.0f} s, {self.steps} steps, {self.score:.1%}"
        return words if self.done else f"missed the goal: {words}"


def time_to_score(names: Sequence[str], num_steps: int, seeds: Sequence[int], hidden_size: int) -> None:
    """Prints seconds from the start of a process to its goal, for ours and then for dm-clrs, and start-up.

    After each seed there is a summary of all until then: of each algorithm the median ratio and its spread
    over seeds, and the geometric mean.

    Args:
      names: of `GOALS`.
      num_steps: after how many a run that has not reached its goal is given up.
      seeds: each of both.
      hidden_size: of states.

    Raises:
      ValueError: if no goal is set for an algorithm.
    """
    for name in names:
        if name not in GOALS:
            raise ValueError(f"no goal is set for {name!r}; there are goals for {', '.join(GOALS)}")
    start_up(names[0])
    print("dm-clrs: the flow of its training script, but for the download of its test set", flush=True)
    ratios: dict[str, list[float]] = {}
    without: list[str] = []
    for seed in seeds:
        for name in names:
            ours, theirs = (run(name, num_steps, seed, hidden_size) for run in (our_run, their_run))
            words = f"{name} to {GOALS[name]:.0%} of validation, seed {seed}: nar {ours}; dm-clrs {theirs}"
            if ours.done and theirs.done:
                ratios.setdefault(name, []).append(theirs.seconds / ours.seconds)
                words += f"; {ratios[name][-1]:.2f}×"
            else:
                without.append(f"{name} with seed {seed}")
            print(words, flush=True)
        if ratios:
            print(of_seeds(ratios, without), flush=True)


def of_seeds(ratios: Mapping[str, Sequence[float]], without: Sequence[str]) -> str:
    """The median of each algorithm and its spread over seeds, and on the last line the geometric mean.

    Args:
      ratios: one for each seed, by algorithm.
      without: what has no ratio, since one of the two missed its goal.
    """
    medians = {name: statistics.median(of_one) for name, of_one in ratios.items()}
    lines = [
        f"{name}: {medians[name]:.2f}×, {min(of_one):.2f} to {max(of_one):.2f} in {len(of_one)} runs"
        for name, of_one in ratios.items()
    ]
    missed = [f"not in it, since a goal was missed: {', '.join(without)}"] if without else []
    return "\n".join(["", *lines, *missed, summary(medians)])


def our_run(name: str, num_steps: int, seed: int, hidden_size: int) -> Reached:
    """The training command, with nothing cached, until a line of its metrics has the score."""
    settings = {
        "model.hidden_size": hidden_size,
        "training.steps": num_steps,
        "training.seed": seed,
        "training.eval_every": EVERY,
    }
    with tempfile.TemporaryDirectory() as folder:
        return command(name, settings, "validation/score", GOALS[name], without_caches(folder))


def command(
    name: str, settings: Mapping[str, Any], metric: str, goal: float, environment: Mapping[str, str]
) -> Reached:
    """The training command until a line of its metrics has enough of one of them, or it ends.

    Raises:
      ValueError: if it ends without such a metric.
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
                reached = watch(child, workdir / "metrics.jsonl", metric, goal, start)
            finally:
                child.send_signal(signal.SIGTERM)
                child.wait()
            log.seek(0)
            if reached is None:
                raise ValueError(f"training of {name} ended without {metric}: {log.read()[-2000:]}")
    return reached


def watch(
    child: subprocess.Popen[bytes], metrics: pathlib.Path, metric: str, goal: float, start: float
) -> Reached | None:
    """Reads the lines of a run until one reaches the goal or the run ends; None if none has the metric."""
    last = None
    while True:
        ended = child.poll() is not None
        for line in metrics.read_text().splitlines() if metrics.exists() else ():
            values = read(line)
            if metric in values and (last is None or values["step"] > last.steps):
                found = values[metric]
                last = Reached(time.perf_counter() - start, int(values["step"]), found, found >= goal)
                if last.done:
                    return last
        if ended:
            return last
        time.sleep(0.05)


def read(line: str) -> dict[str, float]:
    """The values of a line; none, if it is not yet written to its end."""
    try:
        return json.loads(line)
    except ValueError:
        return {}


def their_run(name: str, num_steps: int, seed: int, hidden_size: int) -> Reached:
    """The flow of dm-clrs's script in a process of its own."""
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
    word, steps, found = done.stdout.split()[-3:]
    return Reached(seconds, int(steps), float(found), word == "reached")


def start_up(name: str) -> None:
    """Prints the seconds of an import, and from the start of the training command to its first step."""
    with tempfile.TemporaryDirectory() as folder:
        environment = without_caches(folder)
        for label in ("without compiled code on disk", "with it"):
            imported = _process("import nar", environment)
            first = command(name, {"training.log_every": 1}, "step", 1, environment).seconds
            words = f"first training step of {name} {first:.1f} s after the start of the command"
            print(f"import of nar {imported:.1f} s, {words}, {label}", flush=True)


def without_caches(folder: str) -> dict[str, str]:
    """The environment of a process that finds nothing compiled or drawn before."""
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
