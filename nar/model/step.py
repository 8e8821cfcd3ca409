"""One step of the rollout: encode the hints, process, decode the next hints and what is fed back of them."""

from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from nar.model.config import NetConfig
from nar.model.decoders import Decoders, Readout
from nar.model.encoders import Encoders
from nar.model.features import Shown
from nar.model.schedules import Schedule
from nar.model.seen import Seen, factored, keep, read
from nar.model.termination import HaltingHead, Learned
from nar.model.values import Values, decode_hard, decode_soft, densify
from nar.processors import Context, Processor, in_type
from nar.specs import Spec
from nar.traces import TraceBatch

Array = jax.Array


class Recurrent(NamedTuple):
    """What one chunk of a trace hands to the next; arrays [B, ...].

    Attributes:
      hints: dense values by name that the next step is fed.
      hidden: [B, N, H].
      memory: the processor's.
    """

    hints: Values
    hidden: Array
    memory: Any


class Carry(NamedTuple):
    """What one step hands to the next.

    Attributes:
      hints: dense values by name that the step is fed.
      hidden: [B, N, H].
      memory: the processor's.
      last: what each sample's last step so far left for the output decoders; None if each step decodes them.
      running: [B] bool, whether the sample takes the next step.
      steps: [B] int32, how many steps of this batch it took so far.
      log_survival: [B], logarithm of the probability not to have stopped so far, if the network learns it.
    """

    hints: Values
    hidden: Array
    memory: Any
    last: Any
    running: Array
    steps: Array
    log_survival: Array


class Outcome(NamedTuple):
    """What one step leaves behind.

    Attributes:
      hints: logits by name, [B, ...].
      losses: auxiliary losses by name, [B], 0 for samples that have stopped.
      outputs: logits by name, [B, ...], if each step decodes them.
      halt: [B], logit of the probability to stop here, if the network learns it.
    """

    hints: Values
    losses: Values
    outputs: Values
    halt: Array | None


