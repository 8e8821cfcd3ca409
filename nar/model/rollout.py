"""The rollout: encode, process, decode, feed the predicted hints back, step after step.

One body serves all steps: the first step is fed the true first hints, which are a function of the inputs, in
the form in which predictions are fed back later. Outputs are decoded once, after the last step, from what
each sample's own last step left behind.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from nar.model.decoders import Decoders, Readout
from nar.model.encoders import Encoders, combine, connected
from nar.model.values import Values, decode_hard, decode_soft, densify
from nar.processors import Context, FactoredFeatures, Features, Processor, ProcessorFactory, full_adjacency
from nar.specs import Location, Spec
from nar.traces import TraceBatch

Array = jax.Array

HINT_FEEDBACKS = ("soft", "hard", "hard_on_eval")


@dataclasses.dataclass(frozen=True)
class NetConfig:
    """What a network is made of.

    Attributes:
      processor: `(hidden_size) -> Processor`, called inside a Haiku transform.
      hidden_size: H.
      hint_feedback: how predicted hints are fed back: "soft" (probabilities, with gradients), "hard"
        (decisions, without) or "hard_on_eval".
      teacher_forcing: probability, in training, that a sample is fed a step's true hints instead.
    """

    processor: ProcessorFactory
    hidden_size: int = 128
    hint_feedback: str = "soft"
    teacher_forcing: float = 0.0

    def __post_init__(self) -> None:
        if self.hidden_size < 1:
            raise ValueError(f"hidden_size must be at least 1, got {self.hidden_size}")
        if self.hint_feedback not in HINT_FEEDBACKS:
            raise ValueError(
                f"unknown hint_feedback {self.hint_feedback!r}; known: {', '.join(HINT_FEEDBACKS)}"
            )
        if not 0 <= self.teacher_forcing <= 1:
            raise ValueError(f"teacher_forcing must lie between 0 and 1, got {self.teacher_forcing}")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a network predicts for a batch.

    Attributes:
      outputs: logits by name, [B, ...].
      hints: logits by name, [T-1, B, ...]: entry t predicts the hints of step t + 1.
      losses: auxiliary losses of the processor by name, scalars: means over samples and their own steps.
    """

    outputs: Values
    hints: Values
    losses: Values


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


