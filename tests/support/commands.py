"""Runs the scripts of `experiments` as users do, each in a process of its own.

Such a process spends most of its time importing jax, Haiku, optax and nar. `run` therefore forks it from a
server process that has already imported them (`fork_server.py`).
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]

TINY = (
    "--config.model.hidden_size=8",
    "--config.data.sizes=(4,)",
    "--config.training.batch_size=4",
    "--config.training.steps=40",
    "--config.training.log_every=5",
    "--config.training.eval_every=10",
)

_SERVERS: list[subprocess.Popen[str]] = []


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
    if not _SERVERS or _SERVERS[-1].poll() is not None:
        _SERVERS.append(
            subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "support" / "fork_server.py")],
                cwd=ROOT,
                env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    server = _SERVERS[-1]
    assert server.stdin and server.stdout
    with tempfile.TemporaryDirectory() as folder:
        output, errors = (pathlib.Path(folder, name) for name in ("output", "errors"))
        request = {
            "module": f"experiments.{script}",
            "arguments": [*map(str, arguments)],
            "cwd": str(cwd),
            # experiments is found in any working directory.
            "environment": {
                **os.environ,
                "NUMBA_DISABLE_JIT": "1",
                "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
                **(environment or {}),
            },
            "output": str(output),
            "errors": str(errors),
            "timeout": timeout,
        }
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return code, output.read_text(), errors.read_text()
