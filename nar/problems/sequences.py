"""Sequences of numbers, tasks and activities."""

from typing import Any

import numpy as np

from nar.problems.arrays import integer_array, positions, real_array, real_number, same_length
from nar.problems.definition import Arguments, Array, Problem, Random
from nar.problems.options import NO_BOUND


def _sample_sequence(random: Random, size: int, low: float = 0.0, high: float = 1.0) -> Arguments:
    return (random.uniform(low=low, high=high, size=(size,)),)


def _check_sequence(A: Any) -> Arguments:
    return (real_array("A", A, rank=1),)


SEQUENCE = Problem(
    sample=_sample_sequence,
    check=_check_sequence,
    probes=lambda A: {"pos": positions(A), "key": A},
    aliases=(("key", "A"),),
)
"""Keys, uniform in [low, high)."""


def _sample_signed_sequence(random: Random, size: int, low: float = -1.0, high: float = 1.0) -> Arguments:
    return _sample_sequence(random, size, low, high)


SIGNED_SEQUENCE = Problem(
    sample=_sample_signed_sequence,
    check=_check_sequence,
    probes=lambda A: {"pos": positions(A), "key": A},
    aliases=(("key", "A"),),
)
"""Keys, uniform in [low, high), of both signs by default."""


def _sample_search(random: Random, size: int, low: float = 0.0, high: float = 1.0) -> Arguments:
    A = np.sort(random.uniform(low=low, high=high, size=(size,)))
    return random.uniform(low=low, high=high), A


def _check_search(x: Any, A: Any) -> Arguments:
    x, A = real_number("x", x), real_array("A", A, rank=1)
    falls = np.flatnonzero(np.diff(A) < 0)
    if falls.size:
        first = falls[0]
        raise ValueError(f"A must be sorted in ascending order, got {A[first]:g} before {A[first + 1]:g}")
    return x, A


SEARCH = Problem(
    sample=_sample_search,
    check=_check_search,
    probes=lambda x, A: {"pos": positions(A), "key": A, "target": x},
    aliases=(("target", "x"), ("key", "A")),
)
"""A target and sorted keys, all uniform in [low, high)."""


def _check_dimensions(p: Any) -> Arguments:
    p = real_array("p", p, rank=1)
    if (p <= 0).any():
        raise ValueError(f"p must hold positive matrix dimensions, got {p[p <= 0][0]:g}")
    return (p,)


MATRIX_DIMENSIONS = Problem(
    sample=_sample_sequence,
    check=_check_dimensions,
    probes=lambda p: {"pos": positions(p), "p": p},
    min_low=0.0,
)
"""Dimensions of a chain of matrices, uniform in [low, high); matrix i is p[i-1] × p[i]."""


def _sample_key_probabilities(random: Random, size: int) -> Arguments:
    weights = random.uniform(low=0.0, high=1.0, size=(2 * size + 1,))
    weights /= np.sum(weights)
    return weights[:size], weights[size:]


def _check_key_probabilities(p: Any, q: Any) -> Arguments:
    p, q = real_array("p", p, rank=1), real_array("q", q, rank=1)
    for name, probabilities in (("p", p), ("q", q)):
        if (probabilities < 0).any():
            lowest = probabilities.min()
            raise ValueError(f"{name} must not hold negative probabilities, got {lowest:g}")
    if len(q) != len(p) + 1:
        raise ValueError(
            f"q, of the gaps between keys, must be longer by one than p, of the keys; "
            f"got lengths {len(q)} and {len(p)}"
        )
    return p, q


def _key_probabilities_probes(p: Array, q: Array) -> dict[str, Array]:
    return {"pos": positions(q), "p": np.pad(p, ((0, 0), (0, 1))), "q": q}


KEY_PROBABILITIES = Problem(
    sample=_sample_key_probabilities, check=_check_key_probabilities, probes=_key_probabilities_probes
)
"""How often each of `size` sorted keys is looked up (p), and each of the size + 1 gaps around them (q).

There is one node for each gap, hence one more than `size`. Those drawn sum to 1; a user's own need not.
"""


# ---------------------------------------------------------------------------------------------------
# Tasks and activities


def _sample_tasks(
    random: Random,
    size: int,
    max_deadline: int | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> Arguments:
    d = random.randint(0, high=max_deadline or size, size=(size,)) + 1
    w = random.uniform(low=low, high=high, size=(size,))
    return d, w


def _check_tasks(d: Any, w: Any) -> Arguments:
    d, w = integer_array("d", d, 1, NO_BOUND), real_array("w", w, rank=1)
    same_length(d=d, w=w)
    return d, w


TASKS = Problem(
    sample=_sample_tasks,
    check=_check_tasks,
    probes=lambda d, w: {"pos": positions(d), "d": d, "w": w},
)
"""Unit-time tasks: deadlines uniform in 1 ... max_deadline (if None, the size), weights in [low, high)."""


def _sample_activities(random: Random, size: int, low: float = 0.0, high: float = 1.0) -> Arguments:
    first, second = (random.uniform(low=low, high=high, size=(size,)) for _ in range(2))
    return np.minimum(first, second), np.maximum(first, second)


def _check_activities(s: Any, f: Any) -> Arguments:
    s, f = real_array("s", s, rank=1), real_array("f", f, rank=1)
    same_length(s=s, f=f)
    wrong = np.flatnonzero(s >= f)
    if wrong.size:
        i = wrong[0]
        raise ValueError(f"every activity must start before it finishes, got s={s[i]:g}, f={f[i]:g}")
    return s, f


ACTIVITIES = Problem(
    sample=_sample_activities,
    check=_check_activities,
    probes=lambda s, f: {"pos": positions(s), "s": s, "f": f},
)
"""Activities [s, f): the lesser and the greater of two numbers uniform in [low, high)."""
