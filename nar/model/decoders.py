"""Decoders: from features and hidden states to logits of hints and outputs, one for each location and kind.

Logits are always float32.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from nar.kinds import KindTable
from nar.model.sinkhorn import DECODER_SINKHORN_ITERATIONS, log_sinkhorn
from nar.processors import Features, ProcessorOutput
from nar.processors.base import FactoredFeatures, Neighbors
from nar.processors.layers.aggregation import max_with_ties
from nar.processors.layers.linear import Linear
from nar.processors.layers.neighbors import at_senders, to_rows
from nar.specs import Kind, Location, Probe, Stage

Array = jax.Array

NO_LOGIT = -1e9
"""Logit of a padding node as pointer target or mask_one entry."""


class DecoderInputs(NamedTuple):
    """Inputs of all decoders.

    Attributes:
      nodes: [B, N, 3H]: node features, previous and new hidden states.
      edges: [B, N, N, F] each: edge features and, if the processor has them, edge states.
      graph: [B, F] each: graph features and, if the processor has them, graph states.
      mask: [B, N] bool, the real nodes, or None.
      pointer_mask: [B, N, N] bool, the pairs at which pointers may point and that edge masks may mark, or
        None for all.
      pairs: [B, N, N] or [B, 1, N] bool, the pairs (i, j) that exist: node i points at no other j; None if
        all do. With neighbor lists [B, N, K].
      neighbors: neighbor lists, or None. With them edges are [B, K, N, F], and logits of pairs [B, N, K].
    """

    nodes: Array
    edges: tuple[Array | FactoredFeatures, ...]
    graph: tuple[Array, ...]
    mask: Array | None
    pointer_mask: Array | None = None
    pairs: Array | None = None
    neighbors: Neighbors | None = None


def make_decoder_inputs(
    features: Features, hidden: Array, output: ProcessorOutput, pairs: Array | None = None
) -> DecoderInputs:
    """Decoder inputs of one step.

    Args:
      features: features of the step.
      hidden: hidden states before the step, [B, N, H].
      output: result of the processor.
      pairs: the pairs that exist; see `DecoderInputs`.
    """
    return DecoderInputs(
        nodes=jnp.concatenate([features.nodes, hidden, output.nodes], axis=-1),
        edges=(features.edges,) if output.edges is None else (features.edges, output.edges),
        graph=(features.graph,) if output.graph is None else (features.graph, output.graph),
        mask=features.mask,
        pointer_mask=output.pointer_mask,
        pairs=pairs,
        neighbors=features.neighbors,
    )


def without_constants(decoder_inputs: DecoderInputs) -> DecoderInputs:
    """Decoder inputs as plain arrays [B, ...], for the carry of a scan.

    Leaves out what is the same at every step: masks, neighbor lists, and the vectors of the factored edge
    features.
    """
    edges, *states = decoder_inputs.edges
    assert isinstance(edges, FactoredFeatures)
    return decoder_inputs._replace(edges=(edges.values, *states), mask=None, pairs=None, neighbors=None)


def with_constants(carried: DecoderInputs, features: Features, pairs: Array | None = None) -> DecoderInputs:
    """Inverse of `without_constants`, given the features of any step, and the pairs that exist."""
    values, *states = carried.edges
    assert isinstance(features.edges, FactoredFeatures) and isinstance(values, Array)
    edges = dataclasses.replace(features.edges, values=values)
    return carried._replace(
        edges=(edges, *states), mask=features.mask, pairs=pairs, neighbors=features.neighbors
    )


Decoder = Callable[[DecoderInputs, int, int, bool], Array]
"""(decoder inputs, hidden size, number of classes, is_training) -> logits [B, ...]."""


class Decoders(hk.Module):
    """The decoders of all probes of one task; parameters are named by probe.

    The pair features of a pointer are a linear map, `pair`, of what its decoder maps to the logit of node i
    pointing at node j. They are a representation of that pair, for objectives that compare pairs.
    """

    def __init__(self, hidden_size: int, is_training: bool, pair_size: int = 0, name: str = "decode") -> None:
        """Makes decoders with `hidden_size` hidden features, and `pair_size` pair features of pointers."""
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._is_training = is_training
        self._pair_size = pair_size if is_training or hk.running_init() else 0

    def __call__(
        self, probes: Sequence[Probe], decoder_inputs: DecoderInputs
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Logits and, in training, pair features of probes by name.

        Logits are [B, ...], shaped as dense values (pointers have N logits). Pair features are those of hints
        that are pointers of nodes, [B, N, N, P].
        """
        logits, pairs = {}, {}
        for probe in probes:
            logits[probe.name], pair = self._decode(probe, decoder_inputs)
            if pair is not None:
                pairs[probe.name] = pair
        return logits, pairs

    @hk.transparent
    def _decode(self, probe: Probe, decoder_inputs: DecoderInputs) -> tuple[Array, Array | None]:
        with hk.name_scope(probe.name):
            if self._pair_size and has_pairs(probe):
                return _pointer_and_pairs(decoder_inputs, self._hidden_size, self._pair_size)
            decoder = DECODERS[probe.location, probe.kind]
            return decoder(decoder_inputs, self._hidden_size, probe.num_classes or 1, self._is_training), None


