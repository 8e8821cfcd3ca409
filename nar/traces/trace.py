"""What a run leaves behind.

Legend of shapes: B batch, T steps, N nodes, C classes. Values are those of CLRS-30: pointers are indices,
`MASK_ONE` and categoricals one-hot vectors, -1 marks what is not to be predicted. Types per kind are in
`nar.specs.DTYPES`. `nar.batches` registers both classes as pytrees; here nothing imports jax.
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
    """Runs of one algorithm on problems of one size, or padded to one size.

    Attributes:
      inputs: by name, [B, ...].
      hints: by name, time-major: [T, B, ...], zero behind the end of each trace.
      outputs: by name, [B, ...].
      lengths: [B] int32, the number of steps of each trace.
      num_nodes: [B] int32, the number of real nodes of each trace, if nodes are padded; None if none are.
    """

    inputs: Probes
    hints: Probes
    outputs: Probes
    lengths: Array
    num_nodes: Array | None = None

    @property
    def batch_size(self) -> int:
        """B."""
        return self.lengths.shape[0]

    @property
    def num_steps(self) -> int:
        """T, the longest length or more."""
        return next(iter(self.hints.values())).shape[0]

    def trace(self, index: int) -> Trace:
        """Trace `index` of the batch, without the padding of steps."""
        length = int(self.lengths[index])
        return Trace(
            inputs={name: value[index] for name, value in self.inputs.items()},
            hints={name: value[:length, index] for name, value in self.hints.items()},
            outputs={name: value[index] for name, value in self.outputs.items()},
        )
