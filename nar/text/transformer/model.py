"""The language model as pure functions. Haiku does not leave this room."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.model.init import Params, draw_params, find_parameter_specs, nest_params
from nar.text.stream import TextBatch
from nar.text.tokens import NUM_TOKENS
from nar.text.transformer.config import TransformerConfig
from nar.text.transformer.layers import Memory, Transformer

Memories = tuple[Memory, ...]


@dataclasses.dataclass(frozen=True)
class TextModel:
    """The pure functions of a language model.

    Attributes:
      init: `(key, {task: batch}) -> params`; tasks and batches do not matter.
      apply: `(params, tokens, positions) -> logits` of the next token behind each, of whole texts.
      extend: `(params, tokens, positions, places, memories) -> (logits, memories)`, of texts whose beginning
        is in the memories; see `Transformer`.
      config: what it is made of.
    """

    init: Callable[[jax.Array, Mapping[str, TextBatch]], Params]
    apply: Callable[[Params, Any, Any], jax.Array]
    extend: Callable[[Params, Any, Any, Any, Memories], tuple[jax.Array, Memories]]
    config: TransformerConfig


def make_text_model(config: TransformerConfig) -> TextModel:
    """A transformer over the alphabet of `nar.text`.

    Raises:
      ValueError: if it is for another number of tokens.
    """
    if config.num_tokens != NUM_TOKENS:
        raise ValueError(f"num_tokens must be {NUM_TOKENS}, got {config.num_tokens}")

    def forward(
        tokens: jax.Array, positions: jax.Array, places: jax.Array, memories: Memories
    ) -> tuple[jax.Array, Memories]:
        return Transformer(config)(tokens, positions, places, memories)

    transformed = hk.without_apply_rng(hk.transform(forward))

    def init(key: jax.Array, batches: Mapping[str, TextBatch]) -> Params:
        del batches
        token = jnp.zeros((1, 1), jnp.int32)
        run = functools.partial(forward, token, token, token, empty_memories(config, 1, 1))
        return nest_params(draw_params(find_parameter_specs(run), run, key))

    def apply(params: Params, tokens: jax.Array, positions: jax.Array) -> jax.Array:
        B, L = tokens.shape
        places = jnp.broadcast_to(jnp.arange(L)[None], (B, L))
        return transformed.apply(params, tokens, positions, places, empty_memories(config, B, L))[0]

    return TextModel(init, apply, transformed.apply, config)


def empty_memories(config: TransformerConfig, num_texts: int, num_places: int) -> Memories:
    """Of each layer, zeros [B, W, K, D]."""
    empty = jnp.zeros((num_texts, num_places, config.num_heads, config.head_size))
    return (Memory(empty, empty),) * config.num_layers
