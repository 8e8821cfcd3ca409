"""Runs the scripts of `experiments` as users do, each in a process of its own.

Such a process spends most of its time importing jax, Haiku, optax and nar. `run` therefore forks it from a
server process that has already imported them (`experiments.fault_injection.fork_server`).
"""

import os
import pathlib
import signal
import sys
import tempfile

from experiments.fault_injection.script_process import ForkServer, ScriptProcess

ROOT = pathlib.Path(__file__).parents[2]
SUPPORT = pathlib.Path(__file__).parent

TINY = (
    "--config.model.hidden_size=8",
    "--config.data.sizes=(4,)",
    "--config.training.batch_size=4",
    "--config.training.steps=40",
    "--config.training.log_every=5",
    "--config.training.eval_every=10",
)

_SERVER = ForkServer({"NUMBA_DISABLE_JIT": "1"})


def command(script: str, *arguments: object) -> list[str]:
    """The command line of a script, for tests that start its process themselves."""
    return [sys.executable, "-m", f"experiments.{script}", *map(str, arguments)]


def run(
    script: str,
    *arguments: object,
    cwd: pathlib.Path = ROOT,
    environment: dict[str, str] | None = None,
    timeout: float = 300,
) -> tuple[int, str, str]:
    """Returns exit code, stdout and stderr of `python -m experiments.SCRIPT ARGUMENTS`.

    `environment` is added to the variables of this process. Variables that libraries read on import (JAX_*,
    NUMBA_*) have no effect here: for these, start `command(...)` with `subprocess`.
    """
    with tempfile.TemporaryDirectory() as folder:
        process = start(script, *arguments, folder=folder, cwd=cwd, environment=environment)
        return finish(process, folder, timeout)


def start(
    script: str,
    *arguments: object,
    folder: str,
    cwd: pathlib.Path = ROOT,
    environment: dict[str, str] | None = None,
) -> ScriptProcess:
    """Starts a script, whose stdout and stderr are written to a folder; see `run`.

    A module of `tests/support` that takes the part of a script is named `support.NAME`.
    """
    is_support = script.startswith("support.")
    module = script.removeprefix("support.") if is_support else f"experiments.{script}"
    # experiments is found in any working directory.
    found_in = [str(ROOT), *([str(SUPPORT)] if is_support else []), os.environ.get("PYTHONPATH")]
    output, errors = (pathlib.Path(folder, name) for name in ("output", "errors"))
    variables = {"PYTHONPATH": os.pathsep.join(filter(None, found_in)), **(environment or {})}
    return _SERVER.start(module, arguments, output, errors=errors, folder=cwd, variables=variables)


def finish(process: ScriptProcess, folder: str, timeout: float = 300) -> tuple[int, str, str]:
    """Waits for the end of a script, which is killed after `timeout` seconds; returns the same as `run`."""
    if process.poll(timeout) is None:
        process.send_signal(signal.SIGKILL)
    output, errors = (pathlib.Path(folder, name) for name in ("output", "errors"))
    return process.wait(), output.read_text(), errors.read_text()