def has_pairs(probe: Probe) -> bool:
    """True for hints that have pair features: pointers of nodes with the decoder of the built-in kind."""
    return probe.stage is Stage.HINT and DECODERS[probe.location, probe.kind] is _node_pointer


# ---------------------------------------------------------------------------------------------------
# Nodes


def _node_classes(
    decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool
) -> Array:
    del hidden_size, is_training
    return Linear(num_classes, name="node").in_float32(decoder_inputs.nodes)


def _node_number(
    decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool
) -> Array:
    return _node_classes(decoder_inputs, hidden_size, num_classes, is_training)[..., 0]


def _node_one(decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool) -> Array:
    logits = _node_number(decoder_inputs, hidden_size, num_classes, is_training)
    return _mask_padding(logits, decoder_inputs.mask)


def _node_pointer(
    decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool
) -> Array:
    """Logit of node i pointing at j: v · max(A h_i, B h_j + C edges_ji)."""
    del num_classes, is_training
    return _pointer_and_pairs(decoder_inputs, hidden_size, 0)[0]


def _pointer_and_pairs(
    decoder_inputs: DecoderInputs, hidden_size: int, pair_size: int
) -> tuple[Array, Array | None]:
    """Logits [B, N, N] of `_node_pointer` and, unless the size is 0, a linear map of the same maximum."""
    source = Linear(hidden_size, name="source")(decoder_inputs.nodes)
    target = Linear(hidden_size, name="target")(decoder_inputs.nodes)
    edge = Linear(hidden_size, name="edge")(*decoder_inputs.edges)
    maximum = jnp.maximum(source[:, None], at_senders(target, decoder_inputs.neighbors) + edge)
    logits = _mask_pointers(Linear(1, name="out").in_float32(maximum)[..., 0].swapaxes(1, 2), decoder_inputs)
    logits = _mask_padding(logits, decoder_inputs.pairs)
    if not pair_size:
        return logits, None
    return logits, Linear(pair_size, name="pair").in_float32(maximum).swapaxes(1, 2)


def _node_permutation(
    decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool
) -> Array:
    logits = _node_pointer(decoder_inputs, hidden_size, num_classes, is_training)
    return log_sinkhorn(
        logits,
        DECODER_SINKHORN_ITERATIONS,
        mask=decoder_inputs.mask,
        noise_key=hk.next_rng_key() if is_training else None,
    )


# ---------------------------------------------------------------------------------------------------
# Edges


