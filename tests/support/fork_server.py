"""Server that runs `python -m MODULE ARGUMENTS` in forks of a process that has imported the libraries.

Reads one JSON request per line and answers each with the exit code of the fork. Nothing in this file may
start a thread or initialize a jax backend before the fork.
"""

import json
import os
import runpy
import signal
import sys
import time
import traceback

sys.path[0] = os.getcwd()  # as `python -m` has it

# Only modules without flags: each script must define its flags when it is run.
import nar.evaluation  # noqa: E402
import nar.reports  # noqa: E402
import nar.traces  # noqa: E402
import nar.training  # noqa: E402, F401


def run(request: dict) -> int:
    """Runs a module in this process and returns the exit code that Python would exit with."""
    for name, number in (("output", 1), ("errors", 2)):
        file = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
        os.close(file)
    stdin = os.open(os.devnull, os.O_RDONLY)
    os.dup2(stdin, 0)
    os.close(stdin)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:1] = [request["cwd"], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = [request["module"], *request["arguments"]]
    code = 0
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
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


def wait(child: int, timeout: float) -> int:
    """Waits for the exit code of a child, -N if signal N ended it; kills it after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = run(request)
            finally:
                os._exit(code)
        print(wait(child, request["timeout"]), flush=True)
