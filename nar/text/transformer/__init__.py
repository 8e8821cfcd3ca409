"""Character-level language model: a decoder-only transformer with rotary positions."""

from nar.text.transformer.config import TransformerConfig
from nar.text.transformer.layers import KVCache
from nar.text.transformer.model import TextModel, empty_caches, make_text_model
from nar.text.transformer.rotary import rotate

__all__ = [
    "KVCache",
    "TextModel",
    "TransformerConfig",
    "empty_caches",
    "make_text_model",
    "rotate",
]
