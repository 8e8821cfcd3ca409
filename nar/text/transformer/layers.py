"""A decoder-only transformer, pre-norm, with rotary positions (Radford et al. 2019; arXiv 2104.09864)."""

from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.layers.linear import Linear
from nar.processors.layers.norm import LayerNorm
from nar.text.transformer.config import TransformerConfig
from nar.text.transformer.rotary import rotate

Array = jax.Array


class KVCache(NamedTuple):
    """Turned keys and values of one layer for the tokens so far: B texts, W places, K heads, D features.

    Attributes:
      keys: [B, W, K, D].
      values: [B, W, K, D].
    """

    keys: Array
    values: Array


class Attention(hk.Module):
    """Each token attends to itself and to the tokens before it."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(name="attention")
        self._config = config

    def __call__(self, x: Array, positions: Array, slots: Array, cache: KVCache) -> tuple[Array, KVCache]:
        """New features [B, L, H] and memory; arguments are those of `transformer`."""
        config = self._config
        heads = (*x.shape[:2], config.num_heads, config.head_size)
        query, key, value = (
            Linear(config.hidden_size, bias=None, name=name)(x).reshape(heads)
            for name in ("query", "key", "value")
        )
        query, key = (rotate(part, positions, config.longest_wave) for part in (query, key))
        cache = KVCache(*(_put(old, slots, new) for old, new in zip(cache, (key, value), strict=True)))
        logits = jnp.einsum("blkd,bwkd->bklw", query, cache.keys) / config.head_size**0.5
        is_before = jnp.arange(cache.keys.shape[1])[None, None, :] <= slots[:, :, None]
        weights = jax.nn.softmax(jnp.where(is_before[:, None], logits, -jnp.inf), axis=-1)
        found = jnp.einsum("bklw,bwkd->blkd", weights, cache.values).reshape(x.shape)
        return _into_residual(config, "result")(found), cache


def _put(cache: Array, slots: Array, new: Array) -> Array:
    """The memory [B, W, K, D] with new entries [B, L, K, D] at places [B, L]."""
    if cache.shape == new.shape:
        return new
    rows = jnp.arange(cache.shape[0])[:, None]
    return cache.at[rows, slots].set(new)


def _into_residual(config: TransformerConfig, name: str) -> Linear:
    """A map to what is added to the states, smaller the more layers add to them."""
    initial = hk.initializers.VarianceScaling(1.0 / (2 * config.num_layers), "fan_in", "truncated_normal")
    return Linear(config.hidden_size, bias=None, w_init=initial, name=name)


class FeedForward(hk.Module):
    """Two maps with a GELU in between, for each token by itself."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(name="feed_forward")
        self._config = config

    def __call__(self, x: Array) -> Array:
        """Maps [B, L, H] to [B, L, H]."""
        inner = Linear(self._config.widening * self._config.hidden_size, name="inner")(x)
        return _into_residual(self._config, "outer")(jax.nn.gelu(inner))


class Layer(hk.Module):
    """Attention, then a feed-forward network, each behind a norm and added to the states."""

    def __init__(self, config: TransformerConfig, name: str) -> None:
        super().__init__(name=name)
        self._config = config

    def __call__(self, x: Array, positions: Array, slots: Array, cache: KVCache) -> tuple[Array, KVCache]:
        """New states [B, L, H] and memory; arguments are those of `transformer`."""
        found, cache = Attention(self._config)(LayerNorm(name="attention_norm")(x), positions, slots, cache)
        x = x + found
        return x + FeedForward(self._config)(LayerNorm(name="feed_forward_norm")(x)), cache


class Transformer(hk.Module):
    """The whole network, from tokens to what comes behind each of them."""

    def __init__(self, config: TransformerConfig, name: str = "transformer") -> None:
        super().__init__(name=name)
        self._config = config

    def __call__(
        self, tokens: Array, positions: Array, slots: Array, caches: tuple[KVCache, ...]
    ) -> tuple[Array, tuple[KVCache, ...]]:
        """Reads L tokens of each of B texts.

        Args:
          tokens: int32 [B, L].
          positions: int32 [B, L], what rotations are told.
          slots: int32 [B, L], 0, 1, ... in each text: a token sees the places up to its own.
          caches: of each layer, of the places before; if there are as many places as tokens, all are read
            here, and what is in the memory does not matter.

        Returns:
          Logits of the next token, float32 [B, L, tokens of the alphabet], and the memories with these
          tokens in them.
        """
        config = self._config
        initial = hk.initializers.TruncatedNormal(1.0)
        embeddings = hk.get_parameter("embeddings", [config.num_tokens, config.hidden_size], init=initial)
        x = embeddings[tokens]
        new = []
        for index, cache in enumerate(caches):
            x, cache = Layer(config, f"layer_{index}")(x, positions, slots, cache)
            new.append(cache)
        return Linear(config.num_tokens, name="next")(LayerNorm(name="norm")(x)), tuple(new)
