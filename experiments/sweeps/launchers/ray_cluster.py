"""Trials on a Ray cluster: Ray assigns each to a machine with the cores, GPUs or TPU chips that it needs.

The directory of the sweep must be shared by all machines. Needs ray (extra `ray`).
"""

import contextlib
import importlib
import os
import pathlib
import signal
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from experiments.sweeps.launchers import child
from experiments.sweeps.trial import Trial

LOST = 250
"""Exit code of a trial whose machine or Ray actor was lost."""


class TrialActor:
    """Ray actor that runs one trial; neither outlives the other."""

    def __init__(self, command: Sequence[str], log: str, folder: str) -> None:
        """Starts the trial."""
        if os.path.isdir(folder):
            os.chdir(folder)
        self._process: subprocess.Popen[bytes] = child.start(command, pathlib.Path(log))

    def poll(self) -> int | None:
        """Exit code of the trial; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Sends SIGTERM, upon which training saves a checkpoint and exits."""
        self._process.send_signal(signal.SIGTERM)


class RayLauncher:
    """Submits all trials to a cluster, which starts each when resources are free."""

    def __init__(
        self, address: str, trial_cores: int, trial_devices: int, options: Mapping[str, Any]
    ) -> None:
        """Connects to a cluster, or starts one on this machine.

        Args:
          address: address of the cluster; empty to start one.
          trial_cores: CPU cores per trial.
          trial_devices: GPUs per trial.
          options: further options of Ray actors, such as {"resources": {"TPU": 4}}.

        Raises:
          ValueError: if ray is not installed, the cluster cannot be reached, or an option is invalid.
        """
        self._ray = ray = import_ray()
        try:
            with warnings.catch_warnings():
                # jax warns about forks, by which Ray starts processes.
                warnings.filterwarnings("ignore", message=r"os\.fork", category=RuntimeWarning)
                ray.init(
                    address=address or "local",
                    log_to_driver=False,
                    logging_level="error",
                    **({} if address else {"include_dashboard": False}),
                )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ValueError(f"--address: {address}: {error}") from None
        try:
            self._actor = ray.remote(TrialActor).options(
                num_cpus=trial_cores, num_gpus=trial_devices, max_restarts=0, **options
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"--options: {error}") from None
        needed = {"CPU": trial_cores, "GPU": trial_devices, **options.get("resources", {})}
        lacks = self._lacks(needed)
        if lacks and not address:
            raise ValueError(lacks)
        if lacks:
            # The cluster may autoscale.
            logging.warning("%s; trials wait until one does", lacks)

    def has_capacity(self) -> bool:
        """Always: trials without resources wait in Ray's queue."""
        return True

    def start(self, trial: Trial) -> "RayHandle":
        """Submits a trial."""
        actor = self._actor.remote(trial.command(), str(trial.log.resolve()), os.getcwd())
        return RayHandle(self._ray, actor)

    def _lacks(self, needed: Mapping[str, float]) -> str | None:
        """Message if no machine of the cluster has the resources of a trial, else None."""
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if any(all(machine.get(k, 0) >= v for k, v in needed.items()) for machine in machines):
            return None
        kinds = dict.fromkeys(("CPU", "GPU", "TPU", *needed))
        has = [{kind: machine[kind] for kind in kinds if kind in machine} for machine in machines]
        return f"no machine has the resources of a trial, {dict(needed)}; machines have {has}"


class RayHandle:
    """A trial submitted to a Ray cluster."""

    def __init__(self, ray: Any, actor: Any) -> None:
        """Polls the actor asynchronously; the first answer arrives when it has started."""
        self._ray, self._actor = ray, actor
        self._answer = actor.poll.remote()
        self._has_started = False
        self._code: int | None = None

    def poll(self) -> int | None:
        """Exit code of the trial; None while it is queued or running."""
        if self._code is not None or not self._ray.wait([self._answer], timeout=0)[0]:
            return self._code
        try:
            self._code = self._ray.get(self._answer)
        except self._ray.exceptions.RayError:
            self._code = LOST
        self._has_started = True
        if self._code is None:
            self._answer = self._actor.poll.remote()
        else:
            self._end()
        return self._code

    def is_running(self) -> bool:
        """Returns whether Ray has started it."""
        return self._has_started

    def stop(self) -> None:
        """Sends SIGTERM to a running trial; cancels a queued one."""
        self.poll()
        if self._has_started:
            self._actor.stop.remote()
        else:
            self._end()

    def _end(self) -> None:
        """Releases the resources of the trial."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._actor)


def import_ray() -> Any:
    """Imports ray; ValueError if it is not installed."""
    # No usage statistics are sent, and GPUs stay visible to trials that request none.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        importlib.import_module("ray.exceptions")
        return importlib.import_module("ray")
    except ImportError:
        raise ValueError("--launcher=ray needs the extra `ray`: pip install -e '.[ray]'") from None
