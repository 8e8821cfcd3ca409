"""Sequences of numbers, and tasks."""

from typing import Any

from nar.problems.arrays import integer_array, positions, real_array, same_length
from nar.problems.definition import Arguments, Problem, Random
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


# ---------------------------------------------------------------------------------------------------
# Tasks


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
