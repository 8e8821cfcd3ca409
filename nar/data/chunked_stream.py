"""Time chunks: traces of one task and size, one after another in each row of a batch, cut to equal lengths.

With chunks the memory that a step of training needs does not grow with the length of traces (Ibarz et al.
2022, arXiv 2209.11142, section 3.2). A trace begins with a chunk: where one has ended in the middle of a
chunk, the rest of that row is padding, and the next trace follows in the next chunk.
"""

from typing import NamedTuple, Protocol

import numpy as np

from nar.traces import Probes, Trace, TraceBatch

REMEMBERED = 64
"""How many chunks back a lane can go without drawing its traces from the first one on again."""


class Source(Protocol):
    """Where traces come from."""

    def __call__(self, first: int, count: int) -> TraceBatch:
        """Traces `first` ... `first + count - 1` of an endless series, after transforms."""
        ...


class _Cursor(NamedTuple):
    """Where the rows stand when a chunk begins.

    Attributes:
      indices: [B], which trace is in each row.
      offsets: [B] int32, how many steps of it lie behind.
      unused: index of the first trace that was in no row yet.
    """

    indices: np.ndarray
    offsets: np.ndarray
    unused: int


class ChunkedStream:
    """The chunks of one endless series of traces.

    Which traces are in a chunk depends on the lengths of all before them: a chunk far ahead, or far behind,
    is found by drawing those.
    """

    def __init__(self, source: Source, batch_size: int, chunk_length: int) -> None:
        """Draws nothing yet.

        Args:
          source: of traces.
          batch_size: how many rows there are.
          chunk_length: how many steps of a network a chunk is.
        """
        self._source = source
        self._chunk_length = chunk_length
        first = _Cursor(np.arange(batch_size), np.zeros(batch_size, np.int32), batch_size)
        self._cursors = {0: first}
        self._traces: list[Trace] = []
        self._number = -1

    def chunk(self, number: int) -> TraceBatch:
        """Chunk `number` of all rows: `chunk_length` + 1 steps of hints, the last being the next one's first.

        Its `offsets` say which step of each trace is the first here, its `lengths` how long the whole traces
        are. Not to be asked by two threads at once.
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
        """Goes to the next chunk; in rows whose trace has ended the next trace begins."""
        indices, offsets, unused = self._cursors[self._number]
        behind = offsets + self._chunk_length
        ended = np.array([trace.length - 1 for trace in self._traces]) <= behind
        rows = np.flatnonzero(ended)
        if rows.size:
            indices = indices.copy()
            indices[rows] = unused + np.arange(rows.size)
            for row, trace in zip(rows, self._draw(unused, rows.size), strict=True):
                self._traces[row] = trace
        self._number += 1
        offsets = np.where(ended, 0, behind).astype(np.int32)
        self._cursors[self._number] = _Cursor(indices, offsets, unused + rows.size)
        if self._number > REMEMBERED:
            self._cursors.pop(self._number - REMEMBERED, None)

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
    """Steps `first_step` ... `first_step + chunk_length` of whole traces, padded with zeros at their end.

    Of traces that have ended before nothing counts.
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
    )
