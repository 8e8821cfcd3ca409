"""The language model as pure functions: Haiku stays inside this package."""

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
from nar.text.transformer.layers import KVCache, Transformer

KVCaches = tuple[KVCache, ...]


@dataclasses.dataclass(frozen=True)
class TextModel:
    """Pure functions of a language model.

    Attributes:
      init: `(key, {task: batch}) -> params`; tasks and batches do not matter.
      apply: `(params, tokens, positions) -> logits` of the next tokens, for whole texts.
      extend: `(params, tokens, positions, slots, caches) -> (logits, caches)`, for texts whose earlier tokens
        are in the caches; see `Transformer`.
      config: hyperparameters.
    """

    init: Callable[[jax.Array, Mapping[str, TextBatch]], Params]
    apply: Callable[[Params, Any, Any], jax.Array]
    extend: Callable[[Params, Any, Any, Any, KVCaches], tuple[jax.Array, KVCaches]]
    config: TransformerConfig


def make_text_model(config: TransformerConfig) -> TextModel:
    """Makes a transformer over the vocabulary of `nar.text.tokens`.

    Raises:
      ValueError: if `config.num_tokens` is not the size of that vocabulary.
    """
    if config.num_tokens != NUM_TOKENS:
        raise ValueError(f"num_tokens must be {NUM_TOKENS}, got {config.num_tokens}")

    def forward(
        tokens: jax.Array, positions: jax.Array, slots: jax.Array, caches: KVCaches
    ) -> tuple[jax.Array, KVCaches]:
        return Transformer(config)(tokens, positions, slots, caches)

    transformed = hk.without_apply_rng(hk.transform(forward))

    def init(key: jax.Array, batches: Mapping[str, TextBatch]) -> Params:
        del batches
        token = jnp.zeros((1, 1), jnp.int32)
        run = functools.partial(forward, token, token, token, empty_caches(config, 1, 1))
        return nest_params(draw_params(find_parameter_specs(run), run, key))

    def apply(params: Params, tokens: jax.Array, positions: jax.Array) -> jax.Array:
        B, L = tokens.shape
        slots = jnp.broadcast_to(jnp.arange(L)[None], (B, L))
        return transformed.apply(params, tokens, positions, slots, empty_caches(config, B, L))[0]

    return TextModel(init, apply, transformed.apply, config)


def empty_caches(config: TransformerConfig, num_texts: int, num_slots: int) -> KVCaches:
    """Zero-filled caches [B, W, K, D], one per layer."""
    empty = jnp.zeros((num_texts, num_slots, config.num_heads, config.head_size))
    return (KVCache(empty, empty),) * config.num_layers
