"""Features of one step: encoded inputs and hints, and the adjacency."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from nar.model.config import NetConfig
from nar.model.encoders import Encoders, combine, connected
from nar.model.hints import Values, densify
from nar.processors import FactoredFeatures, Features, full_adjacency
from nar.specs import Location, Spec
from nar.traces import TraceBatch

Array = jax.Array


class StepFeatures:
    """Maps the hints of a step to features, in the compute dtype; inputs are encoded only once.

    Attributes:
      num_nodes: N, including padding nodes.
      mask: [B, N] bool, the real nodes, or None.
    """

    def __init__(self, config: NetConfig, encoders: Encoders, spec: Spec, batch: TraceBatch) -> None:
        self._hidden_size = config.hidden_size
        self._type = config.compute_dtype
        self._batch_size = batch.batch_size
        self._hints = spec.hints if config.hints.encoded else ()
        self._encoders = encoders
        self.num_nodes = count_nodes(spec, batch)
        self.mask = None
        if batch.num_nodes is not None:
            self.mask = jnp.arange(self.num_nodes)[None] < batch.num_nodes[:, None]
        inputs = {p.name: densify(p, batch.inputs[p.name], self.num_nodes) for p in spec.inputs}
        self._input_features = self._encoders(spec.inputs, inputs, self.mask)
        self._input_links = connected(spec.inputs, inputs)

    def __call__(self, hints: Values) -> Features:
        """Features of the inputs and, if hints are encoded, of dense hint values by name."""
        from_hints = self._encoders(self._hints, hints, self.mask)
        located = {
            location: combine([f[location] for f in (self._input_features, from_hints) if location in f])
            for location in Location
            if location in self._input_features or location in from_hints
        }
        batch_size, num_nodes = self._batch_size, self.num_nodes
        links = [jnp.broadcast_to(jnp.eye(num_nodes, dtype=bool), (batch_size, num_nodes, num_nodes))]
        links += [x for x in (self._input_links, connected(self._hints, hints)) if x is not None]

        def at(location: Location, *shape: int) -> FactoredFeatures:
            return located.get(location) or _zero_features((batch_size, *shape), self._hidden_size)

        edges = at(Location.EDGE, num_nodes, num_nodes)
        features = Features(
            nodes=at(Location.NODE, num_nodes).dense().astype(self._type),
            edges=dataclasses.replace(edges, values=edges.values.astype(self._type)),
            graph=at(Location.GRAPH).dense().astype(self._type),
            adjacency=functools.reduce(jnp.logical_or, links),
            mask=self.mask,
        )
        # Predictions for padding nodes must not connect them to real nodes.
        return features._replace(adjacency=features.adjacency & full_adjacency(features))


def _zero_features(shape: tuple[int, ...], hidden_size: int) -> FactoredFeatures:
    """Zero features, for a location without probes."""
    return FactoredFeatures(jnp.zeros((*shape, 1)), jnp.zeros((1, hidden_size)), jnp.zeros((hidden_size,)))


def count_nodes(spec: Spec, batch: TraceBatch) -> int:
    """The number of nodes N of a batch, including padding nodes."""
    located = next(probe for probe in spec.inputs if probe.location is not Location.GRAPH)
    return batch.inputs[located.name].shape[1]
