"""Peak memory of fresh processes, for instance of one that evaluates one batch with one network."""

import pathlib
import resource
import subprocess
import sys
from typing import Any


def run_code(code: str) -> list[str]:
    """Runs Python code in a fresh process; returns the words that it prints.

    Raises:
      CalledProcessError: if it fails.
    """
    root = pathlib.Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=root)
    return done.stdout.split()


def evaluate_nar(*case: Any) -> None:
    """Evaluates with the network of nar; arguments are those of a `Case`."""
    from experiments.benchmarks.lib.matched_networks import Case, NarNetwork

    NarNetwork(Case(*case)).evaluation()()
    print_resident_bytes()


def evaluate_dm_clrs(*case: Any, **options: Any) -> None:
    """Evaluates with the network of dm-clrs; options are the `dm_clrs_options` of the case."""
    from experiments.benchmarks.lib.dm_clrs_network import DmClrsNetwork

    DmClrsNetwork(*case, **options).evaluation()()
    print_resident_bytes()


def print_resident_bytes() -> None:
    """Prints the peak resident set size of this process.

    On Linux, `getrusage` is not used, since its value includes that of the parent process.
    """
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        print(int(line.split()[1]) * 1024)
        return
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
