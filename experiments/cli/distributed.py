"""Flags, start-up and shutdown of a run of several processes (docs/devices.md)."""

import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

import jax
from absl import flags

from experiments.cli.launch import EXPECTED, explain
from nar.training.devices import ProcessFailedError, check_platform, run_on_all

_DISTRIBUTED = flags.DEFINE_bool(
    "distributed",
    False,
    "Whether this is one of several processes of one run. They find each other automatically on a TPU pod "
    "slice, under Slurm and under Open MPI; elsewhere give --coordinator, --num_processes and --process_id. "
    "Start the same command in each process.",
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "HOST:PORT at which the other processes reach process 0, which listens on that address only; any free "
    "port will do. Requires --num_processes and --process_id, and implies --distributed. See docs/devices.md "
    "on the trust between processes.",
)
_NUM_PROCESSES = flags.DEFINE_integer(
    "num_processes", None, "Number of processes; requires --coordinator.", lower_bound=1
)
_PROCESS_ID = flags.DEFINE_integer(
    "process_id",
    None,
    "Index of this process, from 0; only process 0 reads and writes the workdir. Requires --coordinator.",
    lower_bound=0,
)
_CONNECT_TIMEOUT = flags.DEFINE_integer(
    "connect_timeout", 60, "Seconds within which all processes must connect.", lower_bound=1
)


def multi_process(main: Callable[[], None]) -> Callable[[], None]:
    """Wraps `main` of a script that may run as several processes: connects them, and ends them together.

    A failure in one process ends all of them: at once during set-up, later when the others miss it.
    """

    def run() -> None:
        connect()
        check_platform()
        if jax.process_count() == 1:
            main()
            return
        try:
            main()
            run_on_all(lambda: None)
        except ProcessFailedError as stop:
            _report(stop if stop.__cause__ is None else stop.__cause__)
            sys.exit(1)
        except (Exception, KeyboardInterrupt) as error:
            _report(error)
            _end()

    return run


def connect() -> None:
    """Connects this process to the others, as the flags say; call it before any use of jax.

    Raises:
      ValueError: if flags are missing or invalid, or the other processes cannot be detected.
    """
    address, count, number = _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value
    if address is None and count is None and number is None:
        if _DISTRIBUTED.value:
            _initialize("the other processes")
        return
    if address is None or count is None or number is None:
        raise ValueError(
            "--coordinator, --num_processes and --process_id go together: give all three or none"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ValueError(f"--coordinator must be HOST:PORT, got {address!r}")
    if number >= count:
        raise ValueError(f"--process_id must be less than --num_processes={count}, got {number}")
    first = f"process 0 at {address}: is it running there, and is its port open?"
    others = f"all of the processes 1 to {count - 1}: are they running, and can they reach {address}?"
    _initialize(
        first if number else others,
        coordinator_address=address,
        coordinator_bind_address=address,  # By default, process 0 would listen on all network interfaces.
        num_processes=count,
        process_id=number,
        cluster_detection_method="deactivate",
    )


def _initialize(missing: str, **arguments: object) -> None:
    # jax would handle SIGTERM itself; `fit` has its own way to stop all processes.
    jax.config.update("jax_enable_preemption_service", False)
    seconds = _CONNECT_TIMEOUT.value
    message = f"after {seconds} seconds (--connect_timeout) there is no connection to {missing}"
    with _exit_after(seconds, message):
        try:
            # A longer timeout than ours, since jax aborts without a message.
            jax.distributed.initialize(initialization_timeout=2 * seconds + 60, **arguments)  # pyright: ignore
        except (KeyError, RuntimeError, ValueError) as error:
            if arguments:
                raise ValueError(f"--coordinator={arguments['coordinator_address']}: {error}") from None
            raise ValueError(
                "--distributed found neither a TPU pod slice nor Slurm nor Open MPI "
                f"({error}); give --coordinator, --num_processes and --process_id"
            ) from None
    check_platform()
    # The channel between the processes opens at its first use, which must happen in all of them at once.
    run_on_all(lambda: None)


@contextlib.contextmanager
def _exit_after(seconds: int, message: str) -> Iterator[None]:
    """Exits the process with a message if the body takes longer than `seconds`."""

    def end() -> None:
        print(f"error: {message}", file=sys.stderr, flush=True)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _report(error: BaseException) -> None:
    """Prints the error of this process, with a traceback unless it is a user error."""
    if isinstance(error, (ProcessFailedError, *EXPECTED)):
        print(f"error: process {jax.process_index()}: {explain(error)}", file=sys.stderr)
    else:
        traceback.print_exception(error)


def _end() -> NoReturn:
    """Exits at once: a regular exit would wait for the other processes, and they for this one."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
