"""The memory of one network in a process of its own, which evaluates a batch once."""

import pathlib
import resource
import sys
from typing import Any


def ours(*case: Any) -> None:
    """Our network of a `Case`."""
    from experiments.benchmarks.lib.matched_networks import Case, Ours

    Ours(Case(*case)).evaluation()()
    print_resident_bytes()


def theirs(*case: Any, **options: Any) -> None:
    """That of dm-clrs, made with `their_options` of the case."""
    from experiments.benchmarks.lib.dm_clrs_network import DmClrsNetwork

    DmClrsNetwork(*case, **options).evaluation()()
    print_resident_bytes()


def print_resident_bytes() -> None:
    """The largest resident set that this process has had.

    On Linux what `getrusage` says is never less than that of the process which started this one.
    """
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        print(int(line.split()[1]) * 1024)
        return
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
