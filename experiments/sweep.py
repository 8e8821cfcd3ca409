"""Trains the trials of a sweep, and writes a table of their scores.

    python -m experiments.sweep --config=configs/bfs.py --sweep=configs/sweeps/bfs_processors.py \
        --workdir=runs/processors --launcher=local --parallel=2

The same command resumes an interrupted sweep, with another launcher if need be: finished trials are skipped,
others resume from their checkpoints. docs/sweeps.md covers Ray, Slurm, TPU pods and other schedulers, too.
"""

import ast
import os
import pathlib
import shlex
import signal
import sys
import time
import types
from collections.abc import Sequence
from typing import Any

import jax
from absl import flags
from ml_collections import config_flags

from experiments.cli import distributed
from experiments.cli.launch import launch
from experiments.cli.next_commands import next_commands
from experiments.cli.paths import define_path
from experiments.sweeps.launchers.local import LocalLauncher, cores_of_machine, divide, find_accelerators
from experiments.sweeps.live_status import Status, describe
from experiments.sweeps.seed_sharing import results_of_seeds, share_seeds, without_seed
from experiments.sweeps.supervisor import Entry, Launcher, State, Supervisor
from experiments.sweeps.trial import (
    SEED,
    TABLES,
    Trial,
    check_root,
    check_trials,
    make_trials,
    read_sweep,
    record_trials,
)
from nar.atomic_io import write_json, write_text
from nar.ownership import check_owned
from nar.redaction import has_secrets
from nar.reports import Outcome, summarize, sweep_json, sweep_markdown, sweep_table
from nar.runs.lock import Lock
from nar.signals import stop_signals
from nar.training import Devices

_CONFIG = config_flags.DEFINE_config_file("config", None, "Base config of the trials.")
_SWEEP = define_path("sweep", None, "Python file that defines get_sweep(hyper).", required=True)
_WORKDIR = define_path("workdir", None, "Directory of the sweep.", required=True)
_LAUNCHER = flags.DEFINE_enum(
    "launcher",
    "local",
    ["local", "ray", "slurm", "print", "status"],
    "Where trials run: on this machine, a Ray cluster or Slurm. print only prints a command per trial; "
    "status only reports progress.",
)
_INDEX = flags.DEFINE_integer(
    "sweep_index",
    None,
    "Runs only this trial, in this process, which may be one of several of a distributed run.",
    lower_bound=0,
)
_PARALLEL = flags.DEFINE_integer(
    "parallel",
    0,
    "local: number of concurrent trials; 0 for as many as devices or cores allow.",
    lower_bound=0,
)
_CORES = flags.DEFINE_integer("trial_cores", 4, "CPU cores per trial.", lower_bound=1)
_DEVICES = flags.DEFINE_integer(
    "trial_devices",
    None,
    "GPUs per trial (local: or TPU chips); by default 1 if local, else 0.",
    lower_bound=0,
)
_SHARE = flags.DEFINE_bool(
    "share_seeds", False, "Trains trials that differ only in consecutive seeds as one run with several seeds."
)
_RETRIES = flags.DEFINE_integer(
    "retries",
    2,
    "Restarts of a failing trial that are allowed without a new checkpoint in between.",
    lower_bound=0,
)
_ADDRESS = flags.DEFINE_string("address", "", "ray: address of a cluster, or auto; empty starts a new one.")
_OPTIONS = flags.DEFINE_string(
    "options", "{}", "ray: actor options, such as {'resources': {'TPU': 4}}; slurm: submitit parameters."
)
flags.adopt_module_key_flags(distributed)

_PAUSE = 0.5
"""Polling interval in seconds."""


def main() -> None:
    """Checks all trials, runs those that are not finished, and writes the table."""
    # Checks run on the CPU, since GPUs and TPUs belong to the trials, whose environment is unchanged.
    jax.config.update("jax_platforms", "cpu")
    root = pathlib.Path(_WORKDIR.value)
    check_root(root)
    config = _CONFIG.value
    trials = make_trials(config, sweep := read_sweep(_SWEEP.value), root)
    if _SHARE.value:
        trials = make_trials(config, share_seeds(sweep, config.to_dict()), root)
    if _INDEX.value is not None:
        run_one(trials, _INDEX.value)
    for trial in trials:
        if has_secrets(trial.config):
            raise ValueError(
                "training.tracker_options has a secret, and configs of trials are written to files: "
                "set an environment variable of the tracker instead, such as WANDB_API_KEY"
            )
    if _LAUNCHER.value == "status":  # Nothing is imported that a config names.
        report_status(trials, root)
        return
    check_trials(trials, Devices.one(), trained_here=_LAUNCHER.value != "print")
    record_trials(trials, config.to_dict(), root)
    if _LAUNCHER.value == "print":
        print_commands(trials)
    else:
        run_all(trials, root)


def report_status(trials: Sequence[Trial], root: pathlib.Path) -> None:
    """Prints the progress of all trials, and writes the table once one of them has started."""
    supervisor = Supervisor(trials, LocalLauncher([]), 0, print)
    print(describe(supervisor.entries))
    if (root / "trials").is_dir():
        print()
        write_table(supervisor.entries, root)


