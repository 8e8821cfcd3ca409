"""Numbers of nodes and of pointer targets of a batch, and its padding mask."""

import jax
import jax.numpy as jnp

from nar.specs import Location, Probe, Spec
from nar.traces import TraceBatch

Array = jax.Array


def count_nodes(spec: Spec, batch: TraceBatch) -> int:
    """The number of nodes N of a batch, including padding nodes."""
    located = next(probe for probe in spec.inputs if probe.location is not Location.GRAPH)
    return batch.inputs[located.name].shape[1]


def padding_mask(batch: TraceBatch, num_nodes: int) -> Array | None:
    """Mask [B, N] of the real nodes; None if no node is padding."""
    return None if batch.num_nodes is None else jnp.arange(num_nodes)[None] < batch.num_nodes[:, None]


def count_targets(probe: Probe, batch: TraceBatch, num_nodes: int) -> int:
    """Number of targets of a pointer: the nodes, or the slots of neighbor lists for pointers of nodes."""
    if batch.neighbors is None or probe.location is not Location.NODE:
        return num_nodes
    return batch.neighbors.index.shape[2]