def _edge_classes(
    decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool
) -> Array:
    del hidden_size, is_training
    first = Linear(num_classes, name="first").in_float32(decoder_inputs.nodes)
    second = Linear(num_classes, name="second").in_float32(decoder_inputs.nodes)
    edge = Linear(num_classes, name="edge").in_float32(*decoder_inputs.edges)
    neighbors = decoder_inputs.neighbors
    return to_rows(at_senders(first, neighbors) + second[:, None] + edge, neighbors)


def _edge_number(
    decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool
) -> Array:
    return _edge_classes(decoder_inputs, hidden_size, num_classes, is_training)[..., 0]


def _edge_mask(decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool) -> Array:
    return _mask_pointers(_edge_number(decoder_inputs, hidden_size, num_classes, is_training), decoder_inputs)


def _edge_one(decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool) -> Array:
    """Logits of a choice of one edge per node."""
    logits = _edge_mask(decoder_inputs, hidden_size, num_classes, is_training)
    return _mask_padding(logits, decoder_inputs.pairs)


def _edge_pointer(
    decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool
) -> Array:
    """Logit of pair (i, j) pointing at k: v · max(A h_i + B h_j + C edges_ij, D h_k)."""
    del num_classes, is_training
    first = Linear(hidden_size, name="first")(decoder_inputs.nodes)
    second = Linear(hidden_size, name="second")(decoder_inputs.nodes)
    edge = Linear(hidden_size, name="edge")(*decoder_inputs.edges)
    pair = first[:, :, None] + second[:, None] + edge
    target = Linear(hidden_size, name="target")(decoder_inputs.nodes)
    out = Linear(1, name="out")
    w, b = out.parameters([target])
    logits = max_dot(pair, target, w[:, 0]) + b[0]
    return _mask_padding(logits, None if decoder_inputs.mask is None else decoder_inputs.mask[:, None, None])


@jax.custom_vjp
def max_dot(pair: Array, target: Array, w: Array) -> Array:
    """w · max(pair_ij, target_k): [B, N, N, N] from [B, N, N, H], [B, N, H] and [H], in the dtype of w.

    A scan over k avoids an array [B, N, N, N, H]. With the cotangent g_ijk of the result, and s_ijk = 1 for
    features in which pair_ij > target_k, 1/2 where they are equal and 0 elsewhere, the gradients are

        pair_ij:  w sum_k g_ijk s_ijk
        target_k: w sum_ij g_ijk (1 - s_ijk)
        w:        sum_ijk g_ijk (s_ijk pair_ij + (1 - s_ijk) target_k)
    """

    def dot(carry: None, target_k: Array) -> tuple[None, Array]:
        maximum = jnp.maximum(pair, target_k[:, None, None])
        return carry, (maximum * jnp.broadcast_to(w, maximum.shape)).sum(axis=-1)

    return jnp.moveaxis(jax.lax.scan(dot, None, target.swapaxes(0, 1))[1], 0, 3)


