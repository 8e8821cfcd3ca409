"""Windows: short rollouts that start from the true hints of a random step of a trace.

A training example is a window of c consecutive network steps instead of a whole trace of T - 1. A training
step then costs min(T - 1, c) network steps, however long the trace. The hints of the first step are true;
within the window the network is fed its own predictions, or true hints by teacher forcing.

Hidden states and recurrent memories are zero at the start of a window. This is exact for networks without
history (`nar.processors.wrappers.no_history`); other networks start each window as they start a trace,
without the states that the earlier steps would have left.
"""

import dataclasses

import numpy as np

from nar.data.padding import bucket_length
from nar.traces import TraceBatch


@dataclasses.dataclass(frozen=True)
class Windows:
    """Distribution of windows over the steps of a trace.

    A window is at the end of its trace with probability `end_fraction`, and otherwise uniform over the trace.
    Only windows at the end train the outputs. Traces of at most `length` network steps are not cut.

    Attributes:
      length: c, network steps per window.
      end_fraction: probability that a window is drawn at the end of its trace.
    """

    length: int
    end_fraction: float = 0.5

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
          ValueError: if a value is out of range.
        """
        if isinstance(self.length, bool) or not isinstance(self.length, int) or self.length < 1:
            raise ValueError(f"window_length must be an integer of at least 1, got {self.length!r}")
        if not 0 <= self.end_fraction <= 1:
            raise ValueError(f"window_end_fraction must be from 0 to 1, got {self.end_fraction!r}")

    def starts(self, lengths: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        """First steps of the windows of traces, [B] int32.

        Args:
          lengths: [B], number of hint steps of each trace.
          uniforms: [B, 2], random numbers from 0 to 1.
        """
        last = np.maximum(lengths - 1 - self.length, 0)
        anywhere = np.minimum(uniforms[:, 1] * (last + 1), last).astype(np.int32)
        return np.where(uniforms[:, 0] < self.end_fraction, last, anywhere).astype(np.int32)

    def cut(self, batch: TraceBatch, starts: np.ndarray) -> TraceBatch:
        """Cuts a window out of each of B whole traces.

        Args:
          batch: whole traces, as numpy arrays.
          starts: [B], first step of each window.

        Returns:
          Windows with `length` + 1 steps of hints, or fewer if all traces are shorter, zero after the end of
          each trace. `offsets` has the first steps, `lengths` the lengths of the whole traces.
        """
        num_steps = min(self.length + 1, bucket_length(batch.num_steps))
        steps = starts + np.arange(num_steps)[:, None]
        is_real, rows = steps < batch.lengths, np.arange(batch.batch_size)
        steps = np.minimum(steps, batch.num_steps - 1)

        def cut(value: np.ndarray) -> np.ndarray:
            mask = is_real.reshape(is_real.shape + (1,) * (value.ndim - 2))
            return np.where(mask, value[steps, rows], np.zeros((), value.dtype))

        hints = {name: cut(value) for name, value in batch.hints.items()}
        return dataclasses.replace(batch, hints=hints, offsets=np.asarray(starts, np.int32))
