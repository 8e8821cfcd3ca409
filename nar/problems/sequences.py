"""Problems on sequences: keys, probabilities, tasks and activities."""

from typing import Any, NamedTuple

import numpy as np

from nar.problems.array_checks import check_same_length, integer_array, positions, real_array, real_number
from nar.problems.exact_numbers import MAX_EXACT_INTEGER, check_told_apart
from nar.problems.problem import Arguments, Array, Problem, Random
from nar.problems.scaling import Ranges, between_bounds


class KeysInput(NamedTuple):
    """Input probes of a sequence of keys."""

    pos: Array
    key: Array


def _sequence_probes(A: Array) -> KeysInput:
    return KeysInput(positions(len(A)), A)


def _sample_sequence(random: Random, size: int, low: float = 0.0, high: float = 1.0) -> Arguments:
    return (random.uniform(low=low, high=high, size=(size,)),)


def _check_sequence(A: Any) -> Arguments:
    return (real_array("A", A, rank=1),)


SEQUENCE = Problem(
    sample=_sample_sequence,
    check=_check_sequence,
    probes=_sequence_probes,
    aliases=(("key", "A"),),
    canonical=True,
    ranges=between_bounds("A"),
)
"""Keys, uniform in [low, high)."""


def _sample_signed_sequence(random: Random, size: int, low: float = -1.0, high: float = 1.0) -> Arguments:
    return (random.uniform(low=low, high=high, size=(size,)),)


SIGNED_SEQUENCE = Problem(
    sample=_sample_signed_sequence,
    check=_check_sequence,
    probes=_sequence_probes,
    aliases=(("key", "A"),),
    canonical=True,
    ranges=between_bounds("A"),
)
"""Keys, uniform in [low, high), by default of both signs."""


def _sample_search(random: Random, size: int, low: float = 0.0, high: float = 1.0) -> Arguments:
    A = np.sort(random.uniform(low=low, high=high, size=(size,)))
    return random.uniform(low=low, high=high), A


class SearchInput(NamedTuple):
    """Input probes of a search in sorted keys."""

    pos: Array
    key: Array
    target: float


def _search_probes(x: float, A: Array) -> SearchInput:
    return SearchInput(positions(len(A)), A, x)


def _check_search(x: Any, A: Any) -> Arguments:
    given = (x, A)
    x, A = real_number("x", x), real_array("A", A, rank=1)
    check_told_apart("x and A", *given)
    descents = np.flatnonzero(np.diff(A) < 0)
    if descents.size:
        first = descents[0]
        raise ValueError(f"A must be sorted in ascending order, got {A[first]:g} before {A[first + 1]:g}")
    return x, A


SEARCH = Problem(
    sample=_sample_search,
    check=_check_search,
    probes=_search_probes,
    aliases=(("target", "x"), ("key", "A")),
    canonical=True,
    ranges=between_bounds("x", "A"),
)
"""A target and sorted keys, all uniform in [low, high)."""


class DimensionsInput(NamedTuple):
    """Input probes of a matrix chain."""

    pos: Array
    p: Array


def _dimensions_probes(p: Array) -> DimensionsInput:
    return DimensionsInput(positions(len(p)), p)


def _check_dimensions(p: Any) -> Arguments:
    p = real_array("p", p, rank=1)
    if (p <= 0).any():
        raise ValueError(f"p must contain positive matrix dimensions, got {p[p <= 0][0]:g}")
    return (p,)


MATRIX_DIMENSIONS = Problem(
    sample=_sample_sequence,
    check=_check_dimensions,
    probes=_dimensions_probes,
    min_low=0.0,
    canonical=True,
    ranges=between_bounds("p"),
)
"""Dimensions of a matrix chain, uniform in [low, high); matrix i has shape p[i-1] × p[i]."""


def _sample_key_probabilities(random: Random, size: int) -> Arguments:
    weights = random.uniform(low=0.0, high=1.0, size=(2 * size + 1,))
    weights /= np.sum(weights)
    return weights[:size], weights[size:]


