"""Trials on a Ray cluster: Ray finds each the machine with the cores, GPUs or TPU chips that it needs.

The folder of the sweep must be one that all machines have. Needs ray (extra `ray`).
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
"""Exit code of a trial whose machine, or the process of Ray around it, is gone."""


class Host:
    """Runs one trial in a process of Ray; it ends with its trial, and the trial with it."""

    def __init__(self, command: Sequence[str], log: str, folder: str) -> None:
        """Starts the trial."""
        if os.path.isdir(folder):
            os.chdir(folder)
        self._process: subprocess.Popen[bytes] = child.start(command, pathlib.Path(log))

    def poll(self) -> int | None:
        """The exit code of the trial; None as long as it lives."""
        return self._process.poll()

    def stop(self) -> None:
        """Sends SIGTERM: training saves and ends."""
        self._process.send_signal(signal.SIGTERM)


class RayLauncher:
    """Hands all trials to a cluster, which starts each when there is room."""

    def __init__(
        self, address: str, trial_cores: int, trial_devices: int, options: Mapping[str, Any]
    ) -> None:
        """Joins a cluster, or starts one in this machine.

        Args:
          address: of the cluster; empty for one of this process's own.
          trial_cores: of a trial.
          trial_devices: GPUs of a trial.
          options: further ones of Ray's actors, such as {"resources": {"TPU": 4}}.

        Raises:
          ValueError: if ray is not installed, there is no such cluster, or an option is not valid.
        """
        self._ray = ray = import_ray()
        try:
            with warnings.catch_warnings():
                # Of jax, since Ray forks to start a process.
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
            self._host = ray.remote(Host).options(
                num_cpus=trial_cores, num_gpus=trial_devices, max_restarts=0, **options
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"--options: {error}") from None
        needed = {"CPU": trial_cores, "GPU": trial_devices, **options.get("resources", {})}
        lacks = self._lacks(needed)
        if lacks and not address:
            raise ValueError(lacks)
        if lacks:
            # It may be a cluster that grows as it is asked.
            logging.warning("%s; trials wait until one has", lacks)

    def has_room(self) -> bool:
        """Always: what has no room yet waits in Ray's queue."""
        return True

    def start(self, trial: Trial) -> "RayHandle":
        """Hands over a trial."""
        host = self._host.remote(trial.command(), str(trial.log.resolve()), os.getcwd())
        return RayHandle(self._ray, host)

    def _lacks(self, needed: Mapping[str, float]) -> str | None:
        """What is missing, if no machine of the cluster has what a trial needs."""
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if any(all(machine.get(k, 0) >= v for k, v in needed.items()) for machine in machines):
            return None
        kinds = dict.fromkeys(("CPU", "GPU", "TPU", *needed))
        has = [{kind: machine[kind] for kind in kinds if kind in machine} for machine in machines]
        return f"no machine has what a trial needs, {dict(needed)}; there are {has}"


class RayHandle:
    """A trial that a cluster has."""

    def __init__(self, ray: Any, host: Any) -> None:
        """Asks how it is; the answer comes when it has begun."""
        self._ray, self._host = ray, host
        self._answer = host.poll.remote()
        self._has_begun = False
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code of the trial; None as long as it waits or lives."""
        if self._code is not None or not self._ray.wait([self._answer], timeout=0)[0]:
            return self._code
        try:
            self._code = self._ray.get(self._answer)
        except self._ray.exceptions.RayError:
            self._code = LOST
        self._has_begun = True
        if self._code is None:
            self._answer = self._host.poll.remote()
        else:
            self._end()
        return self._code

    def is_running(self) -> bool:
        """Whether Ray has started it."""
        return self._has_begun

    def stop(self) -> None:
        """Sends SIGTERM to a trial that runs; one that waits for a machine is taken back."""
        self.poll()
        if self._has_begun:
            self._host.stop.remote()
        else:
            self._end()

    def _end(self) -> None:
        """Gives back what the trial had."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._host)


def import_ray() -> Any:
    """The module; ValueError if it is not installed."""
    # Nothing of a sweep is said to anyone, and GPUs are not hidden from trials that ask for none.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        importlib.import_module("ray.exceptions")
        return importlib.import_module("ray")
    except ImportError:
        raise ValueError("--launcher=ray needs the extra `ray`: pip install -e '.[ray]'") from None
