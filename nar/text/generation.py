"""Greedy decoding of answers with a key-value cache."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nar.evaluation.precision import scoring_precision
from nar.model.init import Params
from nar.text.tokens import END, PADDING
from nar.text.transformer.model import KVCaches, TextModel, empty_caches

Generate = Callable[[Params, Any, Any, Any], jax.Array]
"""(params, questions [B, Q], lengths [B], positions [B, W]) -> generated tokens [B, W - Q]."""


class _State(NamedTuple):
    """Loop carry of the decoding of B texts.

    Attributes:
      generated: int32 [B, W - Q], generated tokens.
      next_token: int32 [B], the next token of each text.
      is_done: bool [B], whether `END` was generated.
      num_generated: int32 scalar, number of decoding steps so far.
      caches: keys and values of all tokens before `next_token`.
    """

    generated: jax.Array
    next_token: jax.Array
    is_done: jax.Array
    num_generated: jax.Array
    caches: KVCaches


def make_generate(model: TextModel) -> Generate:
    """Returns a jitted function that decodes answers greedily.

    It takes questions, int32 [B, Q], right-padded with `PADDING`; their lengths, int32 [B], each at least 1;
    and positions, int32 [B, W], of the tokens of question and answer together. It returns answers, int32
    [B, W - Q], each up to and including its `END` (or W - Q tokens long) and right-padded with `PADDING`. The
    rows of a batch do not affect each other. Matrices are multiplied in full float32 on every platform.
    """

    def generate(params: Params, questions: jax.Array, lengths: jax.Array, positions: jax.Array) -> jax.Array:
        (B, Q), W = questions.shape, positions.shape[1]
        slots = jnp.broadcast_to(jnp.arange(Q)[None], (B, Q))
        empty = empty_caches(model.config, B, W)
        # Cache slots filled from padding follow the question: they are masked until they are overwritten.
        logits, caches = model.extend(params, questions, positions[:, :Q], slots, empty)
        last = jnp.take_along_axis(logits, (lengths - 1)[:, None, None], axis=1)[:, 0]
        start = _State(
            generated=jnp.full((B, W - Q), PADDING, jnp.int32),
            next_token=greedy_tokens(last),
            is_done=jnp.zeros(B, bool),
            num_generated=jnp.zeros((), jnp.int32),
            caches=caches,
        )

        def is_running(state: _State) -> jax.Array:
            return ~jnp.all(state.is_done) & (state.num_generated < W - Q)

        def decode_step(state: _State) -> _State:
            token = jnp.where(state.is_done, PADDING, state.next_token)
            is_done = state.is_done | (token == END)
            slots = (lengths + state.num_generated)[:, None]
            logits, caches = model.extend(
                params,
                token[:, None],
                jnp.take_along_axis(positions, slots, axis=1),
                slots,
                state.caches,
            )
            generated = state.generated.at[:, state.num_generated].set(token)
            return _State(generated, greedy_tokens(logits[:, 0]), is_done, state.num_generated + 1, caches)

        return jax.lax.while_loop(is_running, decode_step, start).generated

    def generate_precisely(*arguments: Any) -> jax.Array:
        with scoring_precision():
            return generate(*arguments)

    return jax.jit(generate_precisely)


def greedy_tokens(logits: jax.Array) -> jax.Array:
    """Argmax over tokens of logits [B, V] as int32 [B]; `PADDING` is excluded."""
    return logits.at[:, PADDING].set(-jnp.inf).argmax(axis=-1).astype(jnp.int32)
