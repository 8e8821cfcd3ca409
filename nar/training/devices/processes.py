"""The processes of one run: what the first does for all, and how they stop together.

Each function here is called by all processes, in the same order. A run of one process pays nothing for them.
"""

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from nar.training.checkpointing.checkpoints import RestoredCheckpoint, with_plain_key, with_random_key

T = TypeVar("T")

_SMALLEST_MESSAGE = 4096


class ProcessFailedError(Exception):
    """Raised in all processes where one has failed; in that one its cause is what failed."""

    def __init__(self, process: int) -> None:
        """Names the process."""
        super().__init__(f"stopped, since process {process} failed; its own message says why")


def is_first_process() -> bool:
    """Whether this is the process that reads and writes files, and prints."""
    return jax.process_index() == 0


def print_on_first(text: str) -> None:
    """Prints, in the first process alone."""
    if is_first_process():
        print(text)


def run_on_all(work: Callable[[], T]) -> T:
    """What `work` returns here, once it has succeeded in every process; it must not need the others.

    Raises:
      ProcessFailedError: if it failed in any of several processes; of several that failed, in the first.
    """
    if jax.process_count() == 1:
        return work()
    result, error = None, None
    try:
        result = work()
    except Exception as raised:
        error = raised
    failed = multihost_utils.process_allgather(np.array(error is not None)).reshape(-1)
    if failed.any():
        process = int(failed.argmax())
        raise ProcessFailedError(process) from (error if process == jax.process_index() else None)
    return result  # pyright: ignore[reportReturnType]


def run_on_first(work: Callable[[], T]) -> T:
    """What `work` returns in the first process, which alone calls it; it must be possible to pickle.

    Raises:
      ProcessFailedError: if it fails and there are several processes.
    """
    if jax.process_count() == 1:
        return work()
    return _share(run_on_all(lambda: work() if is_first_process() else None))


def restore_on_all(read: Callable[[], RestoredCheckpoint | None]) -> RestoredCheckpoint | None:
    """What `read` returns in the first process, which alone has the folder of the checkpoints.

    Raises:
      ProcessFailedError: as `run_on_first`.
    """

    def read_plain() -> RestoredCheckpoint | None:
        found = read()
        return found and dataclasses.replace(found, state=with_plain_key(found.state))

    found = run_on_first(read_plain)
    return found and dataclasses.replace(found, state=with_random_key(found.state))


def check_same_on_all(name: str, value: Any) -> None:
    """Raises ValueError unless a value is the same in all processes.

    Args:
      name: what a message calls it.
      value: can be pickled and compared.
    """
    first = run_on_first(lambda: value)

    def check() -> None:
        if first != value:
            raise ValueError(f"{name} of process {jax.process_index()} is not that of process 0")

    run_on_all(check)


def _share(value: Any) -> Any:
    """The first process's value, everywhere."""
    message = np.frombuffer(pickle.dumps(value), np.uint8) if is_first_process() else np.zeros(0, np.uint8)
    size = int(multihost_utils.broadcast_one_to_all(np.array(message.size, np.int32)))
    # Few shapes, since each is compiled.
    room = max(_SMALLEST_MESSAGE, 1 << (size - 1).bit_length())
    shared = multihost_utils.broadcast_one_to_all(np.pad(message, (0, room - message.size)))
    return pickle.loads(np.asarray(shared)[:size].tobytes())
