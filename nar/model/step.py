"""One step of the rollout: encode the hints, run the processor, decode the next hints and feed them back."""

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
    """State that one chunk of a trace passes to the next; arrays [B, ...].

    Attributes:
      hints: dense values by name, the input of the next step.
      hidden: [B, N, H], hidden states.
      memory: the processor's recurrent memory.
    """

    hints: Values
    hidden: Array
    memory: Any


class Carry(NamedTuple):
    """Carry of the scan over steps.

    Attributes:
      hints: dense values by name, the input of the next step.
      hidden: [B, N, H], hidden states.
      memory: the processor's recurrent memory.
      last_decoder_inputs: decoder inputs of each sample's latest step; None if outputs are decoded at every
        step.
      active: [B] bool, whether the sample takes the next step.
      steps: [B] int32, number of steps taken in this batch.
      log_survival: [B], log-probability of not having stopped yet; zero without learned halting.
    """

    hints: Values
    hidden: Array
    memory: Any
    last_decoder_inputs: Any
    active: Array
    steps: Array
    log_survival: Array


class StepOutput(NamedTuple):
    """Per-step results, which the scan stacks.

    Attributes:
      hints: logits by name, [B, ...].
      losses: auxiliary losses by name, [B], 0 for samples that have stopped.
      outputs: logits by name, [B, ...]; empty unless outputs are decoded at every step.
      halt: [B], logit of the probability of stopping at this step; None without learned halting.
      hidden: [B, N, H], new hidden states; None unless they are returned.
    """

    hints: Values
    losses: Values
    outputs: Values
    halt: Array | None
    hidden: Array | None


