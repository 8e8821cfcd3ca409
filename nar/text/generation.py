"""What a language model writes behind questions: the likeliest token each time, with a key-value memory."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nar.model.init import Params
from nar.text.tokens import END, PADDING
from nar.text.transformer.model import KVCaches, TextModel, empty_caches

Generate = Callable[[Params, Any, Any, Any], jax.Array]
"""(params, questions [B, Q], lengths [B], positions [B, W]) -> what was written [B, W - Q]."""


class _State(NamedTuple):
    """Where the writing of B texts is.

    Attributes:
      written: int32 [B, W - Q].
      next: int32 [B], the token that comes next.
      is_done: bool [B].
      num_written: how many tokens were written to each text that is not done.
      memories: of all places up to the last token.
    """

    written: jax.Array
    next: jax.Array
    is_done: jax.Array
    num_written: jax.Array
    caches: KVCaches


def make_generate(model: TextModel) -> Generate:
    """The compiled function.

    It takes questions, int32 [B, Q], with `PADDING` behind those that are shorter; their lengths, int32 [B],
    each at least 1; and positions, int32 [B, W], of the tokens of each text from its first one on. It returns
    int32 [B, W - Q]: the answers, each up to its `END` or as many tokens as there is room for, and `PADDING`
    behind it. What is written to one text does not depend on the others.
    """

    def generate(params: Params, questions: jax.Array, lengths: jax.Array, positions: jax.Array) -> jax.Array:
        (B, Q), W = questions.shape, positions.shape[1]
        slots = jnp.broadcast_to(jnp.arange(Q)[None], (B, Q))
        empty = empty_caches(model.config, B, W)
        # What padding leaves in the memories lies behind the question, unseen until it is written over.
        logits, caches = model.extend(params, questions, positions[:, :Q], slots, empty)
        last = jnp.take_along_axis(logits, (lengths - 1)[:, None, None], axis=1)[:, 0]
        start = _State(
            written=jnp.full((B, W - Q), PADDING, jnp.int32),
            next=greedy_tokens(last),
            is_done=jnp.zeros(B, bool),
            num_written=jnp.zeros((), jnp.int32),
            caches=caches,
        )

        def goes_on(state: _State) -> jax.Array:
            return ~jnp.all(state.is_done) & (state.num_written < W - Q)

        def write(state: _State) -> _State:
            token = jnp.where(state.is_done, PADDING, state.next)
            is_done = state.is_done | (token == END)
            slots = (lengths + state.num_written)[:, None]
            logits, caches = model.extend(
                params,
                token[:, None],
                jnp.take_along_axis(positions, slots, axis=1),
                slots,
                state.caches,
            )
            written = state.written.at[:, state.num_written].set(token)
            return _State(written, greedy_tokens(logits[:, 0]), is_done, state.num_written + 1, caches)

        return jax.lax.while_loop(goes_on, write, start).written

    return jax.jit(generate)


def greedy_tokens(logits: jax.Array) -> jax.Array:
    """The token of the largest logit, int32 [B], of logits [B, tokens]; never `PADDING`."""
    return logits.at[:, PADDING].set(-jnp.inf).argmax(axis=-1).astype(jnp.int32)
