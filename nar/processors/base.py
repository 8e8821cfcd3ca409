"""Interface of processors: their inputs, their output and the `Processor` protocol.

A processor is a Haiku module: `processor(features, hidden, memory, context) -> ProcessorOutput`. It can be
used on its own, inside any `hk.transform`. It computes in the dtype of its features and hidden states,
float32 or bfloat16, and returns arrays of that dtype. In a model, its parameters are always float32, also
those of Haiku's modules, and it gets edge features as an array, unless its class declares
`accepts_factored = True`, as those of nar do.

Shapes: B batch, N nodes, F features, H hidden size, K channels. Edge (i, j) goes from sender i to receiver j;
a processor aggregates over axis 1, the senders.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from nar.traces.neighbors import Neighbors

Array = jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class FactoredFeatures:
    """Features in low-rank form, as linear combinations of a few vectors: `values @ vectors + bias`.

    Encoders map each scalar of a probe to a multiple of one learned vector. A linear map W of such features
    costs K·H multiply-adds per pair of nodes instead of H², because W is applied to the K vectors first. The
    vectors are parameters and may have a higher precision than the values, whose dtype is that of the
    features.

    Attributes:
      values: [..., K].
      vectors: [K, F].
      bias: [F].
    """

    values: Array
    vectors: Array
    bias: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the dense features, [..., F]."""
        return (*self.values.shape[:-1], self.vectors.shape[-1])

    @property
    def dtype(self) -> Any:
        """Dtype of the dense features."""
        return self.values.dtype

    def dense(self) -> Array:
        """Dense features, [..., F]."""
        vectors, bias = (x.astype(self.dtype) for x in (self.vectors, self.bias))
        return add_bias(self.values @ vectors, bias)


class Features(NamedTuple):
    """Encoded inputs and hints of one step.

    Attributes:
      nodes: node features, [B, N, F].
      edges: edge features, [B, N, N, F]: an array, or, for processors with `accepts_factored`, perhaps
        factored; `dense(edges)` converts both to an array.
      graph: graph features, [B, F].
      adjacency: [B, N, N] bool, with self-loops; a padding node has no other neighbor than itself.
      mask: padding mask, [B, N] bool, True at real nodes; None if no node is padding.
      neighbors: neighbor lists; None if edges and adjacency have an entry for each pair of nodes. With
        neighbor lists of K slots these are [B, K, N, F] and [B, K, N]: entry (k, j) belongs to the edge to
        node j from its k-th neighbor (`nar.processors.layers.neighbors`). Only processors with
        `accepts_neighbors` get them.
      scalars: for processors with `accepts_scalars`, the numbers of inputs and hints by probe name, which are
        not encoded then: [B], [B, N] or, in the layout of edges, [B, N, N]; None for all others.
    """

    nodes: Array
    edges: Array | FactoredFeatures
    graph: Array
    adjacency: Array
    mask: Array | None = None
    neighbors: Neighbors | None = None
    scalars: Mapping[str, Array] | None = None


class Context(NamedTuple):
    """State of the rollout and of training at one step.

    Randomness comes from `hk.next_rng_key()` and is available in training only.

    Attributes:
      step: index of the step in the trace, a traced integer; [B] in chunked rollouts, where it differs
        between rows.
      task: name of the algorithm.
      is_training: whether this is a training rollout.
      training_step: number of completed optimizer steps, for schedules.
    """

    step: Array | int = 0
    task: str = ""
    is_training: bool = False
    training_step: Array | int = 0


