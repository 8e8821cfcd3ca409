"""Trains the trials of a sweep, and makes a table of their scores.

    python -m experiments.sweep --config=configs/bfs.py --sweep=configs/sweeps/bfs_processors.py \
        --workdir=runs/processors --launcher=local --parallel=2

The same command goes on where it stopped, with another launcher if need be: what is done stays, what began
goes on from its checkpoint. docs/sweeps.md tells more, of Ray, Slurm, TPU pods and other schedulers too.
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
from experiments.sweeps.launchers.local import LocalLauncher, cores_of_machine, divide, find_accelerators
from experiments.sweeps.live_status import Status, describe
from experiments.sweeps.seed_sharing import results_of_seeds, share_seeds, without_seed
from experiments.sweeps.supervisor import Entry, Launcher, State, Supervision
from experiments.sweeps.trial import SEED, Trial, check_trials, make_trials, read_sweep, record_trials
from nar.atomic_io import write_text
from nar.reports import Outcome, summarize, sweep_json, sweep_markdown, sweep_text
from nar.training import Devices, check_trackers, write_json

_CONFIG = config_flags.DEFINE_config_file("config", None, "What the trials have in common.")
_SWEEP = flags.DEFINE_string("sweep", None, "A file with get_sweep(hyper).", required=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the sweep.", required=True)
_LAUNCHER = flags.DEFINE_enum(
    "launcher",
    "local",
    ["local", "ray", "slurm", "print", "status"],
    "Who runs the trials: this machine, Ray, Slurm; or whoever gets the commands that are printed. "
    "status only looks at them.",
)
_INDEX = flags.DEFINE_integer(
    "sweep_index",
    None,
    "Runs this trial alone, in this process; it may be one of several.",
    lower_bound=0,
)
_PARALLEL = flags.DEFINE_integer(
    "parallel", 0, "local: trials side by side; 0 for what devices or cores allow.", lower_bound=0
)
_CORES = flags.DEFINE_integer("trial_cores", 4, "Cores of a trial.", lower_bound=1)
_DEVICES = flags.DEFINE_integer(
    "trial_devices",
    None,
    "GPUs of a trial (local: or TPU chips); 1 by default if local, or else 0.",
    lower_bound=0,
)
_SHARE = flags.DEFINE_bool(
    "share_seeds", False, "Trains trials that differ in consecutive seeds alone as one program, side by side."
)
_RETRIES = flags.DEFINE_integer(
    "retries",
    2,
    "How often a trial that dies is started again without a new checkpoint.",
    lower_bound=0,
)
_ADDRESS = flags.DEFINE_string("address", "", "ray: of a cluster, or auto; empty for one of its own.")
_OPTIONS = flags.DEFINE_string(
    "options", "{}", "ray: of its actors, such as {'resources': {'TPU': 4}}; slurm: of submitit."
)
flags.adopt_module_key_flags(distributed)

_PAUSE = 0.5
"""Seconds between two looks at the trials."""


def main() -> None:
    """Checks all trials, then runs what is missing, and makes the table."""
    # All is checked on a CPU: GPUs and TPUs belong to the trials. (Their own environment stays as it is.)
    jax.config.update("jax_platforms", "cpu")
    root = pathlib.Path(_WORKDIR.value)
    if root.exists() and not root.is_dir():
        raise ValueError(f"{root} is no folder; choose another workdir")
    config = _CONFIG.value
    trials = make_trials(config, sweep := read_sweep(_SWEEP.value), root)
    if _SHARE.value:
        trials = make_trials(config, share_seeds(sweep, config.to_dict()), root)
    if _INDEX.value is not None:
        run_one(trials, _INDEX.value)
    check_trials(trials, Devices.one())
    if _LAUNCHER.value not in ("print", "status"):
        check_trackers_of(trials)
    record_trials(trials, config.to_dict(), root)
    if _LAUNCHER.value == "print":
        print_commands(trials)
    elif _LAUNCHER.value == "status":
        supervision = Supervision(trials, LocalLauncher([]), 0, print)
        print(describe(supervision.entries), end="\n\n")
        write_table(supervision.entries, root)
    else:
        run_all(trials, root)


def check_trackers_of(trials: Sequence[Trial]) -> None:
    """Raises ValueError if a trial names a tracker that is unknown, or not installed."""
    for trial in trials:
        training = trial.config["training"]
        try:
            check_trackers(training["trackers"], training["tracker_options"])
        except ValueError as error:
            raise ValueError(f"trial {trial.name}: {error}") from None


def run_one(trials: Sequence[Trial], index: int) -> None:
    """Becomes the process that trains one trial."""
    if index >= len(trials):
        raise ValueError(f"--sweep_index must be below {len(trials)}, the number of trials; got {index}")
    trial = trials[index]
    check_trials([trial], Devices.one())
    trial.prepare()
    about_processes = flags.FLAGS.get_key_flags_for_module(distributed)
    command = [*trial.command(), *(flag.serialize() for flag in about_processes if flag.present)]
    sys.stdout.flush()
    os.execv(command[0], command)


def print_commands(trials: Sequence[Trial]) -> None:
    """A line for each trial that is not finished: this command, but with its index and no launcher."""
    words = [sys.executable, "-m", "experiments.sweep", *_own_words()]
    entries = Supervision(trials, LocalLauncher([]), 0, print).entries
    for index, entry in enumerate(entries):
        if entry.state is not State.DONE:
            print(shlex.join([*words, f"--sweep_index={index}"]))


def _own_words() -> list[str]:
    """The flags of this command that say what the trials are."""
    about = ("--config", "--sweep", "--workdir", "-config", "-sweep", "-workdir")
    words, taken = [], iter(sys.argv[1:])
    for word in taken:
        name = word.partition("=")[0]
        if name in about or name.startswith(("--config.", "-config.")):
            words.append(word)
            if "=" not in word:
                words.append(next(taken))
    return [*words, "--share_seeds"] if _SHARE.value else words


def run_all(trials: Sequence[Trial], root: pathlib.Path) -> None:
    """Runs what is missing, shows how it goes, and makes the table.

    Raises:
      SystemExit: if it was interrupted, or trials have failed.
    """
    status = Status(sum(trial.steps for trial in trials))
    supervision = Supervision(trials, make_launcher(root), _RETRIES.value, status.tell)
    signals = Signals()
    try:
        while True:
            if signals.take():
                status.tell("Interrupted; waiting for the trials to save.")
                supervision.stop()
            supervision.turn()
            status.show(supervision.entries)
            if supervision.is_over():
                break
            time.sleep(_PAUSE)
    finally:
        status.close()
    print(f"\n{describe(supervision.entries)}\n")
    write_table(supervision.entries, root)
    if signals.count:
        sys.exit(f"Interrupted; run the same command to resume. Sweep: {root}")
    failed = [entry.trial for entry in supervision.entries if entry.state is State.FAILED]
    if failed:
        sys.exit("\n".join(["error: trials have failed; see", *(f"  {trial.log}" for trial in failed)]))


class Signals:
    """SIGTERM and SIGINT from now on: they are noted, for the trials to hear of."""

    def __init__(self) -> None:
        """Takes them over."""
        self.count = self._taken = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        del number, frame
        self.count += 1

    def take(self) -> bool:
        """Whether one came since the last time."""
        new, self._taken = self.count > self._taken, self.count
        return new


def make_launcher(root: pathlib.Path) -> Launcher:
    """The launcher that the flags name.

    Raises:
      ValueError: if it cannot give a trial what it is to have.
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
    """A dict from the command line.

    Raises:
      ValueError: if it is none.
    """
    try:
        options = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        options = None
    if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
        raise ValueError(f"--options must be a dict such as {{'timeout_min': 60}}, got {text}")
    return options


def outcomes_of(entry: Entry) -> list[Outcome]:
    """What came of a trial; of several that share a program, of each."""
    overrides, result = entry.trial.overrides, entry.progress.result
    if not _SHARE.value:
        return [Outcome({key: value for key, value in overrides.items() if key != SEED}, result)]
    return [Outcome(without_seed(overrides), one) for one in results_of_seeds(overrides, result)]


def write_table(entries: Sequence[Entry], root: pathlib.Path) -> None:
    """Writes `table.txt`, `table.md` and `table.json`, and prints the first."""
    outcomes = [outcome for entry in entries for outcome in outcomes_of(entry)]
    settings = summarize(outcomes)
    text = sweep_text(settings)
    write_text(root / "table.txt", f"{text}\n")
    write_text(root / "table.md", sweep_markdown(settings))
    write_json(root / "table.json", sweep_json(settings))
    print(f"{text}\n\nWritten: {root / 'table'}.txt, .md and .json")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    launch(main)
