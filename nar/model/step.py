"""One step of the rollout: encode the hints, process, decode the next hints and what is fed back of them."""

from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from nar.model.config import NetConfig
from nar.model.decoder_inputs import CarriedDecoderInputs, factored_edges, to_decoder_inputs, where_active
from nar.model.decoders import DecoderInputs, Decoders
from nar.model.encoders import Encoders
from nar.model.hints import Values, decode_hard, decode_soft, densify
from nar.model.schedules import Schedule
from nar.model.step_features import StepFeatures
from nar.model.termination import HaltingHead, Learned
from nar.processors import Context, Processor, cast_floating
from nar.specs import Spec
from nar.traces import TraceBatch

Array = jax.Array


class ChunkCarry(NamedTuple):
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
      last_decoder_inputs: what each sample's last step so far left for the output decoders; None if each step
        decodes them.
      active: [B] bool, whether the sample takes the next step.
      steps: [B] int32, how many steps of this batch it took so far.
      log_survival: [B], logarithm of the probability not to have stopped so far, if the network learns it.
    """

    hints: Values
    hidden: Array
    memory: Any
    last_decoder_inputs: Any
    active: Array
    steps: Array
    log_survival: Array


class StepOutput(NamedTuple):
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
      step_limits: [B] int32, how many steps each sample takes at most, those before a chunk among them.
      max_steps: how many steps that can be, by the shapes of the batch alone.
      zero_outcome: an outcome of zeros.
      remat: whether gradients compute a step anew from its carry.
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
        self.remat = config.remat and not hk.running_init()
        self._task = task
        self._spec = spec
        self._batch = batch
        self._is_training = is_training
        self._training_step = training_step
        self._encoded = spec.hints if config.hints.encoded else ()
        self._decoded = spec.hints if config.hints.decoded else ()
        with hk.name_scope(task):
            self._step_features = StepFeatures(
                config, Encoders(config.hidden_size, config.encoder_init), spec, batch
            )
            self.decoders = Decoders(config.hidden_size, is_training)
            self._halt = None
            if isinstance(config.termination, Learned):
                self._halt = HaltingHead(config.hidden_size, config.termination.prior)
        with hk.name_scope("processor"):
            self._processor = config.make_processor()
        self._decodes_each_step = self._halt is not None and is_training
        self.step_limits = config.termination.step_limits(batch, self._step_features.num_nodes)
        self.max_steps = config.termination.max_steps(batch, self._step_features.num_nodes)
        self._offsets = batch.offsets
        self._initial_carry = self._first_carry()
        shapes = hk.eval_shape(self._take, self._initial_carry, jnp.zeros((), jnp.int32))[1:]
        self._zero_decoder_inputs, self.zero_outcome = jax.tree.map(
            lambda x: jnp.zeros(x.shape, x.dtype), shapes
        )

    def start(self, chunk_carry: ChunkCarry | None = None) -> Carry:
        """What the first step is fed: of traces that are gone on with, what their last chunk handed on."""
        carry = self._initial_carry
        if chunk_carry is not None:
            assert self._offsets is not None
            initial_chunk_carry = ChunkCarry(carry.hints, carry.hidden, carry.memory)
            carry = carry._replace(
                **where_active(chunk_carry, initial_chunk_carry, self._offsets > 0)._asdict()
            )
        return (
            carry
            if self._decodes_each_step
            else carry._replace(last_decoder_inputs=self._zero_decoder_inputs)
        )

    def advance(self, carry: Carry, index: Array) -> tuple[Carry, StepOutput]:
        """One step: what the next is fed, and what this one leaves behind."""
        new, carried, outcome = self._take(carry, index)
        if self._decodes_each_step:
            return new, outcome
        return new._replace(
            last_decoder_inputs=where_active(carried, carry.last_decoder_inputs, carry.active)
        ), outcome

    def decoder_inputs(self, carried: CarriedDecoderInputs) -> DecoderInputs:
        """What decoders read, outside of the scan; any hints will do, since their values are in `carried`."""
        return to_decoder_inputs(self._step_features(self._true_hints(0)), carried)

    def _first_carry(self) -> Carry:
        size = (self._batch.batch_size, self._step_features.num_nodes)
        first = first_chunk_carry(self._config, self._processor, self._true_hints(0), *size)
        return Carry(
            **first._asdict(),
            last_decoder_inputs=None,
            active=jnp.broadcast_to(self._position(0) < self.step_limits, size[0]),
            steps=jnp.zeros(size[0], jnp.int32),
            log_survival=jnp.zeros(size[0]),
        )

    def _take(self, carry: Carry, index: Array) -> tuple[Carry, CarriedDecoderInputs, StepOutput]:
        hints = self._forced(carry.hints, index)
        features = self._step_features(hints)
        context = Context(self._position(index), self._task, self._is_training, self._training_step)
        processed = self._processor(features, carry.hidden, carry.memory, context)
        carried = CarriedDecoderInputs(
            nodes=jnp.concatenate([features.nodes, carry.hidden, processed.nodes], axis=-1),
            edge_values=factored_edges(features).values,
            edges=processed.edges,
            graph=features.graph,
            processed_graph=processed.graph,
            pointer_mask=processed.pointer_mask,
        )
        decoder_inputs = to_decoder_inputs(features, carried)
        logits = self.decoders(self._decoded, decoder_inputs)
        decide = self._decide()
        active, log_survival, halt = self._goes_on(carry, index, decoder_inputs)
        new = Carry(
            hints={p.name: decide(p, logits[p.name]) for p in self._encoded},
            hidden=processed.nodes,
            memory=processed.memory,
            last_decoder_inputs=carry.last_decoder_inputs,
            active=active,
            steps=carry.steps + carry.active,
            log_survival=log_survival,
        )
        outputs = self.decoders(self._spec.outputs, decoder_inputs) if self._decodes_each_step else {}
        auxiliary = cast_floating(jnp.float32, dict(processed.losses))
        losses = {name: jnp.where(carry.active, value, 0) for name, value in auxiliary.items()}
        return new, carried, StepOutput(logits, losses, outputs, halt)

    def _goes_on(
        self, carry: Carry, index: Array, decoder_inputs: DecoderInputs
    ) -> tuple[Array, Array, Array | None]:
        """Which samples take the next step, the log-probabilities of it, and the logits to stop here."""
        active = carry.active & (self._position(index + 1) < self.step_limits)
        termination = self._config.termination
        if self._halt is None or not isinstance(termination, Learned):
            return active, carry.log_survival, None
        halt = self._halt(decoder_inputs)
        log_survival = carry.log_survival + jax.nn.log_sigmoid(-halt)
        if not self._is_training:
            active &= ~termination.has_stopped(log_survival)
        return active, log_survival, halt

    def _position(self, index: Array | int) -> Array | int:
        """Which step of its trace each sample takes; of whole traces they all take the same."""
        return index if self._offsets is None else self._offsets + index

    def _true_hints(self, index: Array | int) -> Values:
        hints = {p.name: jnp.asarray(self._batch.hints[p.name])[index] for p in self._encoded}
        return {p.name: densify(p, hints[p.name], self._step_features.num_nodes) for p in self._encoded}

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
        return where_active(self._true_hints(index), hints, (forced & known) | (position == 0))

    def _decide(self) -> Any:
        feedback = self._config.hint_feedback
        hard = feedback == "hard" or (feedback == "hard_on_eval" and not self._is_training)
        return decode_hard if hard else decode_soft


def first_chunk_carry(
    config: NetConfig, processor: Processor, hints: Values, batch_size: int, num_nodes: int
) -> ChunkCarry:
    """What the first step of a trace is fed."""
    return ChunkCarry(
        hints=hints,
        hidden=jnp.zeros((batch_size, num_nodes, config.hidden_size), config.compute_dtype),
        memory=cast_floating(config.compute_dtype, processor.initial_memory(batch_size, num_nodes)),
    )
