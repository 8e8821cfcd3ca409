"""Trials as jobs of Slurm, through submitit (extra `slurm`).

A job whose time is nearly up, or that has to make room for another, saves and goes back into the queue. The
folder of the sweep must be one that all nodes have.
"""

import contextlib
import importlib
import os
import pathlib
import signal
import subprocess
import time
import types
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.sweeps.launchers import child
from experiments.sweeps.trial import Trial

LOST = 250
"""Exit code of a trial whose job ended without one."""

_PAUSE = 0.2


class Job:
    """Runs one trial in a job. submitit pickles it, and calls it there."""

    def __init__(self, command: Sequence[str], log: str, folder: str) -> None:
        """Only notes what is to be run: the command, its log and the folder to run it in."""
        self._arguments = (command, log, folder)
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Runs the trial; returns its exit code."""
        command, log, folder = self._arguments
        os.chdir(folder)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        self._process = child.start(command, pathlib.Path(log))
        # In short naps, in which Python hears signals.
        while self._process.poll() is None:
            time.sleep(_PAUSE)
        return self._process.returncode

    def checkpoint(self) -> Any:
        """Called before the job has to end: saves, and says what goes back into the queue."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
        return import_submitit().helpers.DelayedSubmission(Job(*self._arguments))

    def _pass_on(self, number: int, frame: types.FrameType | None) -> None:
        """A job that is cancelled: the trial saves and ends."""
        del number, frame
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)


class SlurmLauncher:
    """Submits each trial as a job."""

    def __init__(
        self, root: pathlib.Path, trial_cores: int, trial_devices: int, options: Mapping[str, Any]
    ) -> None:
        """Submits nothing yet.

        Args:
          root: folder of the sweep.
          trial_cores: of a trial.
          trial_devices: GPUs of a trial.
          options: of submitit, such as {"timeout_min": 600, "slurm_partition": "gpu"}; `cluster` may be
            "local" to try it without Slurm.

        Raises:
          ValueError: if submitit is not installed, there is no Slurm, or an option is not valid.
        """
        self._submitit = submitit = import_submitit()
        options = {"timeout_min": 24 * 60, **options}
        try:
            self._executor = submitit.AutoExecutor(root / "slurm", cluster=options.pop("cluster", "slurm"))
            self._executor.update_parameters(
                cpus_per_task=trial_cores, gpus_per_node=trial_devices, **options
            )
        except (RuntimeError, NameError, TypeError, ValueError) as error:
            raise ValueError(f"--launcher=slurm: {error}") from None

    def has_room(self) -> bool:
        """Always: what has no room yet waits in Slurm's queue."""
        return True

    def start(self, trial: Trial) -> "SlurmHandle":
        """Submits a trial."""
        job = Job(trial.command(), str(trial.log.resolve()), os.getcwd())
        return SlurmHandle(self._submitit, self._executor.submit(job))


class SlurmHandle:
    """A trial that Slurm has."""

    def __init__(self, submitit: Any, job: Any) -> None:
        """Names the job."""
        self._submitit, self._job = submitit, job
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code of the trial; None as long as the job waits or runs."""
        if self._code is None and self._job.done():
            try:
                self._code = self._job.result()
            except (self._submitit.core.utils.UncompletedJobError, self._submitit.core.utils.FailedJobError):
                self._code = LOST
        return self._code

    def is_running(self) -> bool:
        """Whether the job has begun."""
        return self._job.state == "RUNNING"

    def stop(self) -> None:
        """Cancels the job: Slurm sends SIGTERM, and training saves."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._job.cancel()


def import_submitit() -> Any:
    """The module; ValueError if it is not installed."""
    try:
        return importlib.import_module("submitit")
    except ImportError:
        raise ValueError("--launcher=slurm needs the extra `slurm`: pip install -e '.[slurm]'") from None
