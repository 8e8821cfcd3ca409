"""Texts as batches of characters: alphabet, positions, the stream of training batches."""

from nar.batches.text.characters import CHARACTERS, END, NUM_TOKENS, PADDING, decode, encode
from nar.batches.text.positions import Positions
from nar.batches.text.stream import TextBatch, TextStream, TextTask, bucket_width

__all__ = [
    "CHARACTERS",
    "END",
    "NUM_TOKENS",
    "PADDING",
    "Positions",
    "TextBatch",
    "TextStream",
    "TextTask",
    "bucket_width",
    "decode",
    "encode",
]
