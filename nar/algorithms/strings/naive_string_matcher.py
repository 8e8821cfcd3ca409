"""Naive string matching."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER
from nar.algorithms.shared.strings import STRING_INPUTS, string_predecessors
from nar.problems import TEXT_AND_PATTERN
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs=STRING_INPUTS,
    hints={
        **FIXED_ORDER,
        "s": (Location.NODE, Kind.MASK_ONE),
        "i": (Location.NODE, Kind.MASK_ONE),
        "j": (Location.NODE, Kind.MASK_ONE),
    },
    outputs={"match": (Location.NODE, Kind.MASK_ONE)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    s: int
    i: int
    j: int


def naive_string_matcher(T, P, match):
    """Compares T[s + j] with P[j] at each shift s until they differ; without a match, outputs P's head."""
    n, m = len(T), len(P)
    pred_h = string_predecessors(n, m)
    match[()] = n
    for s in range(n - m + 1):
        j = 0
        yield Hints(pred_h=pred_h, s=s, i=s, j=n)
        while j < m - 1 and T[s + j] == P[j]:
            j += 1
            yield Hints(pred_h=pred_h, s=s, i=s + j, j=n + j)
        if T[s + j] == P[j]:
            match[()] = s
            break


NAIVE_STRING_MATCHER = Algorithm(
    name="naive_string_matcher",
    family="strings",
    spec=SPEC,
    problem=TEXT_AND_PATTERN,
    steps=naive_string_matcher,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., section 32.1, p. 988",
    fixed_hints=("pred_h",),
    clrs30_multiplier=64,
    in_clrs30=True,
)
