"""Data structures against brute force, on thousands of streams of operations."""

import networkx
import numpy as np
import pytest

import nar
from nar.algorithms.data_structures import disjoint_set_union as unions
from nar.algorithms.data_structures import link_cut_trees as trees
from nar.specs import MASKED
from nar.traces import check_algorithm


def plain_steps(generator, *arguments):
    """Steps of a generator, copied."""
    return [tuple(np.copy(value) for value in step) for step in generator(*arguments)]


def roots_of(parent):
    """The root of each element."""
    roots = parent.copy()
    for _ in parent:
        roots = parent[roots]
    assert (parent[roots] == roots).all()
    return roots


def same(labels):
    """True for the pairs of elements that have the same label, [N, N]."""
    return labels[:, None] == labels


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
        steps = plain_steps(unions.disjoint_set_union, priority, pairs)
        assert len(steps) == len(pairs) + 1
        for (u, v), (pair, before, *_), (_, parent, changes, connected) in zip(
            pairs, steps, steps[1:], strict=False
        ):
            assert np.flatnonzero(pair).tolist() == sorted((u, v))
            assert connected == (labels[u] == labels[v])
            labels[labels == labels[u]] = labels[v]
            roots = roots_of(parent)
            assert (same(roots) == same(labels)).all()
            assert (priority[roots] >= priority).all()
            np.testing.assert_array_equal(changes, before != parent)
            assert parent[parent[u]] == roots[u] and parent[parent[v]] == roots[v]  # compressed paths
        assert steps[0][3] == MASKED and not steps[-1][0].any()


def labels_of_trees(size, edges):
    """The lowest node of the tree of each node."""
    graph = networkx.empty_graph(size)
    graph.add_edges_from(edges)
    labels = np.zeros(size, int)
    for tree in networkx.connected_components(graph):
        labels[list(tree)] = min(tree)
    return labels


@pytest.mark.parametrize("seed", range(40))
def test_link_cut_trees_equal_a_set_of_edges(seed):
    """25 streams per seed: answers, and trees after each operation, all as a set of edges has them."""
    random = np.random.RandomState(seed)
    for _ in range(25):
        size = random.randint(2, 16)
        _, pairs = nar.ALGORITHMS["link_cut_trees"].problem.sample(random, size, per_element=3.0)
        edges, labels = set(), np.arange(size)
        steps = plain_steps(trees.link_cut_trees, size, pairs)
        assert len(steps) == len(pairs) + 1
        for (u, v), (pair, before, *_), (_, parent, changes, connected) in zip(
            pairs, steps, steps[1:], strict=False
        ):
            assert np.flatnonzero(pair).tolist() == sorted((u, v))
            assert connected == (labels[u] == labels[v])
            edge = (min(u, v), max(u, v))
            if edge in edges:
                edges.remove(edge)
            elif not connected:
                edges.add(edge)
            labels = labels_of_trees(size, edges)
            assert (same(roots_of(parent)) == same(labels)).all()
            np.testing.assert_array_equal(changes, before != parent)
        assert steps[0][3] == MASKED and not steps[-1][0].any()


def test_half_of_the_sampled_pairs_are_edges():
    counts = []
    for seed in range(50):
        _, pairs = nar.ALGORITHMS["link_cut_trees"].problem.sample(np.random.RandomState(seed), 20, 3.0)
        edges = set()
        for u, v in pairs:
            edge = (min(u, v), max(u, v))
            counts.append(edge in edges)
            if edge in edges:
                edges.remove(edge)
            elif np.diff(labels_of_trees(20, edges)[list(edge)]):
                edges.add(edge)
    assert np.mean(counts) == pytest.approx(0.5, abs=0.05)


@pytest.mark.jit
@pytest.mark.slow
@pytest.mark.parametrize("structure", [unions, trees])
def test_true_parents_are_a_stream(structure):
    with_parents = structure.WITH_TRUE_PARENTS
    check_algorithm(with_parents)
    one = nar.sample_traces(with_parents.name.removesuffix("_with_true_parents"), 9, 4, 0)
    other = nar.sample_traces(with_parents, 9, 4, 0)
    assert set(one.hints) == set(other.hints)
    assert [probe.name for probe in with_parents.spec.streams] == ["pair", "parent"]


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


@pytest.mark.parametrize(
    ("num_nodes", "pairs", "message"),
    [
        (3, [[0, 3]], "two elements from 0 to 2 in each row, got 3"),
        (3, [[1, 1]], "two different elements in each row, got 1 twice"),
        (1, [[0, 0]], "num_nodes must be an integer of at least 2, got 1"),
        (2.5, [[0, 1]], "num_nodes must be an integer of at least 2, got 2.5"),
    ],
)
def test_invalid_toggles_are_refused(num_nodes, pairs, message):
    with pytest.raises(ValueError, match=message):
        nar.run_algorithm("link_cut_trees", num_nodes=num_nodes, pairs=pairs)


@pytest.mark.parametrize("value", [0, -1.5, float("nan"), float("inf"), 1001, True, "2", (1.0, 2.0)])
def test_invalid_numbers_of_pairs_are_refused(value):
    with pytest.raises(ValueError, match="per_element must be a number greater than 0 and at most 1000"):
        nar.sample_traces("disjoint_set_union", 4, 1, 0, per_element=value)
    assert nar.sample_traces("disjoint_set_union", 4, 1, 0, per_element=2).lengths == [9]
