"""Data structures against brute force, on thousands of streams of operations."""

import numpy as np
import pytest

import nar
from nar.algorithms.data_structures.disjoint_set_union import WITH_TRUE_PARENTS, disjoint_set_union
from nar.specs import MASKED
from nar.traces import check_algorithm


def plain_steps(priority, pairs):
    """Steps of the generator, copied."""
    return [tuple(np.copy(value) for value in step) for step in disjoint_set_union(priority, pairs)]


@pytest.mark.parametrize("seed", range(40))
def test_disjoint_set_union_equals_labels_of_components(seed):
    """50 streams per seed: answers, components, depths and roots of highest priority."""
    random = np.random.RandomState(seed)
    for _ in range(50):
        size = random.randint(2, 25)
        priority, pairs = nar.ALGORITHMS["disjoint_set_union"].problem.sample(random, size, per_element=2.0)
        if seed % 2:
            priority = np.round(3 * priority)  # ties
        labels = np.arange(size)
        steps = plain_steps(priority, pairs)
        assert len(steps) == len(pairs) + 1
        for (u, v), (pair, before, *_), (_, parent, changes, connected) in zip(
            pairs, steps, steps[1:], strict=False
        ):
            assert np.flatnonzero(pair).tolist() == sorted((u, v))
            assert connected == (labels[u] == labels[v])
            labels[labels == labels[u]] = labels[v]
            roots = parent.copy()
            for _ in range(size):
                roots = parent[roots]
            assert (parent[roots] == roots).all()
            assert ((roots[:, None] == roots) == (labels[:, None] == labels)).all()
            assert (priority[roots] >= priority).all()
            np.testing.assert_array_equal(changes, before != parent)
            assert parent[parent[u]] == roots[u] and parent[parent[v]] == roots[v]  # compressed paths
        assert steps[0][3] == MASKED and not steps[-1][0].any()


@pytest.mark.jit
@pytest.mark.slow
def test_true_parents_are_a_stream():
    check_algorithm(WITH_TRUE_PARENTS)
    one = nar.sample_traces("disjoint_set_union", 9, 4, 0)
    other = nar.sample_traces(WITH_TRUE_PARENTS, 9, 4, 0)
    assert set(one.hints) == set(other.hints)
    assert [probe.name for probe in WITH_TRUE_PARENTS.spec.streams] == ["pair", "parent"]


@pytest.mark.parametrize(
    ("priority", "pairs", "message"),
    [
        ([0.1, 0.2], [[0, 2]], "two elements from 0 to 1 in each row, got 2"),
        ([0.1, 0.2], [[0, 0]], "two different elements in each row, got 0 twice"),
        ([0.1, 0.2], [[0, 1, 1]], "got shape"),
        ([0.1, 0.2], [[0, 0.5]], "got 0.5"),
        ([2**53 + 1, 2**53], [[0, 1]], "that float64 represents"),
    ],
)
def test_invalid_unions_are_refused(priority, pairs, message):
    with pytest.raises(ValueError, match=message):
        nar.run_algorithm("disjoint_set_union", priority=priority, pairs=pairs)


@pytest.mark.parametrize("value", [0, -1.5, float("nan"), float("inf"), 1001, True, "2", (1.0, 2.0)])
def test_invalid_numbers_of_pairs_are_refused(value):
    with pytest.raises(ValueError, match="per_element must be a number greater than 0 and at most 1000"):
        nar.sample_traces("disjoint_set_union", 4, 1, 0, per_element=value)
    assert nar.sample_traces("disjoint_set_union", 4, 1, 0, per_element=2).lengths == [9]
