"""Character-level tokenizer."""

from collections.abc import Iterable

import numpy as np

PADDING, END = 0, 1
"""Special tokens: padding and end of text."""

CHARACTERS = "\n" + "".join(map(chr, range(ord(" "), ord("~") + 1)))
"""The line feed and printable ASCII, as in CLRS-Text; character k is token k + 2."""

NUM_TOKENS = END + 1 + len(CHARACTERS)

_NONE = NUM_TOKENS
_TOKEN_OF = np.full(128, _NONE, np.int32)
_TOKEN_OF[[ord(character) for character in CHARACTERS]] = np.arange(END + 1, NUM_TOKENS)


def encode(text: str) -> np.ndarray:
    """Tokenizes a text: int32 [characters], without `END`.

    Raises:
      ValueError: if a character is not in the alphabet.
    """
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    tokens = np.where(points < len(_TOKEN_OF), _TOKEN_OF[np.minimum(points, len(_TOKEN_OF) - 1)], _NONE)
    if (tokens == _NONE).any():
        wrong = text[int((tokens == _NONE).argmax())]
        raise ValueError(f"{wrong!r} is not in the alphabet, which is the line feed and printable ASCII")
    return tokens.astype(np.int32)


def decode(tokens: Iterable[int]) -> str:
    """Converts tokens back to text, up to the first `END`; padding is skipped.

    Raises:
      ValueError: if a token is out of range.
    """
    characters = []
    for token in map(int, tokens):
        if not 0 <= token < NUM_TOKENS:
            raise ValueError(f"tokens must be between 0 and {NUM_TOKENS - 1}, got {token}")
        if token == END:
            break
        if token != PADDING:
            characters.append(CHARACTERS[token - END - 1])
    return "".join(characters)
