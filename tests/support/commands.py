"""The scripts of `experiments`, called as their users call them: in a process of their own.

Most of what such a process does is to import jax, Haiku, optax and nar. `run` has it forked from a process
that has imported them already (`fork_server.py`), which is the same but for the seconds.
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
    """The command line of a script, for tests that watch, signal or kill its process."""
    return [sys.executable, "-m", f"experiments.{script}", *map(str, arguments)]


def run(
    script: str,
    *arguments: object,
    cwd: pathlib.Path = ROOT,
    environment: dict[str, str] | None = None,
    timeout: float = 300,
) -> tuple[int, str, str]:
    """Exit code, output and errors of `python -m experiments.SCRIPT ARGUMENTS`.

    `environment` is added to the variables of this process. Those that libraries read when they are imported
    (JAX_*, NUMBA_*) come too late: for these, start `command(...)` with `subprocess`.
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
            "environment": {**os.environ, "NUMBA_DISABLE_JIT": "1", **(environment or {})},
            "output": str(output),
            "errors": str(errors),
            "timeout": timeout,
        }
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return code, output.read_text(), errors.read_text()
