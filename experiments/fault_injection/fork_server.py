"""Server that runs scripts in forks of a process that has imported the libraries, which saves their start-up.

`ForkServer` starts it. It reads a JSON request per line: `script`, `arguments`, `log` (appended to). It
answers with the number of the process, and once that has ended with its exit code, -N if signal N ended it.
Nothing in this file may start a thread or initialize a jax backend before the fork.
"""

import json
import os
import runpy
import signal
import sys
import traceback
from typing import Any


def main() -> None:
    """Answers requests until standard input is closed."""
    import nar.evaluation
    import nar.reports
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
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number in (1, 2):
        os.dup2(log, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    module = f"experiments.{request['script']}"
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
