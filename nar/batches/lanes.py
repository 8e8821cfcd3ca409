"""Time chunks: traces of one task and size, one behind the other in each row of a batch, cut to equal lengths.

With chunks the memory that a step of training needs does not grow with the length of traces (Ibarz et al.
2022, arXiv 2209.11142, section 3.2). A trace begins with a chunk: where one has ended in the middle of a
chunk, the rest of that row is padding, and the next trace follows in the next chunk.
"""

from typing import NamedTuple, Protocol

import numpy as np

from nar.traces import Probes, Trace, TraceBatch


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


class Lane:
    """The chunks of one endless series of traces.

    Which traces are in a chunk depends on the lengths of all before them: the first request of a chunk far
    ahead draws those. From then on every chunk is found again by its number.
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
        self._cursors = [first]
        self._traces: list[Trace] = []
        self._traces_of = -1

    def chunk(self, number: int) -> TraceBatch:
        """Chunk `number` of all rows: `chunk_length` + 1 steps of hints, the last being the next one's first.

        Its `offsets` say which step of each trace is the first here, its `lengths` how long the whole traces
        are. Not to be asked by two threads at once.
        """
        self._seek(number)
        return self._cut(self._cursors[number])

    def _seek(self, number: int) -> None:
        known = min(number, len(self._cursors) - 1)
        if not self._traces_of <= known <= self._traces_of + 1 or not self._traces:
            self._traces = [self._source(int(index), 1).trace(0) for index in self._cursors[known].indices]
            self._traces_of = known
        while self._traces_of < number:
            self._advance()

    def _advance(self) -> None:
        indices, offsets, unused = self._cursors[self._traces_of]
        behind = offsets + self._chunk_length
        ended = np.array([trace.length - 1 for trace in self._traces]) <= behind
        rows = np.flatnonzero(ended)
        if rows.size:
            new = self._source(unused, rows.size)
            for column, row in enumerate(rows):
                self._traces[row] = new.trace(column)
        self._traces_of += 1
        if self._traces_of == len(self._cursors):
            indices = indices.copy()
            indices[rows] = unused + np.arange(rows.size)
            offsets = np.where(ended, 0, behind).astype(np.int32)
            self._cursors.append(_Cursor(indices, offsets, unused + rows.size))

    def _cut(self, cursor: _Cursor) -> TraceBatch:
        num_steps = self._chunk_length + 1
        parts = list(zip(self._traces, cursor.offsets, strict=True))

        def hints(name: str) -> np.ndarray:
            example = self._traces[0].hints[name]
            result = np.zeros((num_steps, len(parts), *example.shape[1:]), example.dtype)
            for row, (trace, offset) in enumerate(parts):
                part = trace.hints[name][offset : offset + num_steps]
                result[: len(part), row] = part
            return result

        return TraceBatch(
            inputs=_stacked([trace.inputs for trace in self._traces]),
            hints={name: hints(name) for name in self._traces[0].hints},
            outputs=_stacked([trace.outputs for trace in self._traces]),
            lengths=np.array([trace.length for trace in self._traces], np.int32),
            offsets=cursor.offsets,
        )


def _stacked(rows: list[Probes]) -> Probes:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def chunk_of(batch: TraceBatch, first_step: int, chunk_length: int) -> TraceBatch:
    """Steps `first_step` ... `first_step + chunk_length` of whole traces, padded with zeros at their end.

    Traces that have ended before are as if they were still to be continued: what is predicted for them
    behind their end counts nowhere.
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