def rollout(
    config: NetConfig,
    task: str,
    spec: Spec,
    batch: TraceBatch,
    is_training: bool,
    num_steps: int | None = None,
) -> Predictions:
    """Predictions of a batch, to be called inside a Haiku transform.

    Without teacher forcing nothing of `batch` is read but inputs, first hints and lengths.

    Args:
      config: what the network is made of.
      task: name of the algorithm; parameters of encoders and decoders are named by it.
      spec: of the batch, after transforms.
      batch: what to predict.
      is_training: whether there is noise in permutations and teacher forcing.
      num_steps: how many steps to take; by default one less than the batch holds, at least one.
    """
    step = _Step(config, task, spec, batch, is_training)
    num_steps = max(1, batch.num_steps - 1) if num_steps is None else num_steps
    longest = jnp.maximum(batch.lengths.max() - 1, 1)
    start = step.start()
    _, *shapes = hk.eval_shape(step.advance, start, jnp.zeros((), jnp.int32))
    nothing_seen, no_outcome = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)

    def advance(carry: Carry, index: Array) -> tuple[Carry, Outcome]:
        new, seen, (logits, losses) = step.advance(carry, index)
        running = (batch.lengths > index + 1) | (index == 0)
        counted = {name: jnp.where(running, value, 0) for name, value in losses.items()}
        return new._replace(last=_keep(seen, carry.last, running)), (logits, counted)

    def rest(carry: Carry, index: Array) -> tuple[Carry, Outcome]:
        del index
        return carry, no_outcome

    def body(carry: Carry, index: Array) -> tuple[Carry, Outcome]:
        # Behind the end of the longest trace nothing is computed: padding of steps costs next to nothing.
        if hk.running_init():
            return advance(carry, index)
        return hk.cond(index < longest, advance, rest, carry, index)

    final, (hints, losses) = hk.scan(body, start._replace(last=nothing_seen), jnp.arange(num_steps))
    return Predictions(
        outputs=step.decoders(spec.outputs, step.readout(start.hints, final.last)),
        hints=hints,
        losses={
            name: value.sum() / jnp.clip(batch.lengths - 1, 1, num_steps).sum()
            for name, value in losses.items()
        },
    )


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
    """

    nodes: Array
    edge_values: Array
    edges: Array | None
    graph: Array
    processed_graph: Array | None


def _keep(new: Any, old: Any, running: Array) -> Any:
    """New values for the samples that are still running, old ones for the others; arrays [B, ...]."""

    def choose(new_leaf: Array, old_leaf: Array) -> Array:
        condition = running.reshape(running.shape + (1,) * (new_leaf.ndim - 1))
        return jnp.where(condition, new_leaf, old_leaf)

    return jax.tree.map(choose, new, old)


class _Step:
    """One step of the rollout, and all that does not change over the steps."""

    def __init__(
        self, config: NetConfig, task: str, spec: Spec, batch: TraceBatch, is_training: bool
    ) -> None:
        self._config = config
        self._task = task
        self._spec = spec
        self._batch = batch
        self._is_training = is_training
        with hk.name_scope(task):
            self._encoders = Encoders(config.hidden_size)
            self.decoders = Decoders(config.hidden_size, is_training)
        with hk.name_scope("processor"):
            self._processor: Processor = config.processor(config.hidden_size)
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
        context = Context(step=index, task=self._task, is_training=self._is_training)
        processed = self._processor(features, carry.hidden, carry.memory, context)
        seen = Seen(
            nodes=jnp.concatenate([features.nodes, carry.hidden, processed.nodes], axis=-1),
            edge_values=_factored(features).values,
            edges=processed.edges,
            graph=features.graph,
            processed_graph=processed.graph,
        )
        logits = self.decoders(self._spec.hints, _readout(features, seen))
        decide = self._decide()
        fed_back = {p.name: decide(p, logits[p.name]) for p in self._spec.hints}
        new = Carry(fed_back, processed.nodes, processed.memory, carry.last)
        return new, seen, (logits, dict(processed.losses))

    def readout(self, hints: Values, seen: Seen) -> Readout:
        """What decoders read, outside of the scan; any hints will do, since their values are in `seen`."""
        return _readout(self._features(hints), seen)

    def _true_hints(self, index: Array | int) -> Values:
        return {
            p.name: densify(p, self._batch.hints[p.name][index], self._num_nodes) for p in self._spec.hints
        }

    def _forced(self, hints: Values, index: Array) -> Values:
        probability = self._config.teacher_forcing
        if not self._is_training or probability == 0:
            return hints
        shape = (self._batch.batch_size,)
        forced = jax.random.bernoulli(hk.next_rng_key(), probability, shape)
        return _keep(self._true_hints(index), hints, forced | (index == 0))

    def _decide(self) -> Any:
        feedback = self._config.hint_feedback
        hard = feedback == "hard" or (feedback == "hard_on_eval" and not self._is_training)
        return functools.partial(decode_hard if hard else decode_soft)

    def _features(self, hints: Values) -> Features:
        from_hints = self._encoders(self._spec.hints, hints, self._mask)
        located = {
            location: combine([f[location] for f in (self._input_features, from_hints) if location in f])
            for location in Location
            if location in self._input_features or location in from_hints
        }
        batch_size, num_nodes = self._batch.batch_size, self._num_nodes
        hidden_size = self._config.hidden_size
        links = [jnp.broadcast_to(jnp.eye(num_nodes, dtype=bool), (batch_size, num_nodes, num_nodes))]
        links += [x for x in (self._input_links, connected(self._spec.hints, hints)) if x is not None]

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
    )


def _num_nodes(spec: Spec, batch: TraceBatch) -> int:
    located = next(probe for probe in spec.inputs if probe.location is not Location.GRAPH)
    return batch.inputs[located.name].shape[1]
