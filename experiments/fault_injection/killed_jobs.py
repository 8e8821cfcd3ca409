"""Jobs that are killed and resumed until they are finished: training, evaluation, sweeps, texts."""

import dataclasses
import pathlib
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from experiments.fault_injection.compare_runs import find_differences
from experiments.fault_injection.kill_points import TrainingProcess, draw_kill_point, saved_steps
from experiments.fault_injection.script_process import ForkServer, ScriptProcess
from nar.atomic_io import read_json
from nar.metrics_file import read_metrics
from nar.runs.workdir import Workdir

SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGXCPU")
    if hasattr(signal, name)
)
"""Signals that end a job with one line."""

MAX_KILLS = 8
"""Kills of one job, after which it runs to its end."""

Compare = Callable[[pathlib.Path, pathlib.Path], list[str]]
"""(folder of the uninterrupted job, folder of the killed one) -> names of what differs."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A kind of job.

    Attributes:
      name: its name.
      script: its script.
      arguments: folder -> flags.
      compare: compares the folders of two finished jobs.
      prepare: prepares a new folder.
      steps: number of training steps; None for jobs that do not train one run.
    """

    name: str
    script: str
    arguments: Callable[[pathlib.Path], Sequence[object]]
    compare: Compare
    prepare: Callable[[pathlib.Path], object] = lambda folder: None
    steps: int | None = None

    def start(self, server: ForkServer, folder: pathlib.Path) -> ScriptProcess:
        """Starts a process of the job in a folder, or resumes it there."""
        return server.start(f"experiments.{self.script}", self.arguments(folder), folder.with_suffix(".log"))


@dataclasses.dataclass(frozen=True)
class Reference:
    """An uninterrupted job.

    Attributes:
      folder: its folder.
      seconds: upper bounds on the times of start-up and of what follows training; of training jobs only.
      total: duration in seconds.
    """

    folder: pathlib.Path
    seconds: tuple[float, float]
    total: float


def run_uninterrupted(job: Job, server: ForkServer, folder: pathlib.Path) -> Reference:
    """Runs a job without kills, twice: the first time fills the caches, the second is as fast as all others.

    Raises:
      ValueError: if it fails, or if the two differ.
    """
    _run_once(job, server, folder)
    again = folder.with_name(f"{folder.name}_again")
    reference = _run_once(job, server, again)
    if differences := job.compare(folder, again):
        raise ValueError(f"{folder} and {again} differ: {', '.join(differences)}")
    shutil.rmtree(again)
    return dataclasses.replace(reference, folder=folder)


def _run_once(job: Job, server: ForkServer, folder: pathlib.Path) -> Reference:
    start, started = time.monotonic(), 0.0
    job.prepare(folder)
    process = job.start(server, folder)
    if job.steps is not None:
        process.wait_until(lambda: bool(saved_steps(Workdir(folder))))
        started = time.monotonic() - start
    process.wait()
    check_end(process, folder.with_suffix(".log"), expected=(0,))
    total = time.monotonic() - start
    # Seconds from the initial checkpoint to the last line of metrics: compilation and training.
    trained = read_metrics(Workdir(folder).metrics)[-1]["seconds"] if job.steps is not None else 0.0
    return Reference(folder, (started, max(1.0, total - started - trained)), total)


def kill_until_finished(
    job: Job, reference: Reference, server: ForkServer, folder: pathlib.Path, rng: random.Random
) -> Iterator[str]:
    """Starts and kills a job until a process of it ends by itself.

    Yields:
      A description of each kill: signal, job and kill point.

    Raises:
      ValueError: if a process failed for another reason, or printed a traceback.
    """
    job.prepare(folder)
    num_kills, code = 0, None
    while code != 0:
        process = job.start(server, folder)
        if num_kills >= MAX_KILLS:
            process.wait()
            check_end(process, folder.with_suffix(".log"), expected=(0,))
            return
        place = _wait_for_kill_point(job, reference, process, folder, rng)
        number = signal.SIGKILL if rng.random() < 0.6 else rng.choice(SIGNALS)
        process.send_signal(number)
        if number != signal.SIGKILL and rng.random() < 0.3:
            process.wait_seconds(rng.uniform(0, 0.3))
            process.send_signal(number)
        code = process.wait()
        ended = (0,) if number == signal.SIGKILL else (0, 1, 128 + number)
        check_end(process, folder.with_suffix(".log"), expected=(-number, *ended))
        if code != 0:
            num_kills += 1
            yield f"{job.name}: {number.name} {place}"


