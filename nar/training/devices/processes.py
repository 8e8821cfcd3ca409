"""Coordination of the processes of a run: work done by the first process only, and failing together.

All processes must call these functions, in the same order. In a run of one process they cost nothing.
"""

import pickle
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

T = TypeVar("T")

_MIN_MESSAGE_BYTES = 4096


class ProcessFailedError(Exception):
    """Raised in all processes when one has failed; in the failed one the original error is its cause."""

    def __init__(self, process: int) -> None:
        """Takes the index of the failed process."""
        super().__init__(f"stopped, since process {process} failed; its own message says why")


def is_first_process() -> bool:
    """Returns whether this is the first process, which alone reads and writes files and prints."""
    return jax.process_index() == 0


def print_on_first(text: str) -> None:
    """Prints in the first process only, at once, so that it is seen if the process is killed."""
    if is_first_process():
        print(text, flush=True)


def run_on_all(work: Callable[[], T]) -> T:
    """Calls `work` in every process, and returns its result once it has succeeded in all of them.

    Args:
      work: function that does not communicate with other processes.

    Raises:
      ProcessFailedError: if there are several processes and it failed in any; it names the first of them.
    """
    if jax.process_count() == 1:
        return work()
    result, error = None, None
    try:
        result = work()
    except Exception as exception:
        error = exception
    failed = multihost_utils.process_allgather(np.array(error is not None)).reshape(-1)
    if failed.any():
        process = int(failed.argmax())
        raise ProcessFailedError(process) from (error if process == jax.process_index() else None)
    return result  # pyright: ignore[reportReturnType]


def run_on_first(work: Callable[[], T]) -> T:
    """Calls `work` in the first process only, and returns its result in all.

    Args:
      work: function whose result can be pickled.

    Raises:
      ProcessFailedError: if it fails and there are several processes.
    """
    if jax.process_count() == 1:
        return work()
    return _broadcast(run_on_all(lambda: work() if is_first_process() else None))


def check_same_on_all(name: str, value: Any) -> None:
    """Checks that a value is the same in all processes.

    Args:
      name: name of the value, for the message.
      value: a value that can be pickled and compared.

    Raises:
      ProcessFailedError: if it is not; where it differs from the first process's, a ValueError is the cause.
    """
    first = run_on_first(lambda: value)

    def check() -> None:
        if first != value:
            raise ValueError(f"{name} of process {jax.process_index()} differs from that of process 0")

    run_on_all(check)


def _broadcast(value: Any) -> Any:
    """The first process's value, in all processes."""
    message = np.frombuffer(pickle.dumps(value), np.uint8) if is_first_process() else np.zeros(0, np.uint8)
    size = int(multihost_utils.broadcast_one_to_all(np.array(message.size, np.int32)))
    # Sizes are rounded up to powers of two, since each shape is compiled.
    padded_size = max(_MIN_MESSAGE_BYTES, 1 << (size - 1).bit_length())
    received = multihost_utils.broadcast_one_to_all(np.pad(message, (0, padded_size - message.size)))
    return pickle.loads(np.asarray(received)[:size].tobytes())
