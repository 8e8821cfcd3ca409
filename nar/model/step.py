"""One step of the rollout: encode the hints, process, decode the next hints and what is fed back of them."""

import dataclasses
import functools
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from nar.model.config import NetConfig
from nar.model.decoders import Decoders, Readout
from nar.model.encoders import Encoders, combine, connected
from nar.model.schedules import Schedule
from nar.model.values import Values, decode_hard, decode_soft, densify
from nar.processors import Context, FactoredFeatures, Features, full_adjacency
from nar.specs import Location, Spec
from nar.traces import TraceBatch

Array = jax.Array


class Carry(NamedTuple):
    """What one step hands to the next.

    Attributes:
      hints: dense values by name that the step is fed.
      hidden: [B, N, H].
      memory: the processor's.
      last: what each sample's last step so far left for the output decoders.
    """

    hints: Values
    hidden: Array
    memory: Any
    last: Any


Outcome = tuple[Values, Values]
"""Of one step: logits of hints by name, and auxiliary losses [B] by name."""


class Seen(NamedTuple):
    """What decoders read of one step, arrays with a batch axis only.

    Attributes:
      nodes: [B, N, 3H]: node features, previous and new hidden states.
      edge_values: [B, N, N, K], values of the factored edge features.
      edges: [B, N, N, H] from the processor, or None.
      graph: [B, H].
      processed_graph: [B, H] from the processor, or None.
      pointable: [B, N, N] bool from the processor, or None.
    """

    nodes: Array
    edge_values: Array
    edges: Array | None
    graph: Array
    processed_graph: Array | None
    pointable: Array | None


