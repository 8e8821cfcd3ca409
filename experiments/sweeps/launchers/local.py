"""Trials side by side on this machine, each with its share of cores and devices."""

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

_CHIPS_OF_A_PROCESS = {1: "1,1,1", 2: "1,2,1", 4: "2,2,1", 8: "2,4,1"}
"""Number of TPU chips -> how they lie, as TPU_CHIPS_PER_PROCESS_BOUNDS wants it."""


@dataclasses.dataclass(frozen=True)
class Accelerators:
    """GPUs or TPU chips of this machine.

    Attributes:
      kind: "gpu" or "tpu".
      ids: as the driver counts them.
    """

    kind: str
    ids: tuple[str, ...]

    def variables(self) -> dict[str, str]:
        """What leaves these to a process, and no others."""
        if self.kind == "gpu":
            return {"CUDA_VISIBLE_DEVICES": ",".join(self.ids)}
        return {
            "TPU_VISIBLE_CHIPS": ",".join(self.ids),
            "TPU_CHIPS_PER_PROCESS_BOUNDS": _CHIPS_OF_A_PROCESS[len(self.ids)],
            "TPU_PROCESS_BOUNDS": "1,1,1",
        }


@dataclasses.dataclass(frozen=True)
class Share:
    """What one of the trials that run side by side may use.

    Attributes:
      cores: by number.
      accelerators: of its own; None if there are none, or all share them.
    """

    cores: tuple[int, ...]
    accelerators: Accelerators | None


def find_accelerators(
    environment: Mapping[str, str] = os.environ, devices: pathlib.Path = pathlib.Path("/dev")
) -> Accelerators | None:
    """What jax would use, found without starting it: jax would take it."""
    platforms = environment.get("JAX_PLATFORMS", "").split(",")
    if platforms[0] == "cpu":
        return None
    gpus = _numbers(devices, "nvidia[0-9]*")
    if "CUDA_VISIBLE_DEVICES" in environment and gpus:
        gpus = [name for name in environment["CUDA_VISIBLE_DEVICES"].split(",") if name]
    if gpus:
        return Accelerators("gpu", tuple(gpus))
    chips = _numbers(devices, "accel[0-9]*") or _numbers(devices, "vfio/[0-9]*")
    # Chips behind vfio have numbers of their own: TPU_VISIBLE_CHIPS counts from 0.
    return Accelerators("tpu", tuple(str(i) for i in range(len(chips)))) if chips else None


def divide(
    cores: Sequence[int],
    accelerators: Accelerators | None,
    parallel: int = 0,
    trial_cores: int = 4,
    trial_devices: int = 1,
) -> list[Share]:
    """The shares of trials that run side by side.

    Args:
      cores: of this machine.
      accelerators: of it.
      parallel: how many trials; 0 for as many as there are devices or else cores for.
      trial_cores: how many cores a trial should have, where they decide how many there are.
      trial_devices: how many devices a trial has.

    Raises:
      ValueError: if there are not enough devices.
    """
    if accelerators is None:
        count = parallel or max(1, len(cores) // trial_cores)
        return [Share(_part(cores, i, count), None) for i in range(count)]
    ids = accelerators.ids
    if accelerators.kind == "tpu" and trial_devices not in _CHIPS_OF_A_PROCESS:
        raise ValueError(f"--trial_devices must be {', '.join(map(str, _CHIPS_OF_A_PROCESS))} on TPUs")
    most = len(ids) // trial_devices
    count = parallel or most
    if not 1 <= count <= most:
        raise ValueError(f"{count} trials with {trial_devices} devices each: this machine has {len(ids)}")
    owned = [ids[i * trial_devices : (i + 1) * trial_devices] for i in range(count)]
    return [Share(_part(cores, i, count), Accelerators(accelerators.kind, owned[i])) for i in range(count)]


class LocalLauncher:
    """Starts processes on this machine, one in each share."""

    def __init__(self, shares: Sequence[Share]) -> None:
        """Starts nothing yet."""
        self._shares = list(shares)
        self._processes: list[LocalHandle | None] = [None] * len(shares)

    def has_room(self) -> bool:
        """Whether a share is free."""
        return self._free() is not None

    def start(self, trial: Trial) -> "LocalHandle":
        """Starts a trial in a free share."""
        index = self._free()
        assert index is not None
        share = self._shares[index]
        variables = share.accelerators.variables() if share.accelerators else {}
        process = child.start(trial.command(), trial.log, variables)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, share.cores)
        handle = self._processes[index] = LocalHandle(process)
        return handle

    def _free(self) -> int | None:
        for index, handle in enumerate(self._processes):
            if handle is None or handle.poll() is not None:
                return index
        return None


@dataclasses.dataclass(frozen=True)
class LocalHandle:
    """A process of this machine."""

    process: subprocess.Popen[bytes]

    def poll(self) -> int | None:
        """Its exit code; None as long as it lives."""
        return self.process.poll()

    def is_running(self) -> bool:
        """It runs at once."""
        return True

    def stop(self) -> None:
        """Sends SIGTERM: training saves and ends."""
        self.process.send_signal(signal.SIGTERM)


def cores_of_machine() -> list[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _part(cores: Sequence[int], index: int, count: int) -> tuple[int, ...]:
    """The index-th of `count` shares of cores; with fewer cores than shares, some share one."""
    if count > len(cores):
        return (cores[index % len(cores)],)
    return tuple(cores[index * len(cores) // count : (index + 1) * len(cores) // count])


def _numbers(folder: pathlib.Path, pattern: str) -> list[str]:
    paths = glob.glob(str(folder / pattern))
    return sorted((re.sub(r".*\D", "", path) for path in paths), key=int)