class Step:
    """One step of the rollout, together with everything that is constant over the steps.

    Attributes:
      decoders: decoders of the task.
      step_limits: [B] int32, maximum number of steps of each sample, including those before a chunk.
      max_steps: static upper bound on the number of steps, from the shapes of the batch.
      zero_output: a `StepOutput` of zeros.
      remat: whether the backward pass recomputes a step from its carry.
    """

    def __init__(
        self,
        config: NetConfig,
        task: str,
        spec: Spec,
        batch: TraceBatch,
        is_training: bool,
        training_step: Array | int,
        return_hidden: bool = False,
    ) -> None:
        self._return_hidden = return_hidden
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
        self._base_carry = self._make_base_carry()
        shapes = hk.eval_shape(self._run, self._base_carry, jnp.zeros((), jnp.int32))[1:]
        self._zero_decoder_inputs, self.zero_output = jax.tree.map(
            lambda x: jnp.zeros(x.shape, x.dtype), shapes
        )

    def initial_carry(self, chunk_carry: ChunkCarry | None = None) -> Carry:
        """The carry of the first step; traces that began in an earlier chunk resume from `chunk_carry`."""
        carry = self._base_carry
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
        """Takes one step; the body of the scan."""
        new, carried, output = self._run(carry, index)
        if self._decodes_each_step:
            return new, output
        return new._replace(
            last_decoder_inputs=where_active(carried, carry.last_decoder_inputs, carry.active)
        ), output

    def decoder_inputs(self, carried: CarriedDecoderInputs) -> DecoderInputs:
        """The decoder inputs outside of the scan, from their carried arrays.

        The hints passed here are arbitrary: everything that depends on hints is in `carried`.
        """
        return to_decoder_inputs(self._step_features(self._true_hints(0)), carried)

    def _make_base_carry(self) -> Carry:
        size = (self._batch.batch_size, self._step_features.num_nodes)
        first = first_chunk_carry(self._config, self._processor, self._true_hints(0), *size)
        return Carry(
            **first._asdict(),
            last_decoder_inputs=None,
            active=jnp.broadcast_to(self._trace_step(0) < self.step_limits, size[0]),
            steps=jnp.zeros(size[0], jnp.int32),
            log_survival=jnp.zeros(size[0]),
        )

    def _run(self, carry: Carry, index: Array) -> tuple[Carry, CarriedDecoderInputs, StepOutput]:
        hints = self._apply_teacher_forcing(carry.hints, index)
        features = self._step_features(hints)
        context = Context(self._trace_step(index), self._task, self._is_training, self._training_step)
        processor_output = self._processor(features, carry.hidden, carry.memory, context)
        carried = CarriedDecoderInputs(
            nodes=jnp.concatenate([features.nodes, carry.hidden, processor_output.nodes], axis=-1),
            edge_values=factored_edges(features).values,
            edge_states=processor_output.edges,
            graph=features.graph,
            graph_state=processor_output.graph,
            pointer_mask=processor_output.pointer_mask,
        )
        decoder_inputs = to_decoder_inputs(features, carried)
        logits = self.decoders(self._decoded, decoder_inputs)
        feed_back = self._feedback()
        active, log_survival, halt = self._update_active(carry, index, decoder_inputs)
        new = Carry(
            hints={p.name: feed_back(p, logits[p.name]) for p in self._encoded},
            hidden=processor_output.nodes,
            memory=processor_output.memory,
            last_decoder_inputs=carry.last_decoder_inputs,
            active=active,
            steps=carry.steps + carry.active,
            log_survival=log_survival,
        )
        outputs = self.decoders(self._spec.outputs, decoder_inputs) if self._decodes_each_step else {}
        auxiliary = cast_floating(jnp.float32, dict(processor_output.losses))
        losses = {name: jnp.where(carry.active, value, 0) for name, value in auxiliary.items()}
        hidden = processor_output.nodes if self._return_hidden else None
        return new, carried, StepOutput(logits, losses, outputs, halt, hidden)

    def _update_active(
        self, carry: Carry, index: Array, decoder_inputs: DecoderInputs
    ) -> tuple[Array, Array, Array | None]:
        """Returns which samples take the next step, their log-survival, and this step's halting logits."""
        active = carry.active & (self._trace_step(index + 1) < self.step_limits)
        termination = self._config.termination
        if self._halt is None or not isinstance(termination, Learned):
            return active, carry.log_survival, None
        halt = self._halt(decoder_inputs)
        log_survival = carry.log_survival + jax.nn.log_sigmoid(-halt)
        if not self._is_training:
            active &= ~termination.has_stopped(log_survival)
        return active, log_survival, halt

    def _trace_step(self, index: Array | int) -> Array | int:
        """Index of the step in its trace: a scalar for whole traces, [B] for chunks."""
        return index if self._offsets is None else self._offsets + index

    def _true_hints(self, index: Array | int) -> Values:
        hints = {p.name: jnp.asarray(self._batch.hints[p.name])[index] for p in self._encoded}
        return {p.name: densify(p, hints[p.name], self._step_features.num_nodes) for p in self._encoded}

    def _apply_teacher_forcing(self, hints: Values, index: Array) -> Values:
        """Teacher forcing: replaces hints by true ones at random, in training and within the trace."""
        probability = self._config.teacher_forcing
        if not self._is_training or not self._encoded or probability == 0:
            return hints
        if isinstance(probability, Schedule):
            probability = probability(self._training_step)
        shape, position = (self._batch.batch_size,), self._trace_step(index)
        forced = jax.random.bernoulli(hk.next_rng_key(), probability, shape)
        within_trace = position < self._batch.lengths
        return where_active(self._true_hints(index), hints, (forced & within_trace) | (position == 0))

    def _feedback(self) -> Any:
        feedback = self._config.hint_feedback
        hard = feedback == "hard" or (feedback == "hard_on_eval" and not self._is_training)
        return decode_hard if hard else decode_soft


def first_chunk_carry(
    config: NetConfig, processor: Processor, hints: Values, batch_size: int, num_nodes: int
) -> ChunkCarry:
    """The state before the first step of a trace: the given hints, zero hidden states, initial memory."""
    return ChunkCarry(
        hints=hints,
        hidden=jnp.zeros((batch_size, num_nodes, config.hidden_size), config.compute_dtype),
        memory=cast_floating(config.compute_dtype, processor.initial_memory(batch_size, num_nodes)),
    )
