"""Views of a batch: further versions of its traces, made on the host, such as with permuted nodes.

An objective that compares predictions of several versions of a problem requests views
(`nar.losses.with_views`). Row i of a view belongs to row i of the batch, also in micro-batches and on several
devices.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nar.data.task import Task
from nar.traces import TraceBatch

BATCH = "batch"
"""Name of the batch itself among its views."""

View = Callable[[Task, TraceBatch, Sequence[np.random.Generator]], TraceBatch]
"""(task, B traces after transforms, B random generators) -> B traces.

Generator i depends only on the seed, the index of trace i in its series, and the name of the view. Row i of
the result may depend only on trace i and generator i. A view also gets all-zero traces, to find its shapes.
In training on chunks or windows, it must keep the lengths of the traces, and cannot have padded nodes; if it
has the attribute `needs_whole_traces`, and that is true, such training is refused at once."""


@dataclasses.dataclass(frozen=True)
class ViewedBatch:
    """A batch with views of it.

    Attributes:
      batch: the batch.
      views: views by name, with as many rows.
    """

    batch: TraceBatch
    views: dict[str, TraceBatch]


def all_views(batch: Any) -> dict[str, Any]:
    """The batch itself, as `BATCH`, and its views, by name."""
    return {BATCH: batch.batch, **batch.views} if isinstance(batch, ViewedBatch) else {BATCH: batch}


def batch_with_views(views: Mapping[str, TraceBatch]) -> TraceBatch | ViewedBatch:
    """Inverse of `all_views`: the batch alone if there are no others."""
    others = {name: view for name, view in views.items() if name != BATCH}
    return ViewedBatch(views[BATCH], others) if others else views[BATCH]


def map_views(function: Callable[..., Any], *batches: Any) -> Any:
    """Applies a function to batches, and to each of their views."""
    by_name = [all_views(batch) for batch in batches]
    return batch_with_views({name: function(*(views[name] for views in by_name)) for name in by_name[0]})


def make_view(
    name: str, view: View, task: Task, traces: TraceBatch, size: int, seed: int, first: int
) -> TraceBatch:
    """Makes a view of traces `first`, `first + 1`, ... of the series of a task, size and seed.

    Raises:
      ValueError: if the view has another number of traces.
    """
    text = f"{task.name}/{size}/{seed}/{name}".encode()
    word = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
    keys = [np.array([word, index], np.uint64) for index in range(first, first + traces.batch_size)]
    result = view(task, traces, [np.random.Generator(np.random.Philox(key=key)) for key in keys])
    if result.batch_size != traces.batch_size:
        raise ValueError(
            f"view {name!r} of {task.name} must have {traces.batch_size} traces, got {result.batch_size}"
        )
    return result


def check_chunkable_views(views: Mapping[str, View]) -> None:
    """Raises ValueError if a view cannot be trained on time chunks or windows."""
    for name, view in views.items():
        if getattr(view, "needs_whole_traces", False):
            raise ValueError(
                f"view {name!r} needs whole traces, since it changes their lengths: it cannot be trained on "
                "time chunks or windows (training.chunk_length, training.window_length)"
            )


def check_chunkable(name: str, view: TraceBatch, traces: TraceBatch) -> None:
    """Checks that a view can be cut into the same time chunks or windows as the batch.

    Raises:
      ValueError: if its traces have other lengths than those of the batch, or padded nodes.
    """
    if view.num_nodes is not None:
        raise ValueError(
            f"view {name!r} has padded nodes (num_nodes), which is not possible in training on time chunks "
            "or windows"
        )
    if not np.array_equal(view.lengths, traces.lengths):
        raise ValueError(
            f"view {name!r} changes the lengths of traces, which is not possible in training on time chunks "
            "or windows"
        )