def _check_key_probabilities(p: Any, q: Any) -> Arguments:
    p, q = real_array("p", p, rank=1), real_array("q", q, rank=1)
    for name, probabilities in (("p", p), ("q", q)):
        if (probabilities < 0).any():
            lowest = probabilities.min()
            raise ValueError(f"{name} must not contain negative probabilities, got {lowest:g}")
    if len(q) != len(p) + 1:
        raise ValueError(
            f"q (of gaps) must be one longer than p (of keys), got lengths {len(q)} and {len(p)}"
        )
    return p, q


class KeyProbabilitiesInput(NamedTuple):
    """Input probes of the probabilities of keys and gaps; p is 0 at the last node, which has no key."""

    pos: Array
    p: Array
    q: Array


def _key_probabilities_probes(p: Array, q: Array) -> KeyProbabilitiesInput:
    return KeyProbabilitiesInput(positions(len(q)), np.append(p, 0.0), q)


KEY_PROBABILITIES = Problem(
    sample=_sample_key_probabilities,
    check=_check_key_probabilities,
    probes=_key_probabilities_probes,
    ranges=lambda size: {"p": (0.0, 1.0), "q": (0.0, 1.0)},
)
"""Search probabilities of `size` sorted keys (p) and of the size + 1 gaps around them (q).

There is one node for each gap, hence one more than `size`. Sampled probabilities sum to 1; user-provided ones
need not.
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
    latest = size
    if max_deadline is not None:
        latest = max_deadline
    d = random.randint(0, high=latest, size=(size,)) + 1
    w = random.uniform(low=low, high=high, size=(size,))
    return d, w


class TasksInput(NamedTuple):
    """Input probes of tasks."""

    pos: Array
    d: Array
    w: Array


def _tasks_probes(d: Array, w: Array) -> TasksInput:
    return TasksInput(positions(len(d)), d, w)


def _check_tasks(d: Any, w: Any) -> Arguments:
    d, w = integer_array("d", d, 1, MAX_EXACT_INTEGER), real_array("w", w, rank=1)
    check_same_length(d=d, w=w)
    return d, w


def _task_ranges(size: int, max_deadline: int | None, low: float, high: float) -> Ranges:
    return {"d": (1, size if max_deadline is None else max_deadline), "w": (low, high)}


TASKS = Problem(
    sample=_sample_tasks,
    check=_check_tasks,
    probes=_tasks_probes,
    canonical=True,
    integer_inputs=("d",),
    ranges=_task_ranges,
)
"""Unit-time tasks: deadlines uniform in 1 ... max_deadline (default: size), weights in [low, high)."""


def _sample_activities(random: Random, size: int, low: float = 0.0, high: float = 1.0) -> Arguments:
    first = random.uniform(low=low, high=high, size=(size,))
    second = random.uniform(low=low, high=high, size=(size,))
    return np.minimum(first, second), np.maximum(first, second)


class ActivitiesInput(NamedTuple):
    """Input probes of activities."""

    pos: Array
    s: Array
    f: Array


def _activities_probes(s: Array, f: Array) -> ActivitiesInput:
    return ActivitiesInput(positions(len(s)), s, f)


def _check_activities(s: Any, f: Any) -> Arguments:
    given = (s, f)
    s, f = real_array("s", s, rank=1), real_array("f", f, rank=1)
    check_same_length(s=s, f=f)
    check_told_apart("s and f", *given)
    invalid = np.flatnonzero(s >= f)
    if invalid.size:
        i = invalid[0]
        raise ValueError(f"every activity must start before it finishes, got s={s[i]:g}, f={f[i]:g}")
    return s, f


ACTIVITIES = Problem(
    sample=_sample_activities,
    check=_check_activities,
    probes=_activities_probes,
    canonical=True,
    ranges=between_bounds("s", "f"),
)
"""Activities [s, f): s and f are the smaller and the larger of two numbers uniform in [low, high)."""