def _wait_for_kill_point(
    job: Job, reference: Reference, process: ScriptProcess, folder: pathlib.Path, rng: random.Random
) -> str:
    """Waits for a random moment of the job; returns its description."""
    if job.steps is None:
        process.wait_seconds(rng.uniform(0, 0.9 * reference.total))
        return "at any time"
    training = TrainingProcess(process, Workdir(folder), job.steps, reference.seconds)
    kill_point = draw_kill_point(training, rng)
    kill_point(training, rng)
    partial = ", partial checkpoint left" if training.is_saving() else ""
    return kill_point.__name__.replace("_", " ") + partial


def check_end(process: ScriptProcess, log: pathlib.Path, expected: tuple[int, ...]) -> None:
    """Raises ValueError if a process ended with an unexpected exit code or a traceback."""
    text = log.read_text(errors="replace")
    if process.returncode not in expected or "Traceback" in text:
        raise ValueError(f"a process ended with exit code {process.returncode}, see {log}:\n{text[-3000:]}")


# ---------------------------------------------------------------------------------------------------
# Kinds of jobs

_CONFIG_FILE = '''"""The config of this test."""

from ml_collections import ConfigDict


def get_config():
    return ConfigDict({config!r})
'''


def training_job(name: str, config: Mapping[str, Any], root: pathlib.Path) -> Job:
    """Training of a config, whose file is written to `root`."""
    file = root / f"{name.replace(' ', '_')}.py"
    file.write_text(_CONFIG_FILE.format(config=config))
    return Job(
        name,
        "train",
        lambda folder: [f"--config={file}", f"--workdir={folder}"],
        lambda first, second: find_differences(Workdir(first), Workdir(second)),
        steps=config["training"]["steps"],
    )


def evaluation_job(run: pathlib.Path) -> Job:
    """Evaluation of a copy of a finished run."""
    return Job(
        "evaluation",
        "evaluate",
        lambda folder: [f"--workdir={folder}", "--sizes=4,8", "--seeds=3,4", "--hints", "--overwrite"],
        _compare_files,
        lambda folder: shutil.copytree(run, folder),
    )


def sweep_job(config_file: pathlib.Path, root: pathlib.Path) -> Job:
    """A sweep over two seeds."""
    sweep = root / "sweep_over_seeds.py"
    sweep.write_text("def get_sweep(hyper):\n    return hyper.sweep('training.seed', [0, 1])\n")
    return Job(
        "sweep",
        "sweep",
        lambda folder: [f"--config={config_file}", f"--sweep={sweep}", f"--workdir={folder}", "--parallel=2"],
        _compare_sweeps,
    )


def texts_job() -> Job:
    """A set of texts, in twelve files."""
    options = ("--algorithms=minimum,bfs,insertion_sort", "--lengths=4,5,6,7", "--samples=60", "--seeds=3")
    return Job(
        "texts",
        "make_text",
        lambda folder: [f"--output={folder}", *options, "--workers=1"],
        _compare_files,
    )


def answers_job() -> Job:
    """Answers of a function to questions."""
    model = "experiments.fault_injection.echo_answers:answer"
    options = ("--algorithms=minimum,bfs", "--lengths=4,5,6", "--samples=40", "--batch_size=8")
    return Job(
        "answers",
        "evaluate_text",
        lambda folder: [f"--model={model}", f"--output={folder}", *options],
        _compare_files,
    )


_CHANGING = {".lock", ".lock_holder", "versions.json", "accuracy.png"}


def _contents(folder: pathlib.Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name not in _CHANGING]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _compare_files(first: pathlib.Path, second: pathlib.Path) -> list[str]:
    """Names of the files that differ."""
    one, two = _contents(first), _contents(second)
    return sorted(name for name in {*one, *two} if one.get(name) != two.get(name))


def _compare_sweeps(first: pathlib.Path, second: pathlib.Path) -> list[str]:
    """Names of the contents of trials, and of the table, that differ."""
    names = sorted(path.name for path in (first / "trials").iterdir())
    differences = [
        f"{name}: {one}"
        for name in names
        for one in find_differences(Workdir(first / "trials" / name), Workdir(second / "trials" / name))
    ]
    same_table = read_json(first / "table.json") == read_json(second / "table.json")
    return differences + ([] if same_table else ["table.json"])
