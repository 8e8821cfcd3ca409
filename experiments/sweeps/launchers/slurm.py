"""Trials as Slurm jobs, through submitit (extra `slurm`).

A job that is about to time out or is preempted saves a checkpoint and is requeued. The directory of the sweep
must be shared by all nodes.
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
from nar.signals import stop_signals

LOST = 250
"""Exit code of a trial whose job ended without an exit code."""

_PAUSE = 0.2

_ALWAYS_FORWARDED = (signal.SIGTERM, signal.SIGINT)
"""Signals whose handlers are replaced; submitit handles others (SIGUSR2 by default), to call `checkpoint`."""


class Job:
    """Callable that runs one trial; submitit pickles it, and calls it in the job."""

    def __init__(self, command: Sequence[str], log: str, folder: str) -> None:
        """Stores the command, its log and the working directory."""
        self._arguments = (command, log, folder)
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Runs the trial, and returns its exit code."""
        command, log, folder = self._arguments
        os.chdir(folder)
        for number in stop_signals():
            if number in _ALWAYS_FORWARDED or signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._forward)
        self._process = child.start(command, pathlib.Path(log))
        # Polling, instead of a blocking wait, lets Python handle signals.
        while self._process.poll() is None:
            time.sleep(_PAUSE)
        return self._process.returncode

    def checkpoint(self) -> Any:
        """Saves and returns the job to requeue; submitit calls it on timeout or preemption."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
        return import_submitit().helpers.DelayedSubmission(Job(*self._arguments))

    def _forward(self, number: int, frame: types.FrameType | None) -> None:
        """Forwards the cancellation of the job: the trial saves a checkpoint and exits."""
        del number, frame
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)


class SlurmLauncher:
    """Submits each trial as a job."""

    def __init__(
        self, root: pathlib.Path, trial_cores: int, trial_devices: int, options: Mapping[str, Any]
    ) -> None:
        """Configures the executor without submitting anything.

        Args:
          root: directory of the sweep.
          trial_cores: CPU cores per trial.
          trial_devices: GPUs per trial.
          options: submitit parameters, such as {"timeout_min": 600, "slurm_partition": "gpu"}; `cluster` may
            be "local" to run without Slurm.

        Raises:
          ValueError: if submitit or Slurm is not installed, or an option is invalid.
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

    def has_capacity(self) -> bool:
        """Always: trials without resources wait in Slurm's queue."""
        return True

    def start(self, trial: Trial) -> "SlurmHandle":
        """Submits a trial."""
        job = Job(trial.command(), str(trial.log.resolve()), os.getcwd())
        return SlurmHandle(self._submitit, self._executor.submit(job))


class SlurmHandle:
    """A trial submitted to Slurm."""

    def __init__(self, submitit: Any, job: Any) -> None:
        """Wraps a submitit job."""
        self._submitit, self._job = submitit, job
        self._code: int | None = None

    def poll(self) -> int | None:
        """Exit code of the trial; None while the job is queued or running."""
        if self._code is None and self._job.done():
            try:
                self._code = self._job.result()
            except (self._submitit.core.utils.UncompletedJobError, self._submitit.core.utils.FailedJobError):
                self._code = LOST
        return self._code

    def is_running(self) -> bool:
        """Returns whether the job has started."""
        return self._job.state == "RUNNING"

    def stop(self) -> None:
        """Cancels the job; Slurm sends SIGTERM, upon which training saves a checkpoint."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._job.cancel()


def import_submitit() -> Any:
    """Imports submitit; ValueError if it is not installed."""
    try:
        return importlib.import_module("submitit")
    except ImportError:
        raise ValueError("--launcher=slurm needs the extra `slurm`: pip install -e '.[slurm]'") from None