class Step:
    """One step of the rollout, and all that does not change over the steps."""

    def __init__(
        self,
        config: NetConfig,
        task: str,
        spec: Spec,
        batch: TraceBatch,
        is_training: bool,
        training_step: Array | int,
    ) -> None:
        self._config = config
        self._task = task
        self._spec = spec
        self._batch = batch
        self._is_training = is_training
        self._training_step = training_step
        self._encoded = spec.hints if config.hints.encoded else ()
        self._decoded = spec.hints if config.hints.decoded else ()
        with hk.name_scope(task):
            self._encoders = Encoders(config.hidden_size, config.encoder_init)
            self.decoders = Decoders(config.hidden_size, is_training)
        with hk.name_scope("processor"):
            self._processor = config.make_processor()
        self._num_nodes = _num_nodes(spec, batch)
        self._mask = None
        if batch.num_nodes is not None:
            self._mask = jnp.arange(self._num_nodes)[None] < batch.num_nodes[:, None]
        inputs = {p.name: densify(p, batch.inputs[p.name], self._num_nodes) for p in spec.inputs}
        self._input_features = self._encoders(spec.inputs, inputs, self._mask)
        self._input_links = connected(spec.inputs, inputs)

    def start(self) -> Carry:
        """What the first step is fed."""
        size = (self._batch.batch_size, self._num_nodes)
        return Carry(
            hints=self._true_hints(0),
            hidden=jnp.zeros((*size, self._config.hidden_size)),
            memory=self._processor.initial_memory(*size),
            last=None,
        )

    def advance(self, carry: Carry, index: Array) -> tuple[Carry, Seen, Outcome]:
        """One step: what the next is fed, what output decoders read, and its outcome."""
        hints = self._forced(carry.hints, index)
        features = self._features(hints)
        context = Context(index, self._task, self._is_training, self._training_step)
        processed = self._processor(features, carry.hidden, carry.memory, context)
        seen = Seen(
            nodes=jnp.concatenate([features.nodes, carry.hidden, processed.nodes], axis=-1),
            edge_values=_factored(features).values,
            edges=processed.edges,
            graph=features.graph,
            processed_graph=processed.graph,
            pointable=processed.pointable,
        )
        logits = self.decoders(self._decoded, _readout(features, seen))
        decide = self._decide()
        fed_back = {p.name: decide(p, logits[p.name]) for p in self._encoded}
        new = Carry(fed_back, processed.nodes, processed.memory, carry.last)
        return new, seen, (logits, dict(processed.losses))

    def readout(self, hints: Values, seen: Seen) -> Readout:
        """What decoders read, outside of the scan; any hints will do, since their values are in `seen`."""
        return _readout(self._features(hints), seen)

    def _true_hints(self, index: Array | int) -> Values:
        hints = {p.name: jnp.asarray(self._batch.hints[p.name])[index] for p in self._encoded}
        return {p.name: densify(p, hints[p.name], self._num_nodes) for p in self._encoded}

    def _forced(self, hints: Values, index: Array) -> Values:
        probability = self._config.teacher_forcing
        if not self._is_training or not self._encoded or probability == 0:
            return hints
        if isinstance(probability, Schedule):
            probability = probability(self._training_step)
        shape = (self._batch.batch_size,)
        forced = jax.random.bernoulli(hk.next_rng_key(), probability, shape)
        return keep(self._true_hints(index), hints, forced | (index == 0))

    def _decide(self) -> Any:
        feedback = self._config.hint_feedback
        hard = feedback == "hard" or (feedback == "hard_on_eval" and not self._is_training)
        return functools.partial(decode_hard if hard else decode_soft)

    def _features(self, hints: Values) -> Features:
        from_hints = self._encoders(self._encoded, hints, self._mask)
        located = {
            location: combine([f[location] for f in (self._input_features, from_hints) if location in f])
            for location in Location
            if location in self._input_features or location in from_hints
        }
        batch_size, num_nodes = self._batch.batch_size, self._num_nodes
        hidden_size = self._config.hidden_size
        links = [jnp.broadcast_to(jnp.eye(num_nodes, dtype=bool), (batch_size, num_nodes, num_nodes))]
        links += [x for x in (self._input_links, connected(self._encoded, hints)) if x is not None]

        def at(location: Location, *shape: int) -> FactoredFeatures:
            return located.get(location) or _nothing((batch_size, *shape), hidden_size)

        features = Features(
            nodes=at(Location.NODE, num_nodes).dense(),
            edges=at(Location.EDGE, num_nodes, num_nodes),
            graph=at(Location.GRAPH).dense(),
            adjacency=functools.reduce(jnp.logical_or, links),
            mask=self._mask,
        )
        # What is predicted for padding nodes must not connect them with real ones.
        return features._replace(adjacency=features.adjacency & full_adjacency(features))


def keep(new: Any, old: Any, running: Array) -> Any:
    """New values for the samples that are still running, old ones for the others; arrays [B, ...]."""

    def choose(new_leaf: Array, old_leaf: Array) -> Array:
        condition = running.reshape(running.shape + (1,) * (new_leaf.ndim - 1))
        return jnp.where(condition, new_leaf, old_leaf)

    return jax.tree.map(choose, new, old)


def _nothing(shape: tuple[int, ...], hidden_size: int) -> FactoredFeatures:
    """Features of a location that no probe adds to: zero."""
    return FactoredFeatures(jnp.zeros((*shape, 1)), jnp.zeros((1, hidden_size)), jnp.zeros((hidden_size,)))


def _factored(features: Features) -> FactoredFeatures:
    """The edge features, which encoders always give in factored form."""
    assert isinstance(features.edges, FactoredFeatures)
    return features.edges


def _readout(features: Features, seen: Seen) -> Readout:
    edges = dataclasses.replace(_factored(features), values=seen.edge_values)
    return Readout(
        nodes=seen.nodes,
        edges=(edges,) if seen.edges is None else (edges, seen.edges),
        graph=(seen.graph,) if seen.processed_graph is None else (seen.graph, seen.processed_graph),
        mask=features.mask,
        pointable=seen.pointable,
    )


def _num_nodes(spec: Spec, batch: TraceBatch) -> int:
    located = next(probe for probe in spec.inputs if probe.location is not Location.GRAPH)
    return batch.inputs[located.name].shape[1]