def run_one(trials: Sequence[Trial], index: int) -> None:
    """Replaces this process by the training command of one trial."""
    if index >= len(trials):
        raise ValueError(f"--sweep_index must be below {len(trials)}, the number of trials; got {index}")
    trial = trials[index]
    check_trials([trial], Devices.one())
    trial.prepare()
    distributed_flags = flags.FLAGS.get_key_flags_for_module(distributed)
    command = [*trial.command(), *(flag.serialize() for flag in distributed_flags if flag.present)]
    sys.stdout.flush()
    os.execv(command[0], command)


def print_commands(trials: Sequence[Trial]) -> None:
    """Prints a line per unfinished trial: this command with --sweep_index instead of --launcher."""
    words = [sys.executable, "-m", "experiments.sweep", *_forwarded_arguments()]
    entries = Supervisor(trials, LocalLauncher([]), 0, print).entries
    for index, entry in enumerate(entries):
        if entry.state is not State.DONE:
            print(shlex.join([*words, f"--sweep_index={index}"]))


def _forwarded_arguments() -> list[str]:
    """Arguments of this command that define the trials."""
    names = ("--config", "--sweep", "--workdir", "-config", "-sweep", "-workdir")
    words, arguments = [], iter(sys.argv[1:])
    for word in arguments:
        name = word.partition("=")[0]
        if name in names or name.startswith(("--config.", "-config.")):
            words.append(word)
            if "=" not in word:
                words.append(next(arguments))
    return [*words, "--share_seeds"] if _SHARE.value else words


def run_all(trials: Sequence[Trial], root: pathlib.Path) -> None:
    """Runs unfinished trials with live status, and writes the table.

    Raises:
      ValueError: if another process runs the sweep.
      SystemExit: if interrupted, or if trials failed.
    """
    with Lock(root):
        supervise(trials, root)


def supervise(trials: Sequence[Trial], root: pathlib.Path) -> None:
    """Runs trials in a locked folder; see `run_all`."""
    status = Status(sum(trial.steps for trial in trials))
    supervisor = Supervisor(trials, make_launcher(root), _RETRIES.value, status.log)
    signals = SignalCounter()
    try:
        while True:
            check_owned(root)
            if signals.take_new():
                status.log("Interrupted; waiting for the trials to save.")
                supervisor.stop()
            supervisor.update()
            status.show(supervisor.entries)
            if supervisor.is_over():
                break
            time.sleep(_PAUSE)
    finally:
        status.close()
    print(f"\n{describe(supervisor.entries)}\n")
    write_table(supervisor.entries, root)
    if signals.count:
        sys.exit(f"Interrupted; run the same command to resume. Sweep: {root}")
    failed = [entry.trial for entry in supervisor.entries if entry.state is State.FAILED]
    if failed:
        sys.exit("\n".join(["error: trials failed; see", *(f"  {trial.log}" for trial in failed)]))
    print(f"\n{next_commands(('report', root))}")


class SignalCounter:
    """Counts the signals that would end this process, for the main loop to pass on to the trials."""

    def __init__(self) -> None:
        """Installs the signal handlers."""
        self.count = self._num_taken = 0
        for number in stop_signals():
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: types.FrameType | None) -> None:
        del number, frame
        self.count += 1

    def take_new(self) -> bool:
        """Returns whether a signal has arrived since the last call."""
        is_new, self._num_taken = self.count > self._num_taken, self.count
        return is_new


def make_launcher(root: pathlib.Path) -> Launcher:
    """Makes the launcher that the flags name.

    Raises:
      ValueError: if it cannot provide the resources of a trial.
    """
    cores, devices, options = _CORES.value, _DEVICES.value, parse_options(_OPTIONS.value)
    if _LAUNCHER.value == "ray":
        from experiments.sweeps.launchers.ray_cluster import RayLauncher

        return RayLauncher(_ADDRESS.value, cores, devices or 0, options)
    if _LAUNCHER.value == "slurm":
        from experiments.sweeps.launchers.slurm import SlurmLauncher

        return SlurmLauncher(root, cores, devices or 0, options)
    accelerators = find_accelerators() if devices != 0 else None
    return LocalLauncher(divide(cores_of_machine(), accelerators, _PARALLEL.value, cores, devices or 1))


def parse_options(text: str) -> dict[str, Any]:
    """Parses a dict from the command line.

    Raises:
      ValueError: if it is not a dict with strings as keys.
    """
    try:
        options = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        options = None
    if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
        raise ValueError(f"--options must be a dict such as {{'timeout_min': 60}}, got {text}")
    return options


def outcomes_of(entry: Entry) -> list[Outcome]:
    """Outcomes of a trial: one, or one per seed of a run with several seeds."""
    overrides, result = entry.trial.overrides, entry.progress.result
    if not _SHARE.value:
        return [Outcome({key: value for key, value in overrides.items() if key != SEED}, result)]
    settings = without_seed(overrides)
    return [Outcome(settings, seed_result) for seed_result in results_of_seeds(overrides, result)]


def write_table(entries: Sequence[Entry], root: pathlib.Path) -> None:
    """Writes the files of `TABLES`, and prints the table."""
    outcomes = [outcome for entry in entries for outcome in outcomes_of(entry)]
    settings = summarize(outcomes)
    text = sweep_table(settings).as_text()
    plain, markdown, numbers = (root / name for name in TABLES)
    write_text(plain, f"{text}\n")
    write_text(markdown, sweep_markdown(settings))
    write_json(numbers, sweep_json(settings))
    print(f"{text}\n\nWritten: {root / 'table'}.txt, .md and .json")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    launch(main)
