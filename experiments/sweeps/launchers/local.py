"""Concurrent trials on this machine, each with its share of cores and devices."""

import dataclasses
import glob
import os
import pathlib
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence

from experiments.sweeps.launchers import child
from experiments.sweeps.trial import Trial

_TPU_BOUNDS = {1: "1,1,1", 2: "1,2,1", 4: "2,2,1", 8: "2,4,1"}
"""Number of TPU chips -> their layout, as in TPU_CHIPS_PER_PROCESS_BOUNDS."""


@dataclasses.dataclass(frozen=True)
class Accelerators:
    """GPUs or TPU chips of this machine.

    Attributes:
      kind: "gpu" or "tpu".
      ids: device numbers of the driver.
    """

    kind: str
    ids: tuple[str, ...]

    def variables(self) -> dict[str, str]:
        """Environment variables that make only these devices visible to a process."""
        if self.kind == "gpu":
            return {"CUDA_VISIBLE_DEVICES": ",".join(self.ids)}
        return {
            "TPU_VISIBLE_CHIPS": ",".join(self.ids),
            "TPU_CHIPS_PER_PROCESS_BOUNDS": _TPU_BOUNDS[len(self.ids)],
            "TPU_PROCESS_BOUNDS": "1,1,1",
        }


@dataclasses.dataclass(frozen=True)
class Share:
    """Resources of one of several concurrent trials.

    Attributes:
      cores: numbers of its CPU cores.
      accelerators: its devices; None if there are none, or if all trials share them.
    """

    cores: tuple[int, ...]
    accelerators: Accelerators | None


def find_accelerators(
    environment: Mapping[str, str] = os.environ, devices: pathlib.Path = pathlib.Path("/dev")
) -> Accelerators | None:
    """Finds the devices that jax would use, without initializing jax, which would occupy them."""
    platforms = environment.get("JAX_PLATFORMS", "").split(",")
    if platforms[0] == "cpu":
        return None
    gpus = _numbers(devices, "nvidia[0-9]*")
    if "CUDA_VISIBLE_DEVICES" in environment and gpus:
        gpus = [name for name in environment["CUDA_VISIBLE_DEVICES"].split(",") if name]
    if gpus:
        return Accelerators("gpu", tuple(gpus))
    chips = _numbers(devices, "accel[0-9]*") or _numbers(devices, "vfio/[0-9]*")
    # vfio groups have other numbers than chips: TPU_VISIBLE_CHIPS counts from 0.
    if not chips and platforms[0] and "cpu" not in platforms:
        raise ValueError(f"this machine has no device of JAX_PLATFORMS={','.join(platforms)}; unset it")
    return Accelerators("tpu", tuple(str(i) for i in range(len(chips)))) if chips else None


def divide(
    cores: Sequence[int],
    accelerators: Accelerators | None,
    parallel: int = 0,
    trial_cores: int = 4,
    trial_devices: int = 1,
) -> list[Share]:
    """Divides this machine among concurrent trials.

    Args:
      cores: CPU cores of this machine.
      accelerators: devices of this machine.
      parallel: number of trials; 0 for as many as devices allow, or cores if there are no devices.
      trial_cores: cores per trial, if they determine the number of trials.
      trial_devices: devices per trial.

    Raises:
      ValueError: if there are not enough devices.
    """
    if accelerators is None:
        count = parallel or max(1, len(cores) // trial_cores)
        return [Share(_slice_cores(cores, i, count), None) for i in range(count)]
    ids = accelerators.ids
    if accelerators.kind == "tpu" and trial_devices not in _TPU_BOUNDS:
        raise ValueError(f"--trial_devices must be {', '.join(map(str, _TPU_BOUNDS))} on TPUs")
    capacity = len(ids) // trial_devices
    count = parallel or capacity
    if not 1 <= count <= capacity:
        raise ValueError(f"{count} trials with {trial_devices} devices each: this machine has {len(ids)}")
    owned = [ids[i * trial_devices : (i + 1) * trial_devices] for i in range(count)]
    return [
        Share(_slice_cores(cores, i, count), Accelerators(accelerators.kind, owned[i])) for i in range(count)
    ]


class LocalLauncher:
    """Starts processes on this machine, one in each share."""

    def __init__(self, shares: Sequence[Share]) -> None:
        """Does not start anything yet."""
        self._shares = list(shares)
        self._processes: list[LocalHandle | None] = [None] * len(shares)

    def has_capacity(self) -> bool:
        """Returns whether a share is free."""
        return self._free_index() is not None

    def start(self, trial: Trial) -> "LocalHandle":
        """Starts a trial in a free share."""
        index = self._free_index()
        assert index is not None
        share = self._shares[index]
        variables = share.accelerators.variables() if share.accelerators else {}
        process = child.start(trial.command(), trial.log, variables)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, share.cores)
        handle = self._processes[index] = LocalHandle(process)
        return handle

    def _free_index(self) -> int | None:
        for index, handle in enumerate(self._processes):
            if handle is None or handle.poll() is not None:
                return index
        return None


@dataclasses.dataclass(frozen=True)
class LocalHandle:
    """Process of a trial on this machine."""

    process: subprocess.Popen[bytes]

    def poll(self) -> int | None:
        """Exit code; None while it runs."""
        return self.process.poll()

    def is_running(self) -> bool:
        """Always: local processes are not queued."""
        return True

    def stop(self) -> None:
        """Sends SIGTERM, upon which training saves a checkpoint and exits."""
        self.process.send_signal(signal.SIGTERM)


def cores_of_machine() -> list[int]:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _slice_cores(cores: Sequence[int], index: int, count: int) -> tuple[int, ...]:
    """Share `index` of `count` shares of cores; with fewer cores than shares, cores are shared."""
    if count > len(cores):
        return (cores[index % len(cores)],)
    return tuple(cores[index * len(cores) // count : (index + 1) * len(cores) // count])


def _numbers(folder: pathlib.Path, pattern: str) -> list[str]:
    paths = glob.glob(str(folder / pattern))
    return sorted((re.sub(r".*\D", "", path) for path in paths), key=int)
