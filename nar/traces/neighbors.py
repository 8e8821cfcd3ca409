"""Neighbor lists: traces whose pairs of nodes are the edges of a graph, without an array of N² entries.

A batch in this layout has `TraceBatch.neighbors`. Every axis of pair targets then has K slots instead of N
nodes: slot k of node i is its k-th neighbor. Values of edges are [B, N, K], and pointers of nodes are slots
in 0 ... K - 1. Kinds, losses and scores read slots as they read nodes.

The neighbors of a node are the node itself and those with which it shares an edge, in either direction. So
the list is symmetric: every slot has a reverse, and a value of the edges can be read from its other end by a
gather.

Shapes: B batch, N nodes, K slots: the largest number of neighbors, rounded up to a bucket.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nar.machine import memory_size
from nar.problems.large_graphs import EdgeList
from nar.specs import MASKED, Kind, Location, Probe, Spec

if TYPE_CHECKING:
    from nar.traces.trace import Probes, TraceBatch

SLOT_BUCKET = 8
"""Numbers of slots are multiples of this."""

Array = Any
"""A numpy array, or a jax array inside a compiled function."""


class Neighbors(NamedTuple):
    """Neighbor lists of a batch of graphs.

    Attributes:
      index: [B, N, K] int32, the neighbors of each node in ascending order, itself among them; slots that are
        not used hold the node itself.
      mask: [B, N, K] bool, the slots that are used.
      reverse: [B, N, K] int32, the slot of i in the list of its neighbor `index[i, k]`; k where a slot is not
        used.
    """

    index: Array
    mask: Array
    reverse: Array


def make_neighbors(adjacency: np.ndarray) -> Neighbors:
    """Neighbor lists of dense graphs.

    Args:
      adjacency: [B, N, N] bool; an edge in either direction makes neighbors.
    """
    num_nodes = adjacency.shape[1]
    linked = adjacency | adjacency.swapaxes(1, 2) | np.eye(num_nodes, dtype=bool)
    width = _bucket_width(int(linked.sum(axis=2).max()))
    if width > num_nodes:
        linked = np.pad(linked, [(0, 0), (0, 0), (0, width - num_nodes)])
    order = np.argsort(~linked, axis=2, kind="stable")[..., :width].astype(np.int32)
    mask = np.take_along_axis(linked, order, axis=2)
    index = np.where(mask, order, np.arange(num_nodes, dtype=np.int32)[:, None])
    position = np.cumsum(linked, axis=2, dtype=np.int32) - 1  # of node j in the list of node i
    own = np.arange(num_nodes)[None, :, None]
    reverse = position[np.arange(len(index))[:, None, None], index, own]
    return Neighbors(index, mask, np.where(mask, reverse, np.arange(width, dtype=np.int32)))


def _bucket_width(width: int) -> int:
    """Number of slots for nodes of at most `width` neighbors, so that few shapes are compiled."""
    return -(-width // SLOT_BUCKET) * SLOT_BUCKET


def edge_list_neighbors(graphs: Sequence[EdgeList]) -> tuple[Neighbors, np.ndarray]:
    """Neighbor lists of graphs with equally many nodes, and the weights at their slots.

    Returns:
      The lists, with self-loops, and the weights [B, N, K], 0 where no edge leads from the node to that of
      the slot.

    Raises:
      ValueError: if this machine has less memory than the lists need, as if one node has very many neighbors.
    """
    num_nodes = graphs[0].num_nodes
    sorted_ends = [_directed_ends(graph) for graph in graphs]
    counts = [np.bincount(senders, minlength=num_nodes) for senders, _, _ in sorted_ends]
    width = _bucket_width(max(int(count.max()) for count in counts))
    own = np.arange(num_nodes, dtype=np.int32)[:, None]
    shape = (len(graphs), num_nodes, width)
    check_slots_memory(shape, _SLOT_BYTES)
    index, mask = np.empty(shape, np.int32), np.zeros(shape, bool)
    reverse, weights = np.empty(shape, np.int32), np.zeros(shape)
    for row, (senders, receivers, values) in enumerate(sorted_ends):
        slots = np.arange(len(senders)) - np.repeat(np.cumsum(counts[row]) - counts[row], counts[row])
        index[row], reverse[row] = own, np.arange(width)
        index[row, senders, slots], mask[row, senders, slots] = receivers, True
        weights[row, senders, slots] = values
        # The edges by receiver and sender are the reverses of those by sender and receiver.
        reverse[row, senders, slots] = slots[np.lexsort((senders, receivers))]
    return Neighbors(index, mask, reverse), weights


_SLOT_BYTES = 4 + 1 + 4 + 8
"""Bytes of index, mask, reverse and weight of a slot."""


def check_slots_memory(shape: tuple[int, ...], slot_bytes: int) -> None:
    """Raises ValueError if this machine has less memory than slots [B, N, K] of that many bytes need."""
    needed = math.prod(shape) * slot_bytes
    if needed > memory_size():
        raise ValueError(
            f"neighbor lists of {shape[1]} nodes with up to {shape[2]} neighbors each need at least "
            f"{needed / 2**30:,.0f} GiB, and this machine has {memory_size() / 2**30:,.0f}"
        )


def _directed_ends(graph: EdgeList) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Senders, receivers and weights of all edges in both directions and of self-loops, in order.

    The reverse of a directed edge has weight 0, unless it is an edge, too.
    """
    own = np.arange(graph.num_nodes)
    first, second = graph.pairs.T
    senders, receivers = np.concatenate([first, second, own]), np.concatenate([second, first, own])
    is_edge = (first != second) & (not graph.directed)
    weights = np.concatenate([graph.weights, graph.weights * is_edge, np.zeros(graph.num_nodes)])
    pairs, place = np.unique(senders * graph.num_nodes + receivers, return_inverse=True)
    return *np.divmod(pairs, graph.num_nodes), np.bincount(place, weights)


