"""Crash test: kills jobs, damages files, takes folders and disks away; nothing may differ or be lost.

    python -m experiments.crash_test --workdir=/tmp/crash --seed=0
    python -m experiments.crash_test --workdir=/tmp/short --kills=10 --damages=50 --losses=10
    python -m experiments.crash_test --config=configs/bfs.py --config.training.steps=200 --workdir=/tmp/killed

- Kills: training (one task, several tasks, several seeds, a language model), evaluation, sweeps, sets of
  texts and answers are killed at points drawn from the seed, by SIGKILL and by signals that can be handled,
  and resumed until they are finished. What they leave must equal, bit for bit, that of jobs that were not
  killed. With --config, only training of that config is killed.
- Damages: random files of runs, texts, answers and traces are damaged or removed. What uses them must give
  the results of intact ones, or refuse with a message.
- Losses: folders of runs are moved, removed or replaced while they train, and disks are full. The run must
  stop and write nothing more, or resume to the same result.

The same command resumes: finished rounds are in `progress.json`. The exit code is 0 if nothing differs. The
logs of all processes, and the folders of what differs, are kept in the workdir. docs/reliability.md has
figures.
"""

import collections
import dataclasses
import functools
import json
import logging
import pathlib
import random
import shutil
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from absl import flags
from ml_collections import config_flags

from configs import text_small, tiny
from experiments.cli.launch import launch
from experiments.cli.paths import define_path
from experiments.fault_injection import killed_jobs
from experiments.fault_injection.damaged_files import damage_and_use, make_targets
from experiments.fault_injection.killed_jobs import Job, Reference, kill_until_finished, run_uninterrupted
from experiments.fault_injection.lost_folders import fill_disk, lose_folder
from experiments.fault_injection.quick_runs import quick_runs
from experiments.fault_injection.script_process import ForkServer
from nar.atomic_io import read_json, write_json
from nar.runs.build import build_run
from nar.runs.workdir import Workdir

_CONFIG = config_flags.DEFINE_config_file("config", None, "Config of the runs that are killed.")
_WORKDIR = define_path("workdir", None, "Directory of all files; resumed if it exists.", required=True)
_KILLS = flags.DEFINE_integer("kills", 200, "Number of kills, at least.", lower_bound=0)
_JOBS = flags.DEFINE_list("jobs", None, "Names of the jobs to kill, such as texts,answers; all by default.")
_DAMAGES = flags.DEFINE_integer("damages", 500, "Number of damaged files.", lower_bound=0)
_LOSSES = flags.DEFINE_integer("losses", 100, "Number of lost folders and full disks.", lower_bound=0)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of kill points, signals, damages and losses.")


@dataclasses.dataclass
class Progress:
    """Finished rounds, by part and number; each has the events in it, and what differed."""

    path: pathlib.Path
    rounds: dict[str, dict[str, Any]]
    start: float

    def events(self, part: str) -> list[str]:
        """Events of a part."""
        return [
            event for name, one in self.rounds.items() if name.startswith(part) for event in one["events"]
        ]

    def differences(self) -> list[str]:
        """All differences."""
        return [difference for one in self.rounds.values() for difference in one["differences"]]

    def add(self, name: str, events: list[str], differences: list[str]) -> None:
        """Records and prints a round."""
        self.rounds[name] = {"events": events, "differences": differences}
        write_json(self.path, {"rounds": self.rounds})
        counts = ", ".join(f"{len(self.events(part))} {part}" for part in PARTS)
        verdict = "; ".join(differences) or "no difference"
        print(f"{time.monotonic() - self.start:5.0f} s, {counts}: {name}: {verdict}", flush=True)


PARTS = ("kills", "damages", "losses")


def main() -> None:
    """Runs all parts, and prints a summary."""
    root = pathlib.Path(_WORKDIR.value).absolute()
    config = None if _CONFIG.value is None else _CONFIG.value.to_dict()
    if config is not None:
        build_run(config)
    progress = open_progress(root, config)
    kill_jobs(root, config, progress)
    logging.getLogger("nar").setLevel(logging.ERROR)  # Each damage would log a warning.
    limits = {"damages": _DAMAGES.value, "losses": _LOSSES.value}
    if any(len(progress.events(part)) < limit for part, limit in limits.items()):
        with quick_runs():
            damage_files(root, progress)
            lose_folders(root, progress)
    counts = {part: collections.Counter(progress.events(part)) for part in PARTS}
    numbers = ", ".join(f"{counter.total()} {part}" for part, counter in counts.items())
    for counter in counts.values():
        print(*(f"  {count:>3} {event}" for event, count in sorted(counter.items())), sep="\n")
    print(
        f"{numbers} in {time.monotonic() - progress.start:.0f} s, {len(progress.differences())} differences"
    )
    if progress.differences():
        sys.exit("\n".join(["error: not equal to what was not killed or damaged:", *progress.differences()]))
    print(f"All that was compared is equal, bit for bit: {root}")


def open_progress(root: pathlib.Path, config: dict[str, Any] | None) -> Progress:
    """Creates the workdir, or reads the progress of an earlier process with the same seed and config.

    Raises:
      ValueError: if the workdir is not empty and does not belong to this command.
    """
    request = json.loads(json.dumps({"seed": _SEED.value, "config": config}))
    path, owner = root / "progress.json", root / "request.json"
    if root.exists() and any(root.iterdir()):
        if not owner.exists() or read_json(owner) != request:
            raise ValueError(f"{root} is not empty and not of this command; choose another workdir")
    else:
        root.mkdir(parents=True, exist_ok=True)
        write_json(owner, request)
    rounds = read_json(path)["rounds"] if path.exists() else {}
    return Progress(path, rounds, time.monotonic())


