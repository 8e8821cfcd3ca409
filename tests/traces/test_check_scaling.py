"""Declarations of scaling that are false are found; those of all built-in algorithms are true."""

import dataclasses

import numpy as np
import pytest

from nar import ALGORITHMS
from nar.problems.scaling import Scaling
from nar.traces.check_scaling import check_scaling

SCALED = [name for name, one in ALGORITHMS.items() if one.scaling is not None]


def check(algorithm, size=6, count=4):
    size = max(size, algorithm.problem.min_size)
    random = np.random.RandomState(0)
    instances = [algorithm.problem.sample(random, size) for _ in range(count)]
    check_scaling(algorithm.name, algorithm, size, instances)


@pytest.mark.parametrize("name", SCALED)
def test_built_in_declarations_are_true(name):
    check(ALGORITHMS[name])


@pytest.mark.parametrize(
    ("name", "scaling", "message"),
    [
        (
            "dijkstra",
            Scaling(("A",), "motion", {"d": 1}),
            "A plus 4096: the output 'pi' differs, so .* does not have the declared invariance 'motion'",
        ),
        ("dijkstra", Scaling(("A",), "factor", {"d": 2}), "A times 1024: the hint 'd' does not grow .* of 2"),
        ("jarvis_march", Scaling(("xs", "ys"), "order"), "cubed: .*differs|cubed: .* steps become"),
        (
            "graham_scan",
            Scaling(("xs",), "factor", {"atans": 0}),
            "xs times .*: the hint .atans. does not grow",
        ),
        ("task_scheduling", Scaling(("w", "d"), "order", {"t": 0}), "w, d times"),
    ],
)
def test_false_declarations_are_named(name, scaling, message):
    with pytest.raises(AssertionError, match=f"{name}: scaling: instance .*{message}"):
        check(dataclasses.replace(ALGORITHMS[name], scaling=scaling), size=8)


def test_hints_without_a_unit_are_not_compared():
    kadane = ALGORITHMS["find_maximum_subarray_kadane"]
    for degrees, is_true in (({"best_sum": 1, "sum": None}, True), ({"best_sum": 1, "sum": 0}, False)):
        algorithm = dataclasses.replace(kadane, scaling=Scaling(("A",), degrees=degrees))
        if is_true:
            check(algorithm)
        else:
            with pytest.raises(AssertionError, match="the hint 'sum' does not grow"):
                check(algorithm)


def test_scaling_without_a_range_is_an_error():
    problem = dataclasses.replace(ALGORITHMS["minimum"].problem, ranges=lambda size, **options: {})
    with pytest.raises(AssertionError, match="minimum: scaling never takes place, .* no range of 'A'"):
        check(dataclasses.replace(ALGORITHMS["minimum"], problem=problem))