class ProcessorOutput(NamedTuple):
    """Result of one processor step.

    Attributes:
      nodes: new hidden states, [B, N, H].
      messages: aggregated messages of each node, [B, N, H], for wrappers such as gates; or None.
      edges: edge states for the decoders, [B, N, N, H]; or None.
      graph: graph states for the decoders, [B, H]; or None.
      memory: recurrent state of the processor, any pytree of arrays [B, ...]; the rollout carries it to the
        next step, and chunked training to the next chunk.
      losses: auxiliary losses by name, [B] each, over real nodes only; the mean over the steps of each
        sample's trace is added to the total loss.
      pointer_mask: [B, N, N] bool, for the decoders: the pairs (i, j) where node i may point to j and an edge
        mask may be set; None allows all pairs. With neighbor lists, [B, N, K].
      hidden: hidden states that the next step gets, [B, N, H]; None if they are `nodes`, which decoders read.
      scalars: predictions of hints that are numbers by name, in the layout of `Features.scalars`, for which
        there are no decoders then.
    """

    nodes: Array
    messages: Array | None = None
    edges: Array | None = None
    graph: Array | None = None
    memory: Any = ()
    losses: Mapping[str, Array] = {}
    pointer_mask: Array | None = None
    hidden: Array | None = None
    scalars: Mapping[str, Array] = {}


class Processor(Protocol):
    """Protocol that all processors implement.

    Three attributes are optional. With `accepts_factored = True` edge features may be `FactoredFeatures`,
    which `nar.processors.layers.linear.Linear` maps at less cost than arrays; without it they are arrays.
    With `accepts_neighbors = True` the processor may run on neighbor lists (`Features.neighbors`); without it
    a run with them is refused. With `accepts_scalars = True` numbers are not encoded, but given as they are
    (`Features.scalars`).
    """

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step of message passing.

        Args:
          features: encoded inputs and hints of the step.
          hidden: hidden states of the previous step, [B, N, H].
          memory: memory returned by the previous step; `initial_memory` at the first step.
          context: state of the rollout.
        """
        ...

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Memory before the first step: float32 arrays [B, ...], or () if the processor has none.

        To carry it through a scan with bfloat16 states, cast it once before the first step.
        """
        ...


def add_bias(x: Array, bias: Array) -> Array:
    """x [..., F] plus a bias [F], broadcast explicitly because implicit rank promotion is an error here."""
    return x + jnp.broadcast_to(bias, x.shape)


def cast_floating(dtype: Any, tree: Any) -> Any:
    """Casts the floating-point arrays of a pytree to `dtype`."""

    def convert(leaf: jax.Array) -> jax.Array:
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(convert, tree)


def dense(features: Array | FactoredFeatures) -> Array:
    """Converts features to one array if they are factored."""
    return features.dense() if isinstance(features, FactoredFeatures) else features


def accepted_features(processor: Processor, features: Features) -> Features:
    """Features in the form that a processor accepts, for the call of a wrapped processor.

    Edge features stay factored only if the processor has the attribute `accepts_factored = True`.

    Raises:
      ValueError: if the features have neighbor lists, and the processor needs all pairs of nodes; or if it
        needs scalars, and they have none.
    """
    if features.scalars is None and getattr(processor, "accepts_scalars", False):
        raise ValueError(
            f"{type(processor).__name__} needs numbers as they are (Features.scalars), and wrappers encode "
            "them: it cannot be combined with dropout, lstm, message_passing_steps or other wrappers"
        )
    if features.neighbors is not None and not getattr(processor, "accepts_neighbors", False):
        raise ValueError(
            f"{type(processor).__name__} computes on all pairs of nodes and cannot run on neighbor lists; "
            "use dense execution, or a processor that runs along the edges: pgn_mask, gpgn_mask, gat, "
            "gatv2 or deepsets"
        )
    if getattr(processor, "accepts_factored", False):
        return features
    return features._replace(edges=dense(features.edges))


def full_adjacency(features: Features) -> Array:
    """Complete graph over the real nodes, [B, N, N] bool; padding nodes have only self-loops."""
    if features.mask is None:
        return jnp.ones_like(features.adjacency, dtype=bool)
    real = features.mask[:, :, None] & features.mask[:, None, :]
    return real | jnp.eye(features.mask.shape[1], dtype=bool)[None]
