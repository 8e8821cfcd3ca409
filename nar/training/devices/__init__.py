"""The device mesh, and coordination of the processes of a run."""

from nar.training.devices.compilation_cache import use_compilation_cache
from nar.training.devices.mesh import Devices, check_platform
from nar.training.devices.processes import (
    ProcessFailedError,
    check_same_on_all,
    is_first_process,
    print_on_first,
    run_on_all,
    run_on_first,
)

__all__ = [
    "Devices",
    "ProcessFailedError",
    "check_platform",
    "check_same_on_all",
    "is_first_process",
    "print_on_first",
    "run_on_all",
    "run_on_first",
    "use_compilation_cache",
]
