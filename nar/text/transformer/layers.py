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
    """Key-value cache of one layer: B texts, W slots, K heads, D features.

    Attributes:
      keys: [B, W, K, D], already rotated.
      values: [B, W, K, D].
    """

    keys: Array
    values: Array


class Attention(hk.Module):
    """Causal multi-head self-attention with a key-value cache."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(name="attention")
        self._config = config

    def __call__(self, x: Array, positions: Array, slots: Array, cache: KVCache) -> tuple[Array, KVCache]:
        """Returns new features [B, L, H] and the updated cache; arguments are those of `Transformer`."""
        config = self._config
        heads = (*x.shape[:2], config.num_heads, config.head_size)
        query, key, value = (
            Linear(config.hidden_size, bias=None, name=name)(x).reshape(heads)
            for name in ("query", "key", "value")
        )
        query, key = (rotate(part, positions, config.rope_theta) for part in (query, key))
        cache = KVCache(*(_put(old, slots, new) for old, new in zip(cache, (key, value), strict=True)))
        logits = jnp.einsum("blkd,bwkd->bklw", query, cache.keys) / config.head_size**0.5
        is_before = jnp.arange(cache.keys.shape[1])[None, None, :] <= slots[:, :, None]
        weights = jax.nn.softmax(jnp.where(is_before[:, None], logits, -jnp.inf), axis=-1)
        attended = jnp.einsum("bklw,bwkd->blkd", weights, cache.values).reshape(x.shape)
        return _residual_projection(config, "result")(attended), cache


def _put(cache: Array, slots: Array, new: Array) -> Array:
    """Writes entries [B, L, K, D] to the slots [B, L] of a cache [B, W, K, D]."""
    if cache.shape == new.shape:
        return new
    rows = jnp.arange(cache.shape[0])[:, None]
    return cache.at[rows, slots].set(new)


def _residual_projection(config: TransformerConfig, name: str) -> Linear:
    """Output projection of a residual branch, initialized with a variance of 1 / (2 * layers * fan-in)."""
    initial = hk.initializers.VarianceScaling(1.0 / (2 * config.num_layers), "fan_in", "truncated_normal")
    return Linear(config.hidden_size, bias=None, w_init=initial, name=name)


class FeedForward(hk.Module):
    """Position-wise feed-forward network with a GELU."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(name="feed_forward")
        self._config = config

    def __call__(self, x: Array) -> Array:
        """Maps [B, L, H] to [B, L, H]."""
        inner = Linear(self._config.widening * self._config.hidden_size, name="inner")(x)
        return _residual_projection(self._config, "outer")(jax.nn.gelu(inner))


class Layer(hk.Module):
    """Pre-norm transformer block: attention, then a feed-forward network, each with a residual connection."""

    def __init__(self, config: TransformerConfig, name: str) -> None:
        super().__init__(name=name)
        self._config = config

    def __call__(self, x: Array, positions: Array, slots: Array, cache: KVCache) -> tuple[Array, KVCache]:
        """Returns new features [B, L, H] and the updated cache; arguments are those of `Transformer`."""
        attended, cache = Attention(self._config)(
            LayerNorm(name="attention_norm")(x), positions, slots, cache
        )
        x = x + attended
        return x + FeedForward(self._config)(LayerNorm(name="feed_forward_norm")(x)), cache


class Transformer(hk.Module):
    """Decoder-only transformer, from tokens to next-token logits."""

    def __init__(self, config: TransformerConfig, name: str = "transformer") -> None:
        super().__init__(name=name)
        self._config = config

    def __call__(
        self, tokens: Array, positions: Array, slots: Array, caches: tuple[KVCache, ...]
    ) -> tuple[Array, tuple[KVCache, ...]]:
        """Processes L tokens of each of B texts.

        Args:
          tokens: int32 [B, L].
          positions: int32 [B, L], for the rotary embeddings.
          slots: int32 [B, L], cache slots of the tokens, 0, 1, ... in each text. A token attends to the slots
            up to its own.
          caches: of each layer, with W slots that hold the earlier tokens. If W = L, the tokens are whole
            texts, and the contents of the caches are ignored.

        Returns:
          Next-token logits, float32 [B, L, V], and the caches with these tokens added.
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