def with_neighbors(batch: "TraceBatch", spec: Spec) -> "TraceBatch":
    """A batch in the layout of neighbor lists, from one of dense arrays.

    Args:
      batch: whole traces, perhaps with padding nodes.
      spec: the spec of the batch. Its edges are those that its input masks of edges mark.

    Raises:
      ValueError: if the batch cannot be represented: no input marks edges, a node points to a node that is no
        neighbor, or a probe is a permutation or points from edges.
    """
    check_neighbor_lists(spec)
    marked = np.any([batch.inputs[name] > 0 for name in _edge_masks(spec)], axis=0)
    neighbors = make_neighbors(marked)

    def convert(values: "Probes", exists: np.ndarray) -> "Probes":
        return {
            name: _to_slots(spec[name], np.asarray(value), neighbors, exists)
            for name, value in values.items()
        }

    rows = np.ones(batch.batch_size, bool)
    return dataclasses.replace(
        batch,
        inputs=convert(batch.inputs, rows),
        hints=convert(batch.hints, np.arange(batch.num_steps)[:, None] < batch.lengths),
        outputs=convert(batch.outputs, rows),
        neighbors=neighbors,
    )


def check_neighbor_lists(spec: Spec) -> None:
    """Raises ValueError if traces of a spec have no representation by neighbor lists."""
    for probe in spec.values():
        _check_probe(probe)
    if not _edge_masks(spec):
        raise ValueError("neighbor lists need an input that marks the edges of the graph, such as adj")


def _edge_masks(spec: Spec) -> list[str]:
    """Names of the inputs that mark edges."""
    return [p.name for p in spec.inputs if p.location is Location.EDGE and p.kind.root is Kind.MASK]


def _check_probe(probe: Probe) -> None:
    is_node_pointer = probe.location is Location.NODE and probe.kind.has_targets
    if probe.location is Location.EDGE and (probe.kind.has_targets or probe.kind.is_pointer):
        raise ValueError(f"{probe.name} points from pairs of nodes, which neighbor lists do not represent")
    if is_node_pointer and not probe.kind.is_pointer:
        raise ValueError(f"{probe.name} is a permutation, which neighbor lists do not represent")


