"""Strings over a small alphabet."""

from typing import Any

import numpy as np

from nar.problems.arrays import integer_array, one_hot, positions
from nar.problems.definition import Arguments, Array, Problem, Random
from nar.problems.options import NUM_CHARACTERS


def _sample_string(random: Random, length: int, chars: int) -> Array:
    return random.randint(0, high=chars, size=(length,))


def _check_strings(**strings: Any) -> tuple[Array, ...]:
    """Both strings as letters 0, 1, ...: given so, or as text, whose letters are numbered in their order."""
    if all(isinstance(string, str) for string in strings.values()):
        letters = sorted(set().union(*strings.values()))
        if len(letters) > NUM_CHARACTERS:
            names, found = " and ".join(strings), "".join(letters)
            raise ValueError(f"{names} may use {NUM_CHARACTERS} different letters, got {found!r}")
        strings = {name: [letters.index(c) for c in string] for name, string in strings.items()}
    return tuple(integer_array(name, string, 0, NUM_CHARACTERS - 1) for name, string in strings.items())


def _two_strings_probes(first: Array, second: Array) -> dict[str, Array]:
    return {
        "string": np.concatenate([np.zeros_like(first), np.ones_like(second)], axis=1),
        "pos": np.concatenate([positions(first), positions(second)], axis=1),
        "key": one_hot(np.concatenate([first, second], axis=1), NUM_CHARACTERS),
    }


def _sample_two_strings(random: Random, size: int, chars: int = NUM_CHARACTERS) -> Arguments:
    length_y = size // 2
    x = _sample_string(random, size - length_y, chars)
    y = _sample_string(random, length_y, chars)
    return x, y


def _check_two_strings(x: Any, y: Any) -> Arguments:
    return _check_strings(x=x, y=y)


TWO_STRINGS = Problem(
    sample=_sample_two_strings, check=_check_two_strings, probes=_two_strings_probes, min_size=2
)
"""Two strings over `chars` characters; `size` is the sum of their lengths, the first is the longer one."""


def _sample_text_and_pattern(
    random: Random, size: int, length_needle: int | None = None, chars: int = NUM_CHARACTERS
) -> Arguments:
    if length_needle is None:
        m = max(1, size // 5)
    elif length_needle < 0:
        m = random.randint(1, high=1 - int(length_needle))
    else:
        m = int(length_needle)
    n = size - m
    P = _sample_string(random, m, chars)
    T = _sample_string(random, n, chars)
    s = random.choice(n - m)
    T[s : s + m] = P
    return T, P


def _check_length_of_pattern(size: int, length_needle: int | None, chars: int) -> None:
    del chars
    if length_needle is not None and 2 * abs(int(length_needle)) >= size:
        raise ValueError(
            f"size, of haystack and needle together, must be more than twice the length of the needle, "
            f"got size={size} with length_needle={length_needle}"
        )


def _check_text_and_pattern(T: Any, P: Any) -> Arguments:
    T, P = _check_strings(T=T, P=P)
    if len(P) > len(T):
        raise ValueError(f"P must not be longer than T, got lengths {len(P)} and {len(T)}")
    return T, P


TEXT_AND_PATTERN = Problem(
    sample=_sample_text_and_pattern,
    check=_check_text_and_pattern,
    probes=_two_strings_probes,
    min_size=3,
    aliases=(("haystack", "T"), ("needle", "P")),
    check_draw=_check_length_of_pattern,
)
"""A text over `chars` characters (the haystack), and a pattern that occurs in it (the needle).

`size` is the sum of their lengths. The pattern's is a fifth of it, or `length_needle`, or if that is negative
uniform in 1 ... -length_needle. The pattern is written over the text at a place that is uniform, except that
it never ends the text.

The recipe of Ibarz et al. (arXiv 2209.11142) trains on the one size of 20, with lengths of the pattern from 1
to 8 (length_needle=-8), so that it is 1 to 8 characters in a text of 12 to 19.
"""
