"""What a processor is given and what it returns.

A processor is a Haiku module: `processor(features, hidden, memory, context) -> ProcessorOutput`. It can be
used alone, inside any `hk.transform`, on arrays of your own. It computes in the type of the features and
states that it is given, float32 or bfloat16, and returns arrays of that type; its parameters are float32 in
either case.

Legend of shapes: B batch, N nodes, F features, H hidden, K channels. Edge (i, j) goes from sender i to
receiver j; a processor aggregates over axis 1.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

Array = jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class FactoredFeatures:
    """Features that are sums of a few known vectors: `values @ vectors + bias`.

    What encoders make of a probe is a number times a vector. A linear map W of such features costs K·H
    multiply-adds a pair of nodes instead of H², since W is applied to the K vectors first. Vectors are
    parameters: they may be of higher precision than the values, whose type is that of the features.

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
        """Shape of the features themselves, [..., F]."""
        return (*self.values.shape[:-1], self.vectors.shape[-1])

    @property
    def dtype(self) -> Any:
        """Type of the features themselves."""
        return self.values.dtype

    def dense(self) -> Array:
        """The features as one array, [..., F]."""
        vectors, bias = (x.astype(self.dtype) for x in (self.vectors, self.bias))
        return add_bias(self.values @ vectors, bias)


class Features(NamedTuple):
    """What the step's inputs and hints say.

    Attributes:
      nodes: [B, N, F].
      edges: [B, N, N, F], an array or in factored form; `dense(edges)` makes it an array.
      graph: [B, F].
      adjacency: [B, N, N] bool; every node is its own neighbour, a padding node that of no other.
      mask: [B, N] bool, the real nodes, or None if no node is padding.
    """

    nodes: Array
    edges: Array | FactoredFeatures
    graph: Array
    adjacency: Array
    mask: Array | None = None


class Context(NamedTuple):
    """Where the rollout stands. Random numbers come from `hk.next_rng_key()`, in training only.

    Attributes:
      step: index of the step in the trace, a traced integer; [B] in a chunk, where each row has its own.
      task: name of the algorithm.
      is_training: whether parameters are being learned.
      training_step: how many steps of training came before, for what changes over training.
    """

    step: Array | int = 0
    task: str = ""
    is_training: bool = False
    training_step: Array | int = 0


class ProcessorOutput(NamedTuple):
    """What a processor returns.

    Attributes:
      nodes: [B, N, H], the new hidden states.
      messages: [B, N, H], what each node received, for wrappers such as gates, or None.
      edges: [B, N, N, H] for the decoders, or None.
      graph: [B, H] for the decoders, or None.
      memory: the processor's own recurrent state, any pytree of arrays [B, ...]; the rollout carries it to
        the next step, and in training with chunks to the next chunk.
      losses: auxiliary losses by name, [B] each, of real nodes only; their mean over the steps of each
        sample's own trace is added to the total.
      pointer_mask: [B, N, N] bool, the pairs (i, j) of which node i may point at j and which edge masks may
        mark, for the decoders; or None if they are all pairs.
    """

    nodes: Array
    messages: Array | None = None
    edges: Array | None = None
    graph: Array | None = None
    memory: Any = ()
    losses: Mapping[str, Array] = {}
    pointer_mask: Array | None = None


class Processor(Protocol):
    """The type of all processors."""

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step of message passing.

        Args:
          features: of the step.
          hidden: [B, N, H], states of the previous step.
          memory: as returned by the previous step; at first as made by `initial_memory`.
          context: where the rollout stands.
        """
        ...

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """The memory before the first step, arrays [B, ...], float32; () if the processor has none.

        To carry it through a scan whose states are bfloat16, convert it once before the first step.
        """
        ...


def add_bias(x: Array, offset: Array) -> Array:
    """x [..., F] plus an offset [F], said outright since nothing here broadcasts between ranks by itself."""
    return x + jnp.broadcast_to(offset, x.shape)


def cast_floating(dtype: Any, tree: Any) -> Any:
    """A tree of arrays with those of floating point in another type."""

    def convert(leaf: jax.Array) -> jax.Array:
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(convert, tree)


def dense(features: Array | FactoredFeatures) -> Array:
    """Features as one array, whatever their form."""
    return features.dense() if isinstance(features, FactoredFeatures) else features


_AXES: Mapping[str, tuple[str, ...]] = {
    "nodes": ("B", "N", "F"),
    "edges": ("B", "N", "N", "F"),
    "graph": ("B", "F"),
    "adjacency": ("B", "N", "N"),
    "mask": ("B", "N"),
}
"""Axes of each of the features."""


def check_shapes(features: Features, hidden: Array) -> None:
    """Raises ValueError, with what was expected and what was given, unless all shapes fit together."""
    shapes = {name: value.shape for name, value in features._asdict().items() if value is not None}
    sizes = dict(zip(_AXES["nodes"][:2], shapes["nodes"], strict=False))
    for name, shape in {**shapes, "hidden": hidden.shape}.items():
        axes = _AXES.get(name, ("B", "N", "H"))
        expected = [sizes.get(axis, axis) for axis in axes]
        fits = len(shape) == len(axes) and all(
            size == wanted or isinstance(wanted, str) for size, wanted in zip(shape, expected, strict=True)
        )
        if not fits:
            wanted = ", ".join(map(str, axes if name == "nodes" else expected))
            raise ValueError(f"{name} must have shape ({wanted}), got {tuple(shape)}")


def full_adjacency(features: Features) -> Array:
    """The graph of all real nodes, [B, N, N] bool; padding nodes see only themselves."""
    if features.mask is None:
        return jnp.ones_like(features.adjacency, dtype=bool)
    real = features.mask[:, :, None] & features.mask[:, None, :]
    return real | jnp.eye(features.mask.shape[1], dtype=bool)[None]
