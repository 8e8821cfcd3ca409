"""Permutations of the nodes of traces."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from nar.data.padding import count_node_axes
from nar.specs import Probe, Spec
from nar.traces import Probes, TraceBatch


def permute_nodes(spec: Spec, traces: TraceBatch, permutations: np.ndarray) -> TraceBatch:
    """Permutes the nodes of traces: node i of a result is node `permutations[b, i]` of trace b.

    All values move with their nodes, `pos` included, and pointers point to the same nodes as before. An
    algorithm that breaks ties by the order of nodes may have another trace on the permuted problem.

    Args:
      spec: spec of the traces, such as `Task.spec`.
      traces: whole traces or chunks, as NumPy arrays.
      permutations: [B, N], a permutation of the nodes for each trace.

    Raises:
      ValueError: if they are not permutations, or exchange real nodes with padding nodes.
    """
    _check_permutations(traces, permutations)
    inverse = np.argsort(permutations, axis=1)

    def permuted(values: Probes, batch_axis: int) -> Probes:
        return {
            name: _permute(spec[name], value, permutations, inverse, batch_axis)
            for name, value in values.items()
        }

    hints = permuted(traces.hints, 1)
    # After the end of a trace there are no values: pointers to node 0 stay.
    ends = traces.lengths - (0 if traces.offsets is None else traces.offsets)
    after_end = np.arange(traces.num_steps)[:, None] >= ends
    for name, value in hints.items():
        value[after_end] = traces.hints[name][after_end]
    return dataclasses.replace(
        traces, inputs=permuted(traces.inputs, 0), hints=hints, outputs=permuted(traces.outputs, 0)
    )


def random_permutations(traces: TraceBatch, random_generators: Sequence[np.random.Generator]) -> np.ndarray:
    """Uniformly random permutations [B, N] of the nodes of traces; padding nodes stay.

    Args:
      traces: B traces.
      random_generators: B generators, one for each trace.
    """
    size = traces.inputs["pos"].shape[1]
    result = np.tile(np.arange(size), (traces.batch_size, 1))
    for row, (generator, permutation) in enumerate(zip(random_generators, result, strict=True)):
        num_nodes = size if traces.num_nodes is None else traces.num_nodes[row]
        generator.shuffle(permutation[:num_nodes])
    return result


def _check_permutations(traces: TraceBatch, permutations: np.ndarray) -> None:
    nodes = np.arange(traces.inputs["pos"].shape[1])
    shape = traces.inputs["pos"].shape
    if permutations.shape != shape or (np.sort(permutations, axis=1) != nodes).any():
        raise ValueError(
            f"permutations must be permutations of {shape[1]} nodes for each of {shape[0]} traces"
        )
    if traces.num_nodes is not None:
        limits = traces.num_nodes[:, None]
        if ((permutations < limits) != (nodes < limits)).any():
            raise ValueError("permutations must not exchange real nodes with padding nodes")


def _permute(
    probe: Probe, value: np.ndarray, permutations: np.ndarray, inverse: np.ndarray, batch_axis: int
) -> np.ndarray:
    """Permutes the node axes of a value [..., B, ...], and renames the nodes that it points to."""
    if probe.kind.is_pointer:
        other_axes = [axis for axis in range(value.ndim) if axis != batch_axis]
        rows = np.expand_dims(np.arange(len(inverse)), other_axes)
        value = inverse[rows, value].astype(value.dtype)
    for axis in range(batch_axis + 1, batch_axis + 1 + count_node_axes(probe)):
        other_axes = [other for other in range(value.ndim) if other not in (batch_axis, axis)]
        value = np.take_along_axis(value, np.expand_dims(permutations, other_axes), axis)
    return np.array(value)