def _to_slots(probe: Probe, value: np.ndarray, neighbors: Neighbors, exists: np.ndarray) -> np.ndarray:
    """Converts values of any leading axes, those of `exists`; the others are after the end of a trace."""
    if probe.location is Location.EDGE:
        return edge_values(probe, value, neighbors)
    if points_at_slots(probe):
        own = np.arange(value.shape[-1], dtype=value.dtype)
        return pointer_slots(probe, np.where(exists[..., None], value, own), neighbors)
    return value


def edge_values(probe: Probe, value: np.ndarray, neighbors: Neighbors) -> np.ndarray:
    """The values [..., B, N, K, (C)] at the slots, from those of all pairs [..., B, N, N, (C)].

    Slots that are not used hold 0, or `MASKED` where masks and classes are predicted.

    Raises:
      ValueError: if a pair of nodes that are no neighbors has a value other than 0 and, unless the values are
        numbers, `MASKED`.
    """
    rows = np.arange(neighbors.index.shape[0])[:, None, None]
    nodes = np.arange(neighbors.index.shape[1])[None, :, None]
    leading = value.ndim - 3 - probe.kind.has_classes
    taken = value[(slice(None),) * leading + (rows, nodes, neighbors.index)]
    mask = neighbors.mask[..., None] if probe.kind.has_classes else neighbors.mask
    empty = (0,) if probe.kind.is_number else (0, MASKED)
    if (~np.isin(value, empty)).sum() > (~np.isin(taken, empty) & mask).sum():
        raise ValueError(
            f"{probe.name} has values at pairs of nodes that are not neighbors; neighbor lists represent "
            "those of edges only"
        )
    is_masked = not probe.stage.is_given and not probe.kind.is_number
    return np.where(mask, taken, MASKED if is_masked else 0).astype(value.dtype)


def pointer_slots(probe: Probe, value: np.ndarray, neighbors: Neighbors) -> np.ndarray:
    """The slots [..., B, N] of pointers, from nodes [..., B, N].

    Raises:
      ValueError: if a node points to a node that is not its neighbor.
    """
    index, mask = neighbors.index, neighbors.mask
    slots = np.empty_like(value)
    for where in np.ndindex(value.shape[:-2]):
        matches = (index == value[where][..., None]) & mask
        if not matches.any(axis=-1).all():
            row, node = np.argwhere(~matches.any(axis=-1))[0]
            raise ValueError(
                f"{probe.name}: node {node} of graph {row} points to {value[where][row, node]}, which is "
                "not its neighbor; neighbor lists represent pointers along edges only"
            )
        slots[where] = matches.argmax(axis=-1)
    return slots


def pointer_nodes(value: np.ndarray, neighbors: Neighbors) -> np.ndarray:
    """The nodes [..., B, N] that pointers point to, from slots [..., B, N]."""
    index = np.broadcast_to(neighbors.index, (*value.shape[:-2], *neighbors.index.shape))
    return np.take_along_axis(index, value[..., None], axis=-1)[..., 0].astype(value.dtype)


def points_at_slots(probe: Probe) -> bool:
    """True for probes whose values are slots in this layout: pointers of nodes."""
    return probe.location is Location.NODE and probe.kind.is_pointer


def with_pointer_nodes(values: "Probes", spec: Spec, neighbors: Neighbors) -> "Probes":
    """Values [..., B, N] in which pointers are nodes instead of slots; those of edges stay at their slots."""
    return {
        name: pointer_nodes(value, neighbors) if points_at_slots(spec[name]) else value
        for name, value in values.items()
    }


def map_neighbors(function: Callable[[Array], Array], neighbors: Neighbors | None) -> Neighbors | None:
    """Applies a function to each array, unless there are no neighbor lists."""
    return None if neighbors is None else Neighbors(*map(function, neighbors))