def _max_dot_forward(pair: Array, target: Array, w: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    return max_dot(pair, target, w), (pair, target, w)


def _max_dot_backward(residuals: tuple[Array, Array, Array], g: Array) -> tuple[Array, Array, Array]:
    pair, target, w = residuals

    def add(total: Array, x: tuple[Array, Array]) -> tuple[Array, Array]:
        target_k, g_k = x[0][:, None, None], x[1][..., None]
        pair_share = jnp.where(pair > target_k, 1.0, jnp.where(pair == target_k, 0.5, 0.0)) * g_k
        return total + pair_share, pair_share.sum(axis=(1, 2))

    zeros = jnp.zeros(pair.shape, w.dtype)
    pair_sum, pair_sum_by_k = jax.lax.scan(add, zeros, (target.swapaxes(0, 1), jnp.moveaxis(g, 3, 0)))
    target_sum = g.sum(axis=(1, 2))[..., None] - pair_sum_by_k.swapaxes(0, 1)
    w_gradient = (pair * pair_sum).sum(axis=(0, 1, 2)) + (target * target_sum).sum(axis=(0, 1))
    pair_gradient = pair_sum * jnp.broadcast_to(w, pair_sum.shape)
    target_gradient = target_sum * jnp.broadcast_to(w, target_sum.shape)
    return pair_gradient.astype(pair.dtype), target_gradient.astype(target.dtype), w_gradient


max_dot.defvjp(_max_dot_forward, _max_dot_backward)


# ---------------------------------------------------------------------------------------------------
# Graph


def _graph_classes(
    decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool
) -> Array:
    del hidden_size, is_training
    nodes = decoder_inputs.nodes
    if decoder_inputs.mask is not None:
        nodes = jnp.where(decoder_inputs.mask[..., None], nodes, -jnp.inf)
    from_nodes = Linear(num_classes, name="nodes").in_float32(max_with_ties(nodes))
    return from_nodes + Linear(num_classes, name="graph").in_float32(*decoder_inputs.graph)


def _graph_number(
    decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool
) -> Array:
    return _graph_classes(decoder_inputs, hidden_size, num_classes, is_training)[..., 0]


def _graph_pointer(
    decoder_inputs: DecoderInputs, hidden_size: int, num_classes: int, is_training: bool
) -> Array:
    graph = _graph_classes(decoder_inputs, hidden_size, 1, is_training)
    target = Linear(1, name="target").in_float32(decoder_inputs.nodes)[..., 0]
    return _mask_padding(graph + target, decoder_inputs.mask)


def _mask_pointers(logits: Array, decoder_inputs: DecoderInputs) -> Array:
    """Replaces logits [B, N, N] outside of `pointer_mask` by min(-1, sample minimum - 1), as dm-clrs does."""
    if decoder_inputs.pointer_mask is None:
        return logits
    real = logits
    if decoder_inputs.neighbors is not None:
        real = jnp.where(decoder_inputs.neighbors.mask, logits, jnp.inf)
    elif decoder_inputs.mask is not None:
        real = jnp.where(decoder_inputs.mask[:, :, None] & decoder_inputs.mask[:, None], logits, jnp.inf)
    minimum = -max_with_ties(-real.reshape(logits.shape[0], -1))
    masked = jnp.minimum(-1.0, minimum - 1.0)[:, None, None]
    return jnp.where(decoder_inputs.pointer_mask, logits, jnp.broadcast_to(masked, logits.shape))


def _mask_padding(logits: Array, mask: Array | None) -> Array:
    return logits if mask is None else jnp.where(mask, logits, NO_LOGIT)


DECODERS = KindTable[Decoder](
    "decode",
    {
        (Location.NODE, Kind.SCALAR): _node_number,
        (Location.NODE, Kind.MASK): _node_number,
        (Location.NODE, Kind.MASK_ONE): _node_one,
        (Location.NODE, Kind.CATEGORICAL): _node_classes,
        (Location.NODE, Kind.VECTOR): _node_classes,
        (Location.NODE, Kind.POINTER): _node_pointer,
        (Location.NODE, Kind.SHOULD_BE_PERMUTATION): _node_pointer,
        (Location.NODE, Kind.PERMUTATION_POINTER): _node_permutation,
        (Location.EDGE, Kind.SCALAR): _edge_number,
        (Location.EDGE, Kind.MASK): _edge_mask,
        (Location.EDGE, Kind.MASK_ONE): _edge_one,
        (Location.EDGE, Kind.CATEGORICAL): _edge_classes,
        (Location.EDGE, Kind.VECTOR): _edge_classes,
        (Location.EDGE, Kind.POINTER): _edge_pointer,
        (Location.GRAPH, Kind.SCALAR): _graph_number,
        (Location.GRAPH, Kind.MASK): _graph_number,
        (Location.GRAPH, Kind.MASK_ONE): _graph_number,
        (Location.GRAPH, Kind.CATEGORICAL): _graph_classes,
        (Location.GRAPH, Kind.VECTOR): _graph_classes,
        (Location.GRAPH, Kind.POINTER): _graph_pointer,
    },
)
"""Decoders by location and kind of a probe."""
