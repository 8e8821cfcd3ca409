"""Padding of trace batches in steps, nodes and rows, so that few shapes are compiled; slicing and joining."""

import dataclasses

import numpy as np

from nar.specs import Location, Probe, Spec
from nar.traces import Probes, TraceBatch
from nar.traces.neighbors import map_neighbors

SHORTEST_BUCKET = 16


def bucket_length(num_steps: int) -> int:
    """Length to which traces of `num_steps` steps are padded: the next of 16, 32, 64, ...

    Buckets can be this coarse since the network skips the steps after the longest trace of a batch.
    """
    return max(SHORTEST_BUCKET, 1 << max(num_steps - 1, 0).bit_length())


def pad_steps(batch: TraceBatch, num_steps: int) -> TraceBatch:
    """Zero-pads hints to `num_steps` steps.

    Raises:
      ValueError: if the batch is longer.
    """
    missing = num_steps - batch.num_steps
    if missing < 0:
        raise ValueError(f"cannot pad {batch.num_steps} steps to {num_steps}")
    if missing == 0:
        return batch
    hints = {name: _pad(value, (missing,)) for name, value in batch.hints.items()}
    return dataclasses.replace(batch, hints=hints)


def pad_nodes(batch: TraceBatch, spec: Spec, num_nodes: int) -> TraceBatch:
    """Pads with isolated nodes: they have no edges, their pointers point to themselves, the rest is zero.

    Args:
      batch: traces without padded nodes.
      spec: spec of the batch.
      num_nodes: the new N.

    Returns:
      The padded batch; its `num_nodes` has the number of real nodes.

    Raises:
      ValueError: if the traces have more nodes, or neighbor lists, which are made of padded traces.
    """
    if batch.neighbors is not None:
        raise ValueError("nodes are padded before neighbor lists are made")
    real = batch.inputs["pos"].shape[1]
    if num_nodes < real:
        raise ValueError(f"cannot pad {real} nodes to {num_nodes}")

    def padded(values: Probes, leading: int) -> Probes:
        return {
            name: _pad_probe_nodes(spec[name], value, leading, num_nodes) for name, value in values.items()
        }

    return dataclasses.replace(
        batch,
        inputs=padded(batch.inputs, 1),
        hints=padded(batch.hints, 2),
        outputs=padded(batch.outputs, 1),
        num_nodes=np.full(batch.batch_size, real, np.int32),
    )


def pad_batch(batch: TraceBatch, batch_size: int) -> TraceBatch:
    """Pads to `batch_size` traces by repeating the last; the caller discards results for the copies.

    Raises:
      ValueError: if the batch is larger.
    """
    if batch_size < batch.batch_size:
        raise ValueError(f"cannot pad {batch.batch_size} traces to {batch_size}")
    if batch_size == batch.batch_size:
        return batch

    def repeat(value: np.ndarray, axis: int) -> np.ndarray:
        width = [(0, 0)] * value.ndim
        width[axis] = (0, batch_size - value.shape[axis])
        return np.pad(value, width, mode="edge")

    return TraceBatch(
        inputs={name: repeat(value, 0) for name, value in batch.inputs.items()},
        hints={name: repeat(value, 1) for name, value in batch.hints.items()},
        outputs={name: repeat(value, 0) for name, value in batch.outputs.items()},
        lengths=repeat(batch.lengths, 0),
        num_nodes=None if batch.num_nodes is None else repeat(batch.num_nodes, 0),
        offsets=None if batch.offsets is None else repeat(batch.offsets, 0),
        neighbors=map_neighbors(lambda value: repeat(value, 0), batch.neighbors),
    )


def take(batch: TraceBatch, rows: slice) -> TraceBatch:
    """Selects rows of a batch; whole traces are cut to the longest selected length, chunks are not."""
    lengths = batch.lengths[rows]
    longest = int(lengths.max()) if batch.offsets is None else batch.num_steps
    return TraceBatch(
        inputs={name: value[rows] for name, value in batch.inputs.items()},
        hints={name: value[:longest, rows] for name, value in batch.hints.items()},
        outputs={name: value[rows] for name, value in batch.outputs.items()},
        lengths=lengths,
        num_nodes=None if batch.num_nodes is None else batch.num_nodes[rows],
        offsets=None if batch.offsets is None else batch.offsets[rows],
        neighbors=map_neighbors(lambda value: value[rows], batch.neighbors),
    )


def reorder(batch: TraceBatch, order: np.ndarray | slice) -> TraceBatch:
    """Permutes the rows of a batch of whole traces."""
    return TraceBatch(
        inputs={name: value[order] for name, value in batch.inputs.items()},
        hints={name: value[:, order] for name, value in batch.hints.items()},
        outputs={name: value[order] for name, value in batch.outputs.items()},
        lengths=batch.lengths[order],
        num_nodes=None if batch.num_nodes is None else batch.num_nodes[order],
        neighbors=map_neighbors(lambda value: value[order], batch.neighbors),
    )


def _pad(value: np.ndarray, missing: tuple[int, ...]) -> np.ndarray:
    width = [(0, count) for count in missing] + [(0, 0)] * (value.ndim - len(missing))
    return np.pad(value, width)


_NODE_AXES = {Location.NODE: 1, Location.EDGE: 2, Location.GRAPH: 0}


def count_node_axes(probe: Probe) -> int:
    """Number of axes of a probe's values that have one entry per node."""
    return _NODE_AXES[probe.location] + probe.kind.has_targets


def _pad_probe_nodes(probe: Probe, value: np.ndarray, leading: int, num_nodes: int) -> np.ndarray:
    axes = count_node_axes(probe)
    real = value.shape[leading] if axes else num_nodes
    width = [(0, 0)] * leading + [(0, num_nodes - real)] * axes
    padded = np.pad(value, width + [(0, 0)] * (value.ndim - len(width)))
    added = np.arange(real, num_nodes)
    if probe.kind.is_pointer and probe.location is Location.NODE:
        padded[..., added] = added.astype(padded.dtype)
    elif probe.kind.has_targets and probe.kind.is_one_hot and probe.location is Location.NODE:
        padded[..., added, added] = 1
    return padded