# ---------------------------------------------------------------------------------------------------
# Kills


def kill_jobs(root: pathlib.Path, config: dict[str, Any] | None, progress: Progress) -> None:
    """Kills and resumes jobs of each kind in turn."""
    if len(progress.events("kills")) >= _KILLS.value:
        return
    server = ForkServer({"JAX_COMPILATION_CACHE_DIR": str(root / "compiled"), "NUMBA_DISABLE_JIT": "1"})
    jobs = make_jobs(root, config, server)
    references = functools.cache(lambda name: _reference(jobs[name], server, root))
    for number, name in _rounds(list(jobs), "kills", progress, _KILLS.value):
        folder = root / f"kills_{number}"
        _remove(folder)
        rng = random.Random(f"{_SEED.value} {number}")
        reference = references(name)
        events = list(kill_until_finished(jobs[name], reference, server, folder, rng))
        differences = [f"{folder}: {one}" for one in jobs[name].compare(reference.folder, folder)]
        progress.add(f"kills {number}", events, differences)
        if not differences:
            _remove(folder)


def _rounds(names: list[str], part: str, progress: Progress, count: int) -> Iterator[tuple[int, str]]:
    """Numbers and names of the rounds that are left, until there are enough events."""
    number = 0
    while len(progress.events(part)) < count:
        if f"{part} {number}" not in progress.rounds:
            yield number, names[number % len(names)]
        number += 1


def _reference(job: Job, server: ForkServer, root: pathlib.Path) -> Reference:
    folder = root / f"uninterrupted_{job.name.replace(' ', '_')}"
    _remove(folder)
    reference = run_uninterrupted(job, server, folder)
    print(f"{job.name}: {reference.total:.0f} s without kills", flush=True)
    return reference


def make_jobs(root: pathlib.Path, config: dict[str, Any] | None, server: ForkServer) -> dict[str, Job]:
    """All kinds of jobs, by name; only training if a config is given."""
    if config is not None:
        return {"training": killed_jobs.training_job("training", config, root)}
    configs = {
        "training": _tiny(),
        "training of two tasks": _tiny(algorithms=("bfs", "dfs")),
        "training of two seeds": _tiny(training={"num_seeds": 2}),
        "training of a language model": _tiny_text(),
    }
    training = [killed_jobs.training_job(name, one, root) for name, one in configs.items()]
    run = root / "run_to_evaluate"
    texts = [killed_jobs.texts_job(), killed_jobs.answers_job()]
    others = [killed_jobs.evaluation_job(run), killed_jobs.sweep_job(root / "training.py", root)]
    jobs = {job.name: job for job in (training[0], *texts, *training[1:], *others)}
    for name in _JOBS.value or ():
        if name not in jobs:
            raise ValueError(f"--jobs: {name!r} is not one of {', '.join(jobs)}")
    jobs = {name: jobs[name] for name in _JOBS.value or jobs}
    if "evaluation" in jobs and not Workdir(run).result.exists():
        _remove(run)
        run_uninterrupted(training[0], server, run)
    return jobs


def _tiny(training: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    config: Any = tiny.get_config()
    config.model.hidden_size, config.model.hint_mode = 4, "none"
    config.training.update({"steps": 40, "eval_every": 5, "log_every": 4, **(training or {})})
    config.evaluation.validation.update({"sizes": (4,), "count": 8})
    config.evaluation.test.update({"sizes": (8,), "count": 8})
    config.update(values)
    return config.to_dict()


def _tiny_text() -> dict[str, Any]:
    config: Any = text_small.get_config()
    config.algorithms = ("minimum",)
    config.model.update({"hidden_size": 16, "num_layers": 1, "num_heads": 2})
    config.data.lengths = (4,)
    config.training.update({"steps": 24, "eval_every": 6, "log_every": 4, "batch_size": 4})
    config.training.schedule_options.warmup_steps = 4
    config.evaluation.update({"samples": 8, "test_lengths": (4,), "test_samples": 8, "max_length": 8})
    return config.to_dict()


# ---------------------------------------------------------------------------------------------------
# Damages and losses


def damage_files(root: pathlib.Path, progress: Progress) -> None:
    """Damages files, in rounds of ten."""
    intact = root / "intact"
    _remove(intact)
    intact.mkdir()
    targets = make_targets(intact)
    for number, _ in _rounds([""], "damages", progress, _DAMAGES.value):
        random_numbers = np.random.default_rng([_SEED.value, number])
        events, differences = list[str](), list[str]()
        for index in range(min(10, _DAMAGES.value - len(progress.events("damages")))):
            copy = root / f"damages_{number}_{index}"
            _remove(copy)
            event, wrong = damage_and_use(
                targets[random_numbers.integers(len(targets))], copy, random_numbers
            )
            events.append(event)
            differences += [f"{copy}: {one}" for one in wrong]
            if not wrong:
                _remove(copy)
        progress.add(f"damages {number}", events, differences)


def lose_folders(root: pathlib.Path, progress: Progress) -> None:
    """Takes folders away from runs, and fills their disks."""
    for number, _ in _rounds([""], "losses", progress, _LOSSES.value):
        folder, rng = root / f"losses_{number}", random.Random(f"{_SEED.value} loss {number}")
        _remove(folder)
        if rng.random() < 0.7:
            event, wrong = lose_folder(folder, rng)
        else:
            event, wrong = fill_disk(folder, Workdir(root / "intact" / "finished"), rng)
        progress.add(f"losses {number}", [event], wrong)
        if not wrong:
            _remove(folder)


def _remove(folder: pathlib.Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
    folder.with_suffix(".log").unlink(missing_ok=True)


if __name__ == "__main__":
    launch(main)
