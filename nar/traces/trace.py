"""What a run leaves behind.

Legend of shapes: B batch, T steps, N nodes, C classes. Values are those of CLRS-30: pointers are indices,
`MASK_ONE` and categoricals one-hot vectors, -1 marks what is not to be predicted. Types per kind are in
`nar.specs.DTYPES`. `nar.data` registers both classes as pytrees; here nothing imports jax.
"""

import dataclasses
from typing import Any

Array = Any
"""A numpy array here; once a batch is put on devices, or inside a compiled function, a jax one."""

Probes = dict[str, Array]


@dataclasses.dataclass(frozen=True)
class Trace:
    """One run of one algorithm.

    Attributes:
      inputs: by name, shaped as the probe: [N], [N, N] or [], with [C] behind for categoricals.
      hints: by name, [T, ...].
      outputs: by name, [...].
    """

    inputs: Probes
    hints: Probes
    outputs: Probes

    @property
    def length(self) -> int:
        """T, the number of steps shown."""
        return len(next(iter(self.hints.values())))


@dataclasses.dataclass(frozen=True)
class TraceBatch:
    """Runs of one algorithm on problems of one size, or padded to one size; or time chunks of runs.

    Of a chunk the hints are some steps of each trace, while all else is that of the whole traces.

    Attributes:
      inputs: by name, [B, ...].
      hints: by name, time-major: [T, B, ...], zero behind the end of each trace.
      outputs: by name, [B, ...].
      lengths: [B] int32, the number of steps of each trace.
      num_nodes: [B] int32, the number of real nodes of each trace, if nodes are padded; None if none are.
      offsets: [B] int32, if this is a chunk: which step of each trace its first one is; None if traces are
        whole.
    """

    inputs: Probes
    hints: Probes
    outputs: Probes
    lengths: Array
    num_nodes: Array | None = None
    offsets: Array | None = None

    @property
    def batch_size(self) -> int:
        """B."""
        return self.lengths.shape[0]

    @property
    def num_steps(self) -> int:
        """T, the longest length or more; of a chunk one more than the steps that a network takes."""
        return next(iter(self.hints.values())).shape[0]

    def trace(self, index: int) -> Trace:
        """Trace `index` of a batch of whole traces, without the padding of steps."""
        length = int(self.lengths[index])
        return Trace(
            inputs={name: value[index] for name, value in self.inputs.items()},
            hints={name: value[:length, index] for name, value in self.hints.items()},
            outputs={name: value[index] for name, value in self.outputs.items()},
        )
