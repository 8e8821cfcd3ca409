"""Problems on strings over a small alphabet."""

from typing import Any, NamedTuple

import numpy as np

from nar.problems.array_checks import integer_array, positions
from nar.problems.options import NUM_CHARACTERS
from nar.problems.problem import Arguments, Array, Problem, Random


def _check_strings(**strings: Any) -> tuple[Array, ...]:
    """Validates strings given as integer arrays or text, whose letters are numbered in alphabetical order."""
    if all(isinstance(string, str) for string in strings.values()):
        letters = sorted(set().union(*strings.values()))
        if len(letters) > NUM_CHARACTERS:
            names, found = " and ".join(strings), "".join(letters)
            raise ValueError(f"{names} may use at most {NUM_CHARACTERS} different letters, got {found!r}")
        strings = {name: [letters.index(c) for c in string] for name, string in strings.items()}
    return tuple(integer_array(name, string, 0, NUM_CHARACTERS - 1) for name, string in strings.items())


class StringsInput(NamedTuple):
    """Input probes of two concatenated strings: which string, the position in it, the character."""

    string: Array
    pos: Array
    key: Array


def _strings_probes(first: Array, second: Array) -> StringsInput:
    return StringsInput(
        np.append(np.zeros_like(first), np.ones_like(second)),
        np.append(positions(len(first)), positions(len(second))),
        np.append(first, second),
    )


def _sample_two_strings(
    random: Random, size: int, length_2: int | None = None, chars: int = NUM_CHARACTERS
) -> Arguments:
    m, n = size - size // 2, size // 2
    if length_2 is not None:
        m, n = size, length_2
    x = random.randint(0, high=chars, size=(m,))
    y = random.randint(0, high=chars, size=(n,))
    return x, y


def _check_two_strings(x: Any, y: Any) -> Arguments:
    return _check_strings(x=x, y=y)


TWO_STRINGS = Problem(
    sample=_sample_two_strings,
    check=_check_two_strings,
    probes=_strings_probes,
    ranges=lambda size, chars, **options: {"x": (0, chars - 1), "y": (0, chars - 1)},
    min_size=2,
    canonical=True,
)
"""Two strings over `chars` characters.

`size` is the sum of their lengths, of which the first has half, rounded up. If `length_2` is given, `size` is
the length of the first string and `length_2` that of the second.
"""


def _sample_text_and_pattern(
    random: Random, size: int, length_needle: int | None = None, chars: int = NUM_CHARACTERS
) -> Arguments:
    m = max(1, size // 5)
    if length_needle is not None:
        m = random.randint(1, high=1 - length_needle) if length_needle < 0 else length_needle
    n = size - m
    P = random.randint(0, high=chars, size=(m,))
    T = random.randint(0, high=chars, size=(n,))
    s = random.choice(n - m)
    T[s : s + m] = P
    return T, P


def _check_length_of_pattern(size: int, length_needle: int | None, chars: int) -> None:
    del chars
    if length_needle is not None and 2 * abs(int(length_needle)) >= size:
        raise ValueError(
            f"size (of haystack and needle together) must be more than twice the length of the needle, "
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
    probes=_strings_probes,
    ranges=lambda size, chars, **options: {"T": (0, chars - 1), "P": (0, chars - 1)},
    min_size=3,
    aliases=(("haystack", "T"), ("needle", "P")),
    check_options=_check_length_of_pattern,
    canonical=True,
)
"""A text over `chars` characters (the haystack) and a pattern that occurs in it (the needle).

`size` is the sum of their lengths. The pattern has size // 5 characters (at least 1) by default,
`length_needle` characters if that is positive, and uniformly 1 ... -length_needle characters if it is
negative. The pattern overwrites the text at a uniform position that is never the last possible one.

The recipe of Ibarz et al. (arXiv 2209.11142) trains on the single size 20 with length_needle=-8: patterns of
1 to 8 characters in texts of 12 to 19.
"""
