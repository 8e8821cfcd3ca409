"""Trace containers: one recorded run, and a batch of them.

Shapes: B batch, T steps, N nodes, C classes. Values are those of CLRS-30: pointers are indices, `MASK_ONE`
and categoricals are one-hot vectors, and -1 marks values that are not predicted. `nar.specs.Kind` has the
dtype of each kind. `nar.data` registers both classes as pytrees; this module does not import jax.
"""

import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from nar.plugins import unknown_name
from nar.rich_display import arrays_table
from nar.specs import Kind, Spec, Stage
from nar.traces.neighbors import Neighbors

Array = Any
"""A numpy array; a jax array once the batch is on devices or inside a compiled function."""

Probes = dict[str, Array]


@dataclasses.dataclass(frozen=True)
class Trace:
    """The recorded run of an algorithm on one problem.

    Attributes:
      inputs: by probe name, in the shape of the probe: [N], [N, N] or [], followed by [C] for categoricals.
      hints: by probe name, [T, ...]; streams and answers, which have a value at every step, too.
      outputs: by probe name, [...].
      nodes: label of each node of a graph; None if the labels are 0 ... N - 1.
    """

    inputs: Probes
    hints: Probes
    outputs: Probes
    nodes: tuple[Hashable, ...] | None = None

    def by_node(self, name: str) -> dict[Any, Any]:
        """An output by the labels of the nodes, as in `trace.by_node("pi")["b"]`; see `values_by_node`."""
        return values_by_node(self.outputs, name, self.nodes)

    @property
    def length(self) -> int:
        """T, the number of steps."""
        return len(next(iter(self.hints.values())))

    def to_dict(self) -> dict[str, Probes]:
        """The arrays as dictionaries: `inputs`, `hints` and `outputs`, by probe name."""
        return {"inputs": dict(self.inputs), "hints": dict(self.hints), "outputs": dict(self.outputs)}

    def _repr_html_(self) -> str:
        steps = f" of {self.length} steps" if self.hints else ""
        return arrays_table(f"Trace{steps}", self.to_dict())


@dataclasses.dataclass(frozen=True)
class TraceBatch:
    """Traces of one algorithm on problems of one size (or padded to one size), or time chunks of such traces.

    The hints of a chunk cover some steps of each trace; its other fields are those of the whole traces.

    Attributes:
      inputs: by probe name, [B, ...].
      hints: by probe name, time-major: [T, B, ...], zero after the end of each trace. Streams and answers,
        which have a value at every step, are among them.
      outputs: by probe name, [B, ...].
      lengths: [B] int32, the number of steps of each trace.
      num_nodes: [B] int32, the number of real nodes of each trace; None without padded nodes.
      offsets: [B] int32, for a chunk: the step of each trace at which it starts; None for whole traces.
      neighbors: neighbor lists, if the batch has the layout of `nar.traces.neighbors`; None if its pairs are
        all pairs of nodes.
    """

    inputs: Probes
    hints: Probes
    outputs: Probes
    lengths: Array
    num_nodes: Array | None = None
    offsets: Array | None = None
    neighbors: Neighbors | None = None

    @property
    def batch_size(self) -> int:
        """B."""
        return self.lengths.shape[0]

    @property
    def num_steps(self) -> int:
        """T: at least the longest length; for a chunk, one more than the number of network steps."""
        return max(value.shape[0] for value in self.hints.values())

    def to_dict(self) -> dict[str, Any]:
        """The arrays as dictionaries by probe name, and those of the fields that are not None."""
        probes = {"inputs": dict(self.inputs), "hints": dict(self.hints), "outputs": dict(self.outputs)}
        fields = {"lengths": self.lengths, "num_nodes": self.num_nodes, "offsets": self.offsets}
        if self.neighbors is not None:
            fields |= {f"neighbors.{name}": value for name, value in self.neighbors._asdict().items()}
        return {**probes, **{name: value for name, value in fields.items() if value is not None}}

    def _repr_html_(self) -> str:
        arrays = self.to_dict()
        probes = {stage: arrays.pop(stage) for stage in ("inputs", "hints", "outputs")}
        return arrays_table(f"Batch of {self.batch_size} traces", {**probes, "": arrays})

    def trace(self, index: int) -> Trace:
        """Trace `index` of a batch of whole traces, without padding steps."""
        length = int(self.lengths[index])
        return Trace(
            inputs={name: value[index] for name, value in self.inputs.items()},
            hints={name: value[:length, index] for name, value in self.hints.items()},
            outputs={name: value[index] for name, value in self.outputs.items()},
        )


def first_hints(spec: Spec, batch: TraceBatch) -> Probes:
    """The hints of the first step of each trace, and all values of streams and answers, by name.

    Args:
      spec: spec of the batch.
      batch: whole traces.
    """
    return {
        name: value[:1].copy() if spec[name].stage is Stage.HINT else value
        for name, value in batch.hints.items()
    }


def concatenate(batches: Sequence[TraceBatch]) -> TraceBatch:
    """One batch of all traces of batches of whole traces, with equally many steps, nodes and slots."""

    def join(name: str, axis: int) -> Any:
        parts = [getattr(batch, name) for batch in batches]
        if parts[0] is None:
            return None
        if isinstance(parts[0], dict):
            return {key: np.concatenate([part[key] for part in parts], axis=axis) for key in parts[0]}
        return np.concatenate(parts, axis=axis)

    neighbors = [batch.neighbors for batch in batches if batch.neighbors is not None]
    return TraceBatch(
        inputs=join("inputs", 0),
        hints=join("hints", 1),
        outputs=join("outputs", 0),
        lengths=join("lengths", 0),
        num_nodes=join("num_nodes", 0),
        neighbors=Neighbors(*map(np.concatenate, zip(*neighbors, strict=True))) if neighbors else None,
    )


def values_by_node(outputs: Probes, name: str, nodes: Sequence[Hashable] | None) -> dict[Any, Any]:
    """The values of an output by the labels of the nodes.

    Args:
      outputs: outputs of one problem, by probe name.
      name: name of an output at the nodes, [N], or at pairs of nodes, [N, N].
      nodes: label of each node; None if they are 0 ... N - 1.

    Returns:
      Node, or pair of nodes -> value; the values of pointers are nodes, too.

    Raises:
      ValueError: if there is no such output, or it has no value for each node.
    """
    if name not in outputs:
        raise ValueError(unknown_name("output", name, outputs))
    array = np.asarray(outputs[name])
    if array.ndim not in (1, 2) or len(set(array.shape)) > 1:
        raise ValueError(f"output {name!r} has no value for each node, its shape is {array.shape}")
    labels = list(range(len(array))) if nodes is None else list(nodes)
    is_pointer = array.dtype == Kind.POINTER.dtype
    values = [labels[value] if is_pointer else value for value in array.ravel().tolist()]
    keys = labels if array.ndim == 1 else [(u, v) for u in labels for v in labels]
    return dict(zip(keys, values, strict=True))
