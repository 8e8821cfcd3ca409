"""From probe values to features of nodes, edges and the graph.

A probe is shown to the network as channels: numbers at the nodes, the pairs of nodes or the graph. Each group
of channels has a linear map of its own, with an offset; features are the sum over all probes. Since they are
sums of numbers times vectors they stay in factored form (`nar.processors.FactoredFeatures`).
"""

import dataclasses
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import haiku as hk
import jax
import jax.numpy as jnp

from nar.model.hints import Values
from nar.processors import FactoredFeatures
from nar.specs import Kind, Location, Probe, Stage

Array = jax.Array


@dataclasses.dataclass(frozen=True)
class Channels:
    """Where a probe is shown, and as which numbers.

    Attributes:
      location: of the features that it adds to.
      groups: arrays [B, ..., C], each with a linear map of its own.
    """

    location: Location
    groups: tuple[Array, ...]


ChannelFn = Callable[[Array, Array | None], Channels]
"""(dense value [B, ...], mask [B, N] or None) -> how the network is shown it."""


def _numbers(location: Location) -> ChannelFn:
    return lambda value, mask: Channels(location, (value[..., None],))


def _classes(location: Location) -> ChannelFn:
    return lambda value, mask: Channels(location, (value,))


def _edge_pointer(value: Array, mask: Array | None) -> Channels:
    """[B, N, N, N]: for each pair, how often its sender, and how often its receiver, points at a node."""
    weights = _node_weights(value, mask)
    over_first = jnp.einsum("bijk,bi->bjk", value, weights)
    over_second = jnp.einsum("bijk,bj->bik", value, weights)
    return Channels(Location.EDGE, (over_first[..., None], over_second[..., None]))


def _node_weights(value: Array, mask: Array | None) -> Array:
    """[B, N]: 1 / number of real nodes at real nodes, 0 at padding."""
    if mask is None:
        return jnp.full(value.shape[:2], 1.0 / value.shape[1], value.dtype)
    real = mask.astype(value.dtype)
    return real / real.sum(axis=-1, keepdims=True)


_LOCATED = (Kind.SCALAR, Kind.MASK, Kind.MASK_ONE)
_POINTERS = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION, Kind.PERMUTATION_POINTER)

ENCODER_CHANNELS: Mapping[tuple[Location, Kind], ChannelFn] = MappingProxyType(
    {
        **{(location, kind): _numbers(location) for location in Location for kind in _LOCATED},
        **{(location, Kind.CATEGORICAL): _classes(location) for location in Location},
        **{(Location.NODE, kind): _numbers(Location.EDGE) for kind in _POINTERS},
        (Location.EDGE, Kind.POINTER): _edge_pointer,
        (Location.GRAPH, Kind.POINTER): _numbers(Location.NODE),
    }
)
"""How each probe is shown: a node's pointer is a number at each of its pairs, a graph's one at each node."""


def _default(probe: Probe, num_channels: int, hidden_size: int) -> float:
    """1 / sqrt(number of inputs)."""
    del probe, hidden_size
    return num_channels**-0.5


def _xavier_on_scalars(probe: Probe, num_channels: int, hidden_size: int) -> float:
    """1 / sqrt(H) for scalar hints: they are fed back, and would blow up over many steps otherwise."""
    fed_back = probe.stage is Stage.HINT and probe.kind is Kind.SCALAR
    return hidden_size**-0.5 if fed_back else _default(probe, num_channels, hidden_size)


ENCODER_INITS: Mapping[str, Callable[[Probe, int, int], float]] = MappingProxyType(
    {"default": _default, "xavier_on_scalars": _xavier_on_scalars}
)
"""By name, as in dm-clrs: (probe, number of channels, H) -> standard deviation of the truncated normal from
which weights are drawn (Ibarz et al. 2022, arXiv 2209.11142, section 3.2)."""


class Encoders(hk.Module):
    """The encoders of all probes of one task; parameters are named by probe."""

    def __init__(self, hidden_size: int, init: str = "xavier_on_scalars", name: str = "encode") -> None:
        """Makes encoders to `hidden_size` features, initialised by one of `ENCODER_INITS`."""
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._deviation = ENCODER_INITS[init]

    def __call__(
        self, probes: Sequence[Probe], values: Values, mask: Array | None
    ) -> dict[Location, FactoredFeatures]:
        """Features of the values of some probes, by location; locations that no probe adds to are absent.

        Args:
          probes: which to encode.
          values: dense, by name: [B, ...].
          mask: [B, N] real nodes, or None.
        """
        parts: dict[Location, list[FactoredFeatures]] = {}
        for probe in probes:
            channels = ENCODER_CHANNELS[probe.location, probe.kind](values[probe.name], mask)
            for index, group in enumerate(channels.groups):
                deviation = self._deviation(probe, group.shape[-1], self._hidden_size)
                encoder = Encoder(self._hidden_size, deviation, name=f"{probe.name}_{index}")
                parts.setdefault(channels.location, []).append(encoder(group))
        return {location: combine(features) for location, features in parts.items()}


class Encoder(hk.Module):
    """The linear map of one group of channels."""

    def __init__(self, hidden_size: int, deviation: float, name: str) -> None:
        """Makes the map to `hidden_size` features, its weights drawn with this standard deviation."""
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._deviation = deviation

    def __call__(self, channels: Array) -> FactoredFeatures:
        """Features [B, ..., H] of channels [B, ..., C]."""
        num_channels = channels.shape[-1]
        vectors = hk.get_parameter(
            "w", [num_channels, self._hidden_size], init=hk.initializers.TruncatedNormal(self._deviation)
        )
        bias = hk.get_parameter("b", [self._hidden_size], init=jnp.zeros)
        return FactoredFeatures(channels, vectors, bias)


def combine(parts: Sequence[FactoredFeatures]) -> FactoredFeatures:
    """The sum of features at one location, still factored."""
    return FactoredFeatures(
        values=jnp.concatenate([part.values for part in parts], axis=-1),
        vectors=jnp.concatenate([part.vectors for part in parts], axis=0),
        bias=functools.reduce(operator.add, (part.bias for part in parts)),
    )


# ---------------------------------------------------------------------------------------------------
# Adjacency


def connected(probes: Sequence[Probe], values: Values) -> Array | None:
    """[B, N, N] bool: which pairs the probes connect, in either direction; None if they connect none.

    Nodes are neighbours where an edge mask says so or where one points to the other.
    """
    found = [_LINKS[probe.location, probe.kind] for probe in probes if (probe.location, probe.kind) in _LINKS]
    named = [values[probe.name] for probe in probes if (probe.location, probe.kind) in _LINKS]
    linked = [
        value + value.swapaxes(-1, -2) > threshold for threshold, value in zip(found, named, strict=True)
    ]
    if not linked:
        return None
    return jnp.stack(linked).any(axis=0)


_LINKS: Mapping[tuple[Location, Kind], float] = MappingProxyType(
    {
        (Location.EDGE, Kind.MASK): 0.0,
        (Location.NODE, Kind.POINTER): 0.5,
        (Location.NODE, Kind.SHOULD_BE_PERMUTATION): 0.5,
        (Location.NODE, Kind.PERMUTATION_POINTER): 0.5,
    }
)
"""Above which sum of both directions two nodes are neighbours, for probes that connect nodes."""