class Step:
    """One step of the rollout, and all that does not change over the steps.

    Attributes:
      decoders: of the task.
      limits: [B] int32, how many steps each sample takes at most, those before a chunk among them.
      room: how many steps that can be, by the shapes of the batch alone.
      nothing: an outcome of zeros.
      recomputes: whether gradients compute a step anew from its carry.
    """

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
        self.recomputes = config.remat and not hk.running_init()
        self._task = task
        self._spec = spec
        self._batch = batch
        self._is_training = is_training
        self._training_step = training_step
        self._encoded = spec.hints if config.hints.encoded else ()
        self._decoded = spec.hints if config.hints.decoded else ()
        with hk.name_scope(task):
            self._shown = Shown(config, Encoders(config.hidden_size, config.encoder_init), spec, batch)
            self.decoders = Decoders(config.hidden_size, is_training)
            self._halt = None
            if isinstance(config.termination, Learned):
                self._halt = HaltingHead(config.hidden_size, config.termination.prior)
        with hk.name_scope("processor"):
            self._processor = config.make_processor()
        self._decodes_each_step = self._halt is not None and is_training
        self.limits = config.termination.limits(batch, self._shown.num_nodes)
        self.room = config.termination.capacity(batch, self._shown.num_nodes)
        self._offsets = batch.offsets
        self._blank = self._before_the_first()
        shapes = hk.eval_shape(self._take, self._blank, jnp.zeros((), jnp.int32))[1:]
        self._unseen, self.nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def start(self, recurrent: Recurrent | None = None) -> Carry:
        """What the first step is fed: of traces that are gone on with, what their last chunk handed on."""
        carry = self._blank
        if recurrent is not None:
            assert self._offsets is not None
            blank = Recurrent(carry.hints, carry.hidden, carry.memory)
            carry = carry._replace(**keep(recurrent, blank, self._offsets > 0)._asdict())
        return carry if self._decodes_each_step else carry._replace(last=self._unseen)

    def advance(self, carry: Carry, index: Array) -> tuple[Carry, Outcome]:
        """One step: what the next is fed, and what this one leaves behind."""
        new, seen, outcome = self._take(carry, index)
        if self._decodes_each_step:
            return new, outcome
        return new._replace(last=keep(seen, carry.last, carry.running)), outcome

    def readout(self, seen: Seen) -> Readout:
        """What decoders read, outside of the scan; any hints will do, since their values are in `seen`."""
        return read(self._shown(self._true_hints(0)), seen)

    def _before_the_first(self) -> Carry:
        size = (self._batch.batch_size, self._shown.num_nodes)
        first = before_the_first(self._config, self._processor, self._true_hints(0), *size)
        return Carry(
            **first._asdict(),
            last=None,
            running=jnp.broadcast_to(self._position(0) < self.limits, size[0]),
            steps=jnp.zeros(size[0], jnp.int32),
            log_survival=jnp.zeros(size[0]),
        )

    def _take(self, carry: Carry, index: Array) -> tuple[Carry, Seen, Outcome]:
        hints = self._forced(carry.hints, index)
        features = self._shown(hints)
        context = Context(self._position(index), self._task, self._is_training, self._training_step)
        processed = self._processor(features, carry.hidden, carry.memory, context)
        seen = Seen(
            nodes=jnp.concatenate([features.nodes, carry.hidden, processed.nodes], axis=-1),
            edge_values=factored(features).values,
            edges=processed.edges,
            graph=features.graph,
            processed_graph=processed.graph,
            pointable=processed.pointable,
        )
        readout = read(features, seen)
        logits = self.decoders(self._decoded, readout)
        decide = self._decide()
        running, log_survival, halt = self._goes_on(carry, index, readout)
        new = Carry(
            hints={p.name: decide(p, logits[p.name]) for p in self._encoded},
            hidden=processed.nodes,
            memory=processed.memory,
            last=carry.last,
            running=running,
            steps=carry.steps + carry.running,
            log_survival=log_survival,
        )
        outputs = self.decoders(self._spec.outputs, readout) if self._decodes_each_step else {}
        auxiliary = in_type(jnp.float32, dict(processed.losses))
        losses = {name: jnp.where(carry.running, value, 0) for name, value in auxiliary.items()}
        return new, seen, Outcome(logits, losses, outputs, halt)

    def _goes_on(self, carry: Carry, index: Array, readout: Readout) -> tuple[Array, Array, Array | None]:
        """Which samples take the next step, the log-probabilities of it, and the logits to stop here."""
        running = carry.running & (self._position(index + 1) < self.limits)
        termination = self._config.termination
        if self._halt is None or not isinstance(termination, Learned):
            return running, carry.log_survival, None
        halt = self._halt(readout)
        log_survival = carry.log_survival + jax.nn.log_sigmoid(-halt)
        if not self._is_training:
            running &= ~termination.has_stopped(log_survival)
        return running, log_survival, halt

    def _position(self, index: Array | int) -> Array | int:
        """Which step of its trace each sample takes; of whole traces they all take the same."""
        return index if self._offsets is None else self._offsets + index

    def _true_hints(self, index: Array | int) -> Values:
        hints = {p.name: jnp.asarray(self._batch.hints[p.name])[index] for p in self._encoded}
        return {p.name: densify(p, hints[p.name], self._shown.num_nodes) for p in self._encoded}

    def _forced(self, hints: Values, index: Array) -> Values:
        """The hints that a step is fed: in training perhaps true ones, as long as the trace has any."""
        probability = self._config.teacher_forcing
        if not self._is_training or not self._encoded or probability == 0:
            return hints
        if isinstance(probability, Schedule):
            probability = probability(self._training_step)
        shape, position = (self._batch.batch_size,), self._position(index)
        forced = jax.random.bernoulli(hk.next_rng_key(), probability, shape)
        known = position < self._batch.lengths
        return keep(self._true_hints(index), hints, (forced & known) | (position == 0))

    def _decide(self) -> Any:
        feedback = self._config.hint_feedback
        hard = feedback == "hard" or (feedback == "hard_on_eval" and not self._is_training)
        return decode_hard if hard else decode_soft


def before_the_first(
    config: NetConfig, processor: Processor, hints: Values, batch_size: int, num_nodes: int
) -> Recurrent:
    """What the first step of a trace is fed."""
    return Recurrent(
        hints=hints,
        hidden=jnp.zeros((batch_size, num_nodes, config.hidden_size), config.compute_type),
        memory=in_type(config.compute_type, processor.initial_memory(batch_size, num_nodes)),
    )
