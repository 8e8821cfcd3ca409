"""The rollout: one recurrence over the steps of an algorithm, for a batch of one task.

    inputs = encode(batch.inputs)                                                   # once
    hints, hidden, memory = initial hints (a function of the inputs), zeros, initial memory
    for t in range(S):
        features = inputs + encode(streams[t] and hints, or true hints by teacher forcing)
        hidden, memory = processor(features, hidden, memory)
        logits[t] = decode_hints(features, hidden)                 # predicts the hints of step t + 1
        hints = feedback(logits[t])
    outputs = decode_outputs(features and hidden of each sample's last step)        # once

The loop is a scan of `Step.advance` over `Carry`. Samples end at different steps: a sample is active until
its last step, and steps after all samples have finished are skipped. Only learned halting decodes outputs at
every step. In chunked rollouts `ChunkCarry` passes from one chunk of a trace to the next; predicting chunk by
chunk is equivalent to predicting the whole trace.

Shapes: B samples; S steps of the scan, T - 1 for traces with T hint steps; N nodes, including padding;
H hidden size. Hints and outputs are [B, ...], with the axes of their probe (`nar.model.hints`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from nar.model.any_active import any_active
from nar.model.config import NetConfig
from nar.model.count_nodes import count_nodes, padding_mask
from nar.model.decoders import DecoderInputs, Decoders, make_decoder_inputs, with_constants, without_constants
from nar.model.encoders import Encoders, connected, existing_pairs, make_features, raw_scalars
from nar.model.hints import (
    FeedbackContext,
    Values,
    add_noise,
    apply_teacher_forcing,
    feed_back,
    find_hint_feedback,
    select_samples,
    true_hints,
    true_inputs,
    true_streams,
)
from nar.model.loss_term import LossTerm
from nar.model.predictions import ChunkCarry, Predictions
from nar.model.schedules import value_at
from nar.model.termination import FromTrace, HaltingHead, Learned, summarize_halting
from nar.processors import Context, Features, Processor
from nar.processors.base import accepted_features, cast_floating
from nar.processors.output_checks import check_initial_memory, check_output
from nar.specs import Probe, Spec
from nar.traces import TraceBatch

Array = jax.Array


class Carry(NamedTuple):
    """Carry of the scan over steps.

    Attributes:
      state: recurrent state.
      last_decoder_inputs: decoder inputs of each sample's latest step, without constants; None if outputs are
        decoded at every step.
      active: [B] bool, whether the sample takes the next step.
      steps: [B] int32, number of steps taken in this batch.
      log_survival: [B], log-probability of not having stopped yet; zero without learned halting.
    """

    state: ChunkCarry
    last_decoder_inputs: DecoderInputs | None
    active: Array
    steps: Array
    log_survival: Array


class StepOutput(NamedTuple):
    """Per-step results, which the scan stacks.

    Attributes:
      hints: logits of hints and answers by name, [B, ...].
      losses: auxiliary losses by name, [B], 0 for samples that have stopped.
      outputs: logits by name, [B, ...]; empty unless outputs are decoded at every step.
      halt: [B], logit of the probability of stopping at this step; None without learned halting.
      hidden: [B, N, H], new hidden states; None unless they are returned.
      pairs: pair features of pointers by name, [B, N, N, P]; empty in evaluation.
      reconstructions: logits of the hints that this step encodes, by name; empty unless they are trained.
    """

    hints: Values
    losses: Values
    outputs: Values
    halt: Array | None
    hidden: Array | None
    pairs: Values
    reconstructions: Values


def initial_chunk_carry(config: NetConfig, spec: Spec, batch: TraceBatch) -> ChunkCarry:
    """The `ChunkCarry` before the first chunk, with zero hints. Call it inside a Haiku transform."""
    num_nodes = count_nodes(spec, batch)
    hints = jax.tree.map(jnp.zeros_like, true_hints(config.encoded_hints(spec), batch, 0, num_nodes))
    return _initial_state(config, config.make_processor(), hints, batch.batch_size, num_nodes)


def _initial_state(
    config: NetConfig, processor: Processor, hints: Values, batch_size: int, num_nodes: int
) -> ChunkCarry:
    """The given hints, zero hidden states and the initial memory."""
    memory = processor.initial_memory(batch_size, num_nodes)
    check_initial_memory(memory, batch_size)
    return ChunkCarry(
        hints=hints,
        hidden=jnp.zeros((batch_size, num_nodes, config.hidden_size), config.compute_dtype),
        memory=cast_floating(config.compute_dtype, memory),
    )


class Step:
    """One step of the recurrence, together with everything that is constant over the steps.

    Attributes:
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
        training_step: Array | int = 0,
        return_hidden: bool = False,
    ) -> None:
        """Makes the modules and encodes the inputs; see `rollout` for the arguments."""
        self.remat = config.remat and not hk.running_init()
        self._config, self._task, self._spec, self._batch = config, task, spec, batch
        self._is_training, self._training_step = is_training, training_step
        self._return_hidden = return_hidden
        self._encoded_hints, self._decoded = config.encoded_hints(spec), config.decoded_probes(spec)
        self._num_nodes = count_nodes(spec, batch)
        self._mask = padding_mask(batch, self._num_nodes)
        self._shape = (batch.batch_size, self._num_nodes, config.hidden_size)
        self.step_limits = config.termination.step_limits(batch, self._num_nodes)
        self.max_steps = config.termination.max_steps(batch, self._num_nodes)
        self._make_modules()
        inputs = true_inputs(spec.inputs, batch, self._num_nodes)
        self._inputs = self._encoders(self._features_of(spec.inputs), inputs, self._mask, batch.neighbors)
        self._scalar_inputs = raw_scalars(spec.inputs, inputs, batch.neighbors)
        self._pairs = existing_pairs(config.pairs, self._inputs, self._shape, self._mask, batch.neighbors)
        self._first_carry = self._make_first_carry()
        shapes = hk.eval_shape(self._run, self._first_carry, jnp.zeros((), jnp.int32))
        zero_carry, self.zero_output = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        self._zero_decoder_inputs = zero_carry.last_decoder_inputs

    def _make_modules(self) -> None:
        config = self._config
        with hk.name_scope(self._task):
            self._encoders = Encoders(config.hidden_size, config.encoder_init)
            self._decoders = Decoders(config.hidden_size, self._is_training, config.pair_size)
            self._reconstruct = None
            if config.reconstruction_weight and (self._is_training or hk.running_init()):
                self._reconstruct = Decoders(config.hidden_size, self._is_training, name="reconstruct")
            self._halt = None
            if isinstance(config.termination, Learned):
                self._halt = HaltingHead(config.hidden_size, config.termination.prior)
        with hk.name_scope("processor"):
            self._processor = config.make_processor()
        self._separates_scalars = bool(getattr(self._processor, "accepts_scalars", False))
        self._feedback = find_hint_feedback(config.hint_feedback)
        self._decodes_each_step = self._halt is not None and self._is_training

    def _make_first_carry(self) -> Carry:
        batch_size, hints = self._batch.batch_size, self._true_hints(0)
        return Carry(
            state=_initial_state(self._config, self._processor, hints, batch_size, self._num_nodes),
            last_decoder_inputs=None,
            active=jnp.broadcast_to(self._trace_step(0) < self.step_limits, batch_size),
            steps=jnp.zeros(batch_size, jnp.int32),
            log_survival=jnp.zeros(batch_size, jnp.float32),
        )

    def initial_carry(self, chunk_carry: ChunkCarry | None = None) -> Carry:
        """The carry of the first step; traces that began in an earlier chunk resume from `chunk_carry`."""
        carry = self._first_carry._replace(last_decoder_inputs=self._zero_decoder_inputs)
        if chunk_carry is None:
            return carry
        assert self._batch.offsets is not None
        return carry._replace(state=select_samples(self._batch.offsets > 0, chunk_carry, carry.state))

    def advance(self, carry: Carry, index: Array) -> tuple[Carry, StepOutput]:
        """Takes one step; the body of the scan."""
        new, output = self._run(carry, index)
        last = select_samples(carry.active, new.last_decoder_inputs, carry.last_decoder_inputs)
        return new._replace(last_decoder_inputs=last), output

    def _run(self, carry: Carry, index: Array) -> tuple[Carry, StepOutput]:
        """The recurrence. The new carry has the decoder inputs of this step, also of samples that ended."""
        step = self._trace_step(index)
        hints = self._with_teacher_forcing(carry.state.hints, index)
        features = self._encode(hints, index, self._with_noise(hints))
        context = Context(step, self._task, self._is_training, self._training_step)
        accepted = accepted_features(self._processor, features)
        processed = self._processor(accepted, carry.state.hidden, carry.state.memory, context)
        check_output(processed, carry.state.hidden, carry.state.memory, self._batch.neighbors)
        decoder_inputs = make_decoder_inputs(features, carry.state.hidden, processed, self._pairs)
        decoded = [probe for probe in self._decoded if probe.name not in processed.scalars]
        logits, pairs = self._decoders(decoded, decoder_inputs)
        logits |= processed.scalars
        hidden = processed.nodes if processed.hidden is None else processed.hidden
        state = ChunkCarry(self._feed_back(logits, hints, step), hidden, processed.memory)
        active, log_survival, halt = self._update_active(carry, index, decoder_inputs)
        last = None if self._decodes_each_step else without_constants(decoder_inputs)
        losses = cast_floating(jnp.float32, dict(processed.losses))
        return Carry(state, last, active, carry.steps + carry.active, log_survival), StepOutput(
            hints=logits,
            losses={name: jnp.where(carry.active, value, 0) for name, value in losses.items()},
            outputs=self._decode_outputs(decoder_inputs) if self._decodes_each_step else {},
            halt=halt,
            hidden=processed.nodes if self._return_hidden else None,
            pairs=pairs,
            reconstructions=self._reconstruct_hints(features),
        )

    def _with_teacher_forcing(self, hints: Values, index: Array) -> Values:
        probability = self._config.teacher_forcing
        if not self._is_training or not self._encoded_hints or probability == 0:
            return hints
        return apply_teacher_forcing(
            hints,
            self._true_hints(index),
            value_at(probability, self._training_step),
            hk.next_rng_key(),
            step=self._trace_step(index),
            lengths=jnp.asarray(self._batch.lengths),
        )

    def _with_noise(self, hints: Values) -> Values | None:
        deviation = self._config.hint_noise
        return add_noise(hints, deviation, hk.next_rng_key()) if self._is_training and deviation else None

    def _encode(self, hints: Values, index: Array | int, noisy: Values | None = None) -> Features:
        """Features of inputs, of the streams at an index, and of dense hint values, perhaps with noise."""
        probes, neighbors = (*self._encoded_hints, *self._spec.streams), self._batch.neighbors
        streams = true_streams(self._spec.streams, self._batch, index, self._num_nodes)
        values = {**(hints if noisy is None else noisy), **streams}
        encoded = self._encoders(self._features_of(probes), values, self._mask, neighbors)
        if noisy is not None:
            encoded = encoded._replace(adjacency=connected(probes, {**hints, **streams}, neighbors))
        stages, dtype = (self._inputs, encoded), self._config.compute_dtype
        features = make_features(stages, self._shape, dtype, self._mask, neighbors)
        if not self._separates_scalars:
            return features
        return features._replace(scalars=self._scalar_inputs | raw_scalars(probes, values, neighbors))

    def _features_of(self, probes: Sequence[Probe]) -> list[Probe]:
        """The probes that are encoded."""
        return [probe for probe in probes if not (self._separates_scalars and probe.kind.is_number)]

    def _reconstruct_hints(self, features: Features) -> Values:
        """Logits of the hints that the features encode, from the features alone."""
        if self._reconstruct is None:
            return {}
        inputs = features.nodes, (features.edges,), (features.graph,), features.mask, None
        encoded = DecoderInputs(*inputs, self._pairs, features.neighbors)
        return self._reconstruct(self._encoded_hints, encoded)[0]

    def _feed_back(self, logits: Values, hints: Values, step: Array | int) -> Values:
        training = self._is_training, hk.next_rng_key, step, self._training_step
        context = FeedbackContext(*training, self._mask, hints, logits)
        return feed_back(self._feedback, self._encoded_hints, logits, context)

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

    def decode_outputs(self, carry: Carry) -> Values:
        """Logits of the outputs at each sample's latest step, by name, [B, ...]."""
        assert carry.last_decoder_inputs is not None
        # Any hints will do: everything that depends on hints is in the carry.
        features = self._encode(self._true_hints(0), 0)
        return self._decode_outputs(with_constants(carry.last_decoder_inputs, features, self._pairs))

    def _decode_outputs(self, decoder_inputs: DecoderInputs) -> Values:
        return self._decoders(self._spec.outputs, decoder_inputs)[0]

    def _true_hints(self, index: Array | int) -> Values:
        return true_hints(self._encoded_hints, self._batch, index, self._num_nodes)

    def _trace_step(self, index: Array | int) -> Array | int:
        """Index of the step in its trace: a scalar for whole traces, [B] for chunks."""
        return index if self._batch.offsets is None else self._batch.offsets + index


