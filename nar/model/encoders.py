"""Encoders: from probe values to features of nodes, edges and the graph.

A probe is first converted to channels: numbers per node, per pair of nodes or per graph. Each group of
channels has its own linear layer with bias, and features are the sum over all probes. Since they are linear
in few channels they are kept in factored form (`nar.processors.base.FactoredFeatures`). Pointers and edge
masks also connect nodes.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from nar.kinds import KindTable
from nar.model.hints import Values
from nar.plugins import Registry
from nar.processors import Features
from nar.processors.base import FactoredFeatures, Neighbors, full_adjacency
from nar.processors.layers.neighbors import from_rows, own_slots, reverse_edges
from nar.specs import Kind, Location, Probe, Stage

Array = jax.Array


@dataclasses.dataclass(frozen=True)
class Channels:
    """Channels of one probe.

    Attributes:
      location: location of the features to which they contribute.
      groups: arrays [B, ..., C], each with its own linear layer.
    """

    location: Location
    groups: tuple[Array, ...]


ChannelFn = Callable[[Array, Array | None], Channels]
"""(dense value [B, ...], mask [B, N] or None) -> channels."""


def _numbers(location: Location) -> ChannelFn:
    return lambda value, mask: Channels(location, (value[..., None],))


def _classes(location: Location) -> ChannelFn:
    return lambda value, mask: Channels(location, (value,))


def _edge_pointer(value: Array, mask: Array | None) -> Channels:
    """Channels of edge pointers [B, N, N, N]: two numbers per pair (j, k).

    The share of real nodes i whose pair (i, j) points at k, and of those whose pair (j, i) points at k.
    """
    weights = _node_weights(value, mask)
    over_first = jnp.einsum("bijk,bi->bjk", value, weights)
    over_second = jnp.einsum("bijk,bj->bik", value, weights)
    return Channels(Location.EDGE, (over_first[..., None], over_second[..., None]))


def _node_weights(value: Array, mask: Array | None) -> Array:
    """[B, N]: 1 / number of real nodes at real nodes, 0 at padding nodes."""
    if mask is None:
        return jnp.full(value.shape[:2], 1.0 / value.shape[1], value.dtype)
    real = mask.astype(value.dtype)
    return real / real.sum(axis=-1, keepdims=True)


_LOCATED = (Kind.SCALAR, Kind.MASK, Kind.MASK_ONE)
_POINTERS = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION, Kind.PERMUTATION_POINTER)

ENCODER_CHANNELS = KindTable[ChannelFn](
    "encode",
    {
        **{(location, kind): _numbers(location) for location in Location for kind in _LOCATED},
        **{(location, Kind.CATEGORICAL): _classes(location) for location in Location},
        **{(location, Kind.VECTOR): _classes(location) for location in Location},
        **{(Location.NODE, kind): _numbers(Location.EDGE) for kind in _POINTERS},
        (Location.EDGE, Kind.POINTER): _edge_pointer,
        (Location.GRAPH, Kind.POINTER): _numbers(Location.NODE),
    },
)
"""By location and kind: a node pointer has a channel per pair of nodes, a graph pointer one per node."""


def _default(probe: Probe, num_channels: int, hidden_size: int) -> float:
    """1 / sqrt(number of channels)."""
    del probe, hidden_size
    return num_channels**-0.5


def _xavier_on_scalars(probe: Probe, num_channels: int, hidden_size: int) -> float:
    """1 / sqrt(H) for scalar hints, which are fed back and would otherwise blow up over many steps."""
    fed_back = probe.stage is Stage.HINT and probe.kind.is_number
    return hidden_size**-0.5 if fed_back else _default(probe, num_channels, hidden_size)


ENCODER_INITS: Registry[Callable[[Probe, int, int], float]] = Registry(
    "encoder_init", {"default": _default, "xavier_on_scalars": _xavier_on_scalars}, path="module:FUNCTION"
)
"""Initializations of encoder weights by their dm-clrs names: (probe, number of channels, H) -> standard
deviation of a truncated normal distribution (Ibarz et al. 2022, arXiv 2209.11142, section 3.2)."""


class Encoded(NamedTuple):
    """Encoded probes of one stage.

    Attributes:
      features: features by location; locations without a probe are absent.
      adjacency: symmetric adjacency [B, N, N] bool, with neighbor lists [B, K, N]; None if no probe connects
        nodes.
    """

    features: dict[Location, FactoredFeatures]
    adjacency: Array | None


class Encoders(hk.Module):
    """The encoders of all probes of one task; parameters are named by probe."""

    def __init__(self, hidden_size: int, init: str = "xavier_on_scalars", name: str = "encode") -> None:
        """Makes encoders to `hidden_size` features, initialized by one of `ENCODER_INITS`."""
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._deviation = ENCODER_INITS.find(init)

    def __call__(
        self, probes: Sequence[Probe], values: Values, mask: Array | None, neighbors: Neighbors | None = None
    ) -> Encoded:
        """Encodes probes.

        Args:
          probes: probes to encode.
          values: dense values by name, [B, ...].
          mask: [B, N] bool, the real nodes, or None.
          neighbors: neighbor lists, if the values of pairs are those of slots.
        """
        parts: dict[Location, list[FactoredFeatures]] = {}
        for probe in probes:
            channels = _channels(probe, values[probe.name], mask)
            for index, group in enumerate(channels.groups):
                if channels.location is Location.EDGE:
                    group = from_rows(group, neighbors)
                deviation = self._deviation(probe, group.shape[-1], self._hidden_size)
                encoder = Encoder(self._hidden_size, deviation, name=f"{probe.name}_{index}")
                parts.setdefault(channels.location, []).append(encoder(group))
        features = {location: combine(located) for location, located in parts.items()}
        return Encoded(features, connected(probes, values, neighbors))


def _channels(probe: Probe, value: Array, mask: Array | None) -> Channels:
    """The channels of a probe.

    Raises:
      ValueError: if the `encode` of a custom kind does not return channels.
    """
    channels = ENCODER_CHANNELS[probe.location, probe.kind](value, mask)
    num_axes = {Location.GRAPH: 2, Location.NODE: 3, Location.EDGE: 4}
    got = type(channels).__name__
    if isinstance(channels, Channels):
        shapes = [np.shape(group) for group in channels.groups]
        if all(len(shape) == num_axes[channels.location] for shape in shapes):
            return channels
        got = f"groups of the {channels.location.value} of the shapes {shapes}"
    raise ValueError(
        f"kind {probe.kind.name!r}: encode must return nar.model.encoders.Channels with groups [B, C] of the "
        f"graph, [B, N, C] of nodes or [B, N, N, C] of edges, got {got} for {probe.name!r}"
    )


def raw_scalars(probes: Sequence[Probe], values: Values, neighbors: Neighbors | None) -> dict[str, Array]:
    """The numbers among dense values by name, in the layout of `nar.processors.Features.scalars`."""
    return {
        probe.name: from_rows(values[probe.name], neighbors)
        if probe.location is Location.EDGE
        else values[probe.name]
        for probe in probes
        if probe.kind.is_number
    }


class Encoder(hk.Module):
    """The linear layer of one group of channels."""

    def __init__(self, hidden_size: int, deviation: float, name: str) -> None:
        """Makes a linear layer to `hidden_size` features; `deviation` is that of its initial weights."""
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._deviation = deviation

    def __call__(self, channels: Array) -> FactoredFeatures:
        """Maps channels [B, ..., C] to features [B, ..., H]."""
        num_channels = channels.shape[-1]
        vectors = hk.get_parameter(
            "w", [num_channels, self._hidden_size], init=hk.initializers.TruncatedNormal(self._deviation)
        )
        bias = hk.get_parameter("b", [self._hidden_size], init=jnp.zeros)
        return FactoredFeatures(channels, vectors, bias)


# ---------------------------------------------------------------------------------------------------
# Features


def make_features(
    encoded: Sequence[Encoded],
    shape: tuple[int, int, int],
    dtype: Any,
    mask: Array | None,
    neighbors: Neighbors | None = None,
) -> Features:
    """Combines encoded probes of several stages to the features of one step.

    Args:
      encoded: encoded inputs and hints.
      shape: (B, N, H).
      dtype: dtype of the features.
      mask: [B, N] bool, the real nodes, or None.
      neighbors: neighbor lists, or None.
    """
    batch_size, num_nodes, hidden_size = shape
    if neighbors is None:
        own = jnp.broadcast_to(jnp.eye(num_nodes, dtype=bool), (batch_size, num_nodes, num_nodes))
    else:
        own = own_slots(neighbors).swapaxes(1, 2)

    def at(location: Location, *axes: int) -> FactoredFeatures:
        parts = [one.features[location] for one in encoded if location in one.features]
        return combine(parts) if parts else _zero_features((batch_size, *axes), hidden_size)

    edges = at(Location.EDGE, own.shape[1], num_nodes)
    links = [own, *(one.adjacency for one in encoded if one.adjacency is not None)]
    features = Features(
        nodes=at(Location.NODE, num_nodes).dense().astype(dtype),
        edges=dataclasses.replace(edges, values=edges.values.astype(dtype)),
        graph=at(Location.GRAPH).dense().astype(dtype),
        adjacency=functools.reduce(jnp.logical_or, links),
        mask=mask,
        neighbors=neighbors,
    )
    # Predictions for padding nodes must not connect them to real nodes, nor those at slots that are not used.
    possible = full_adjacency(features) if neighbors is None else jnp.swapaxes(neighbors.mask, 1, 2)
    return features._replace(adjacency=features.adjacency & possible)


def existing_pairs(
    pairs: str,
    inputs: Encoded,
    shape: tuple[int, int, int],
    mask: Array | None,
    neighbors: Neighbors | None,
) -> Array | None:
    """The pairs at which pointers of nodes may point, as in `nar.model.decoders.DecoderInputs.pairs`.

    Args:
      pairs: one of `nar.model.config.PAIRS`.
      inputs: encoded inputs, whose edges every step has, and perhaps more.
      shape: (B, N, H).
      mask: [B, N] bool, the real nodes, or None.
      neighbors: neighbor lists, or None.
    """
    if neighbors is not None:
        return jnp.asarray(neighbors.mask)
    if pairs == "edges":
        return make_features((inputs,), shape, jnp.float32, mask).adjacency
    return None if mask is None else mask[:, None]


def combine(parts: Sequence[FactoredFeatures]) -> FactoredFeatures:
    """Adds features of one location, in factored form."""
    return FactoredFeatures(
        values=jnp.concatenate([part.values for part in parts], axis=-1),
        vectors=jnp.concatenate([part.vectors for part in parts], axis=0),
        bias=functools.reduce(operator.add, (part.bias for part in parts)),
    )


def _zero_features(shape: tuple[int, ...], hidden_size: int) -> FactoredFeatures:
    """Zero features, for a location without probes."""
    zeros = functools.partial(jnp.zeros, dtype=jnp.float32)
    return FactoredFeatures(zeros((*shape, 1)), zeros((1, hidden_size)), zeros((hidden_size,)))


# ---------------------------------------------------------------------------------------------------
# Adjacency


def connected(probes: Sequence[Probe], values: Values, neighbors: Neighbors | None = None) -> Array | None:
    """Symmetric adjacency [B, N, N], with neighbor lists [B, K, N]; None if no probe connects nodes.

    Two nodes are neighbors if an edge mask marks their pair, or if one points at the other.
    """
    linking = [probe for probe in probes if (probe.location, probe.kind) in _LINK_THRESHOLDS]
    linked = []
    for probe in linking:
        value, threshold = values[probe.name], _LINK_THRESHOLDS[probe.location, probe.kind]
        if neighbors is None:
            linked.append(value + value.swapaxes(-1, -2) > threshold)
        else:
            linked.append((value + reverse_edges(value, neighbors) > threshold).swapaxes(-1, -2))
    if not linked:
        return None
    return jnp.stack(linked).any(axis=0)


_LINK_THRESHOLDS = KindTable[float](
    "links",
    {
        (Location.EDGE, Kind.MASK): 0.0,
        (Location.NODE, Kind.POINTER): 0.5,
        (Location.NODE, Kind.SHOULD_BE_PERMUTATION): 0.5,
        (Location.NODE, Kind.PERMUTATION_POINTER): 0.5,
    },
)
"""Thresholds for probes that connect nodes: neighbors have a larger sum over both directions."""
