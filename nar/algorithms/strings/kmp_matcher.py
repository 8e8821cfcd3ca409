"""String matching by the Knuth-Morris-Pratt algorithm."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER
from nar.algorithms.shared.strings import STRING_INPUTS, string_predecessors
from nar.problems import TEXT_AND_PATTERN
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs=STRING_INPUTS,
    hints={
        **FIXED_ORDER,
        "pi": (Location.NODE, Kind.POINTER),
        "is_reset": (Location.NODE, Kind.MASK),
        "k": (Location.NODE, Kind.MASK_ONE),
        "k_reset": (Location.GRAPH, Kind.MASK),
        "q": (Location.NODE, Kind.MASK_ONE),
        "q_reset": (Location.GRAPH, Kind.MASK),
        "s": (Location.NODE, Kind.MASK_ONE),
        "i": (Location.NODE, Kind.MASK_ONE),
        "phase": (Location.GRAPH, Kind.MASK),
    },
    outputs={"match": (Location.NODE, Kind.MASK_ONE)},
)

PREFIX, MATCH = 0, 1


class Hints(NamedTuple):
    pred_h: np.ndarray
    pi: np.ndarray
    is_reset: np.ndarray
    k: int
    k_reset: int
    q: int
    q_reset: int
    s: int
    i: int
    phase: int


@register_jitable
def last_index(length):
    """Index of the last character of a prefix; the empty prefix has index 0 (and hints mark it as reset)."""
    return max(length - 1, 0)


@register_jitable
def prefix_function(P, pi):
    """Fills pi; yields (k, q) whenever k, the length of the prefix that P[q] may extend, is updated."""
    k = 0
    for q in range(1, len(P)):
        while k > 0 and P[k] != P[q]:
            k = pi[k - 1]
            yield k, q
        if P[k] == P[q]:
            k += 1
        pi[q] = k
        yield k, q


@register_jitable
def make_hints(pred_h, pi, k, q, q_reset, i, phase):
    """Hints for prefixes of lengths pi and k, index q of P and index i of T."""
    m = len(pi)
    n = len(pred_h) - m
    pointers = np.arange(n + m)
    is_reset = np.zeros(n + m, np.int8)
    for position in range(m):
        pointers[n + position] = n + last_index(pi[position])
        is_reset[n + position] = pi[position] == 0
    return Hints(
        pred_h=pred_h,
        pi=pointers,
        is_reset=is_reset,
        k=n + last_index(k),
        k_reset=k == 0,
        q=n + q,
        q_reset=q_reset,
        s=max(i - m + 1, 0),
        i=i,
        phase=phase,
    )


def kmp_matcher(T, P, match):
    """Computes the prefix function pi of P, then scans T once; outputs the head of P if there is no match.

    pi[q] is the length of the longest proper prefix of P[:q + 1] that is also its suffix. In the PREFIX phase
    q is an index of P; in the MATCH phase it is the number of characters that match.
    """
    n, m = len(T), len(P)
    pred_h = string_predecessors(n, m)
    pi = np.arange(1, m + 1)  # indices without a value yet point to themselves
    pi[0] = 0
    k = 0
    yield make_hints(pred_h, pi, k, min(1, m - 1), True, 0, PREFIX)
    for length, q in prefix_function(P, pi):
        k = length
        yield make_hints(pred_h, pi, k, q, True, 0, PREFIX)
    match[()] = n
    q = 0
    for i in range(n):
        yield make_hints(pred_h, pi, k, last_index(q), q == 0, i, MATCH)
        while q > 0 and P[q] != T[i]:
            q = pi[q - 1]
            yield make_hints(pred_h, pi, k, last_index(q), q == 0, i, MATCH)
        if P[q] == T[i]:
            q += 1
        if q == m:
            match[()] = i - m + 1
            break


KMP_MATCHER = Algorithm(
    name="kmp_matcher",
    family="strings",
    spec=SPEC,
    problem=TEXT_AND_PATTERN,
    steps=kmp_matcher,
    source="Knuth et al. 1977; Cormen et al., Introduction to Algorithms, 3rd ed., section 32.4, p. 1005",
    fixed_hints=("pred_h",),
    clrs30_multiplier=64,
    in_clrs30=True,
)
