"""Flags of a run of several processes, how they find each other, and how they end (docs/devices.md)."""

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
from nar.training import ProcessFailedError, run_on_all

_DISTRIBUTED = flags.DEFINE_bool(
    "distributed",
    False,
    "Whether this is one of several processes that work on one run together. They find each other by "
    "themselves on a TPU pod slice, under Slurm and under Open MPI; elsewhere give --coordinator, "
    "--num_processes and --process_id. Start the same command in each.",
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "HOST:PORT of process 0, as the others reach it; the port is any free one there. Goes with "
    "--num_processes and --process_id, and implies --distributed.",
)
_NUM_PROCESSES = flags.DEFINE_integer(
    "num_processes", None, "How many processes there are; goes with --coordinator.", lower_bound=1
)
_PROCESS_ID = flags.DEFINE_integer(
    "process_id",
    None,
    "Which of them this is, from 0; process 0 alone reads and writes the workdir. Goes with --coordinator.",
    lower_bound=0,
)
_CONNECT_TIMEOUT = flags.DEFINE_integer(
    "connect_timeout", 60, "Seconds in which all processes must have found each other.", lower_bound=1
)


def multi_process(main: Callable[[], None]) -> Callable[[], None]:
    """A script that may be started as several processes: it connects them first, and they end together.

    What fails in one process ends all: at once where they get ready together, later on when they miss it.
    """

    def run() -> None:
        connect()
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
    """Makes this process one of those that the flags speak of; nothing of jax may have been used before.

    Raises:
      ValueError: if flags are missing or wrong, or if nothing says where the other processes are.
    """
    address, count, number = _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value
    if address is None and count is None and number is None:
        if _DISTRIBUTED.value:
            _initialize("the other processes")
        return
    if address is None or count is None or number is None:
        raise ValueError(
            "--coordinator, --num_processes and --process_id go together: give all of them or none"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ValueError(f"--coordinator must be HOST:PORT, got {address!r}")
    if number >= count:
        raise ValueError(f"--process_id must be less than --num_processes={count}, got {number}")
    first = f"process 0 at {address}: does it run there, and is its port open?"
    others = f"all of the processes 1 to {count - 1}: do they run, and can they reach {address}?"
    _initialize(
        first if number else others,
        coordinator_address=address,
        num_processes=count,
        process_id=number,
        cluster_detection_method="deactivate",
    )


def _initialize(missed: str, **arguments: object) -> None:
    # jax would take a SIGTERM for itself; `fit` has its own way to stop all processes.
    jax.config.update("jax_enable_preemption_service", False)
    seconds = _CONNECT_TIMEOUT.value
    message = f"after {seconds} seconds (--connect_timeout) there is no connection to {missed}"
    with _ending_after(seconds, message):
        try:
            # Its own time is longer, since at its end it aborts without a word.
            jax.distributed.initialize(initialization_timeout=2 * seconds + 60, **arguments)  # pyright: ignore
        except (KeyError, RuntimeError, ValueError) as error:
            if arguments:
                raise ValueError(f"--coordinator={arguments['coordinator_address']}: {error}") from None
            raise ValueError(
                "--distributed found neither a TPU pod slice nor Slurm nor Open MPI "
                f"({error}); give --coordinator, --num_processes and --process_id"
            ) from None
    # The channel between the processes opens with its first use, which must be at the same time for all.
    run_on_all(lambda: None)


@contextlib.contextmanager
def _ending_after(seconds: int, message: str) -> Iterator[None]:
    """Ends the process with a message if what follows takes longer."""

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
    """Says what a process ends with; with a traceback if it is nothing that a user can get wrong."""
    if isinstance(error, (ProcessFailedError, *EXPECTED)):
        print(f"error: process {jax.process_index()}: {explain(error)}", file=sys.stderr)
    else:
        traceback.print_exception(error)


def _end() -> NoReturn:
    """Ends this process at once: at a regular exit it would wait for the others, and they for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