def unroll(step: Step, carry: Carry, indices: Array) -> tuple[Carry, StepOutput]:
    """Scans over the given step indices; outputs get a leading axis.

    Steps after all samples have finished are skipped by `cond`, so padding is nearly free. Rematerialization
    is also applied inside the condition, so that the compiler sees it together with the gradient. A single
    step, as in windows of one, is taken without loop and condition.
    """
    advance = hk.remat(step.advance, prevent_cse=False) if step.remat else step.advance

    def skip(carry: Carry, index: Array) -> tuple[Carry, StepOutput]:
        del index
        return carry, step.zero_output

    def body(carry: Carry, index: Array) -> tuple[Carry, StepOutput]:
        if hk.running_init():
            return step.advance(carry, index)
        return hk.cond(any_active(carry.active), advance, skip, carry, index)

    if len(indices) == 1:
        carry, output = advance(carry, indices[0])
        return carry, jax.tree.map(lambda leaf: leaf[None], output)
    return hk.scan(hk.remat(body, prevent_cse=False) if step.remat else body, carry, indices)


def rollout(
    config: NetConfig,
    task: str,
    spec: Spec,
    batch: TraceBatch,
    is_training: bool,
    num_steps: int | None = None,
    training_step: Array | int = 0,
    chunk_carry: ChunkCarry | None = None,
    return_hidden: bool = False,
) -> Predictions:
    """Predicts a batch; call it inside a Haiku transform.

    Without teacher forcing only the inputs, the initial hints and, if the trace determines the number of
    steps, the lengths of `batch` are read.

    Args:
      config: configuration of the network.
      task: name of the algorithm, which prefixes the parameters of encoders and decoders.
      spec: spec of the batch, after transforms.
      batch: batch to predict.
      is_training: enables dropout, teacher forcing and noise on permutations.
      num_steps: S; by default the maximum of `config.termination`.
      training_step: number of training steps taken before, for schedules.
      chunk_carry: for a chunk, the state after the previous one; ignored where a trace begins in this chunk.
      return_hidden: whether to return the hidden states of every step.

    Raises:
      ValueError: if a chunk is given to a network with another termination than `FromTrace`.
    """
    if batch.offsets is not None and not isinstance(config.termination, FromTrace):
        name = type(config.termination).__name__
        raise ValueError(f"time chunks require the termination FromTrace, got {name}")
    step = Step(config, task, spec, batch, is_training, training_step, return_hidden)
    indices = jnp.arange(step.max_steps if num_steps is None else num_steps)
    final, output = unroll(step, step.initial_carry(chunk_carry), indices)
    losses = {name: LossTerm(value.sum(), final.steps.sum()) for name, value in output.losses.items()}
    if is_training and isinstance(config.termination, Learned):
        return _predict_with_halting(config.termination, step, output, losses)
    return Predictions(
        outputs=step.decode_outputs(final),
        hints=output.hints,
        losses=losses,
        steps=final.steps,
        chunk_carry=None if batch.offsets is None else final.state,
        hidden=output.hidden,
        pairs=output.pairs,
        reconstructions=output.reconstructions,
    )


def _predict_with_halting(
    rule: Learned, step: Step, output: StepOutput, losses: dict[str, LossTerm]
) -> Predictions:
    """Predictions in training with learned halting, from the outputs of all steps."""
    assert output.halt is not None
    halting, steps, loss = summarize_halting(rule, output.halt, step.step_limits, output.outputs)
    last, rows = steps - 1, jnp.arange(len(steps))
    return Predictions(
        outputs={name: value[last, rows] for name, value in output.outputs.items()},
        hints=output.hints,
        losses={**losses, "halting": loss},
        steps=steps,
        halting=halting,
        hidden=output.hidden,
        pairs=output.pairs,
        reconstructions=output.reconstructions,
    )
