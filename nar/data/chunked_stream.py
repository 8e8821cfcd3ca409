"""Chunked streams: traces of one task and size, consecutive in each row of a batch, cut into time chunks.

With truncated rollouts over chunks, the memory of a training step does not grow with the length of traces
(Ibarz et al. 2022, arXiv 2209.11142, section 3.2). Traces start at chunk boundaries: where one ends within a
chunk, the rest of that row is padding, and the next trace starts with the next chunk.
"""

from typing import NamedTuple, Protocol

import numpy as np

from nar.traces import Probes, Trace, TraceBatch

MAX_CURSORS = 64
"""Number of past chunks to which a stream can return without sampling its traces again from the start."""


class TraceSource(Protocol):
    """A function that returns traces by index."""

    def __call__(self, first: int, count: int) -> TraceBatch:
        """Traces `first` ... `first + count - 1` of an infinite series, after transforms."""
        ...


class _Cursor(NamedTuple):
    """State of the rows at the start of a chunk.

    Attributes:
      indices: [B], index of the trace in each row.
      offsets: [B] int32, number of its steps in earlier chunks.
      next_index: index of the next unused trace.
    """

    indices: np.ndarray
    offsets: np.ndarray
    next_index: int


class ChunkedStream:
    """The chunks of an infinite series of traces.

    The traces of a chunk depend on the lengths of all earlier traces, so random access to a distant chunk has
    to sample those.
    """

    def __init__(self, source: TraceSource, batch_size: int, chunk_length: int) -> None:
        """Samples nothing yet.

        Args:
          source: source of transformed traces.
          batch_size: number of rows.
          chunk_length: network steps per chunk.
        """
        self._source = source
        self._chunk_length = chunk_length
        first = _Cursor(np.arange(batch_size), np.zeros(batch_size, np.int32), batch_size)
        self._cursors = {0: first}
        self._traces: list[Trace] = []
        self._number = -1

    def chunk(self, number: int) -> TraceBatch:
        """Chunk `number` of all rows: `chunk_length` + 1 steps of hints, the last also starts the next chunk.

        Its `offsets` are the steps at which it starts in each trace; its `lengths` are those of the whole
        traces. Not thread-safe.
        """
        if not 0 <= self._number <= number:
            self._number = max(known for known in self._cursors if known <= number)
            self._traces = [self._draw(int(index), 1)[0] for index in self._cursors[self._number].indices]
        while self._number < number:
            self._advance()
        return self._cut(self._cursors[number].offsets)

    def _draw(self, first: int, count: int) -> list[Trace]:
        traces = self._source(first, count)
        return [traces.trace(row) for row in range(count)]

    def _advance(self) -> None:
        """Moves to the next chunk; rows whose trace has ended start the next trace."""
        indices, offsets, next_index = self._cursors[self._number]
        steps_done = offsets + self._chunk_length
        ended = np.array([trace.length - 1 for trace in self._traces]) <= steps_done
        rows = np.flatnonzero(ended)
        if rows.size:
            indices = indices.copy()
            indices[rows] = next_index + np.arange(rows.size)
            for row, trace in zip(rows, self._draw(next_index, rows.size), strict=True):
                self._traces[row] = trace
        self._number += 1
        offsets = np.where(ended, 0, steps_done).astype(np.int32)
        self._cursors[self._number] = _Cursor(indices, offsets, next_index + rows.size)
        if self._number > MAX_CURSORS:
            self._cursors.pop(self._number - MAX_CURSORS, None)

    def _cut(self, offsets: np.ndarray) -> TraceBatch:
        num_steps = self._chunk_length + 1

        def hints(name: str) -> np.ndarray:
            example = self._traces[0].hints[name]
            result = np.zeros((num_steps, len(offsets), *example.shape[1:]), example.dtype)
            for row, (trace, offset) in enumerate(zip(self._traces, offsets, strict=True)):
                part = trace.hints[name][offset : offset + num_steps]
                result[: len(part), row] = part
            return result

        return TraceBatch(
            inputs=_stacked([trace.inputs for trace in self._traces]),
            hints={name: hints(name) for name in self._traces[0].hints},
            outputs=_stacked([trace.outputs for trace in self._traces]),
            lengths=np.array([trace.length for trace in self._traces], np.int32),
            offsets=offsets,
        )


def _stacked(rows: list[Probes]) -> Probes:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def slice_chunk(batch: TraceBatch, first_step: int, chunk_length: int) -> TraceBatch:
    """Cuts steps `first_step` ... `first_step + chunk_length` out of whole traces, zero-padded at the end.

    Traces that end before `first_step` contribute nothing to the loss.
    """
    stop = first_step + chunk_length + 1

    def cut(value: np.ndarray) -> np.ndarray:
        part = value[first_step:stop]
        return np.pad(part, [(0, chunk_length + 1 - len(part)), *[(0, 0)] * (value.ndim - 1)])

    return TraceBatch(
        inputs=batch.inputs,
        hints={name: cut(value) for name, value in batch.hints.items()},
        outputs=batch.outputs,
        lengths=batch.lengths,
        num_nodes=batch.num_nodes,
        offsets=np.full(batch.batch_size, first_step, np.int32),
        neighbors=batch.neighbors,
    )
