"""Strings over a small alphabet."""

from typing import Any

import numpy as np

from nar.problems.arrays import integer_array, one_hot, positions
from nar.problems.definition import Arguments, Array, Problem, Random

NUM_CHARACTERS = 4


def _sample_two_strings(random: Random, size: int) -> Arguments:
    length_y = size // 2
    x = random.randint(0, high=NUM_CHARACTERS, size=(size - length_y,))
    y = random.randint(0, high=NUM_CHARACTERS, size=(length_y,))
    return x, y


def _check_two_strings(x: Any, y: Any) -> Arguments:
    if isinstance(x, str) and isinstance(y, str):
        letters = sorted(set(x + y))
        if len(letters) > NUM_CHARACTERS:
            found = "".join(letters)
            raise ValueError(f"x and y may use {NUM_CHARACTERS} different letters, got {found!r}")
        x, y = ([letters.index(letter) for letter in string] for string in (x, y))
    highest = NUM_CHARACTERS - 1
    return integer_array("x", x, 0, highest), integer_array("y", y, 0, highest)


def _two_strings_probes(x: Array, y: Array) -> dict[str, Array]:
    return {
        "string": np.concatenate([np.zeros_like(x), np.ones_like(y)], axis=1),
        "pos": np.concatenate([positions(x), positions(y)], axis=1),
        "key": one_hot(np.concatenate([x, y], axis=1), NUM_CHARACTERS),
    }


TWO_STRINGS = Problem(
    sample=_sample_two_strings, check=_check_two_strings, probes=_two_strings_probes, min_size=2
)
"""Two strings over four characters; `size` is the sum of their lengths, the first is the longer one."""
