"""A language model over characters: a decoder-only transformer with rotary positions, and its answers."""

from nar.model.text.config import TransformerConfig
from nar.model.text.generation import Generate, make_generate
from nar.model.text.net import TextModel, empty_memories, make_text_model
from nar.model.text.rotary import rotate
from nar.model.text.transformer import Memory

__all__ = [
    "Generate",
    "Memory",
    "TextModel",
    "TransformerConfig",
    "empty_memories",
    "make_generate",
    "make_text_model",
    "rotate",
]
