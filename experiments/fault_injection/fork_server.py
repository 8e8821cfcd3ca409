"""Server that runs scripts in forks of a process that has imported the libraries, which saves their start-up.

`script_process.ForkServer` starts it. It reads a JSON request per line: `module`, `arguments`, `output` and
`errors` (files that are appended to), `folder` (the working directory) and `environment`. It answers with the
number of the process and, when that ends, with its exit code, -N if signal N ended it. Nothing in this
file may start a thread or initialize a jax backend before the fork.
"""

import json
import os
import runpy
import signal
import sys
import traceback
from typing import Any

from experiments.cli.signals import exit_on_signals
from nar.signals import UNLESS_IGNORED


def main() -> None:
    """Answers requests until standard input is closed."""
    # Only modules without flags: each script must define its flags when it is run.
    import tensorboardX.summary  # noqa: F401, imported later by training

    import nar.evaluation
    import nar.reports
    import nar.runs.train
    import nar.text.scoring
    import nar.training  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = _run(request)
            finally:
                os._exit(code)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(request: dict[str, Any]) -> int:
    """Runs a script in this process; returns the exit code that Python would exit with."""
    for number, path, mode in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        (2, request["errors"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        file = os.open(path, mode, 0o644)
        os.dup2(file, number)
        os.close(file)
    for name in UNLESS_IGNORED:  # `nohup`, for one, may have started the server; scripts start as in a shell.
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    exit_on_signals()  # Otherwise the import of `experiments` does it.
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:1] = [request["folder"], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    module = request["module"]
    sys.argv = [module, *request["arguments"]]
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main()
