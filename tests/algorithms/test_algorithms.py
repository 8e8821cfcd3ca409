"""Registered algorithms: their definitions, and their outputs and hints against independent references."""

import dataclasses
import importlib.util
import itertools
import pathlib
import re
from fractions import Fraction
from functools import cache

import networkx
import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csgraph

import nar
from nar.algorithms import CLRS30_FAMILIES, find_algorithm
from nar.algorithms.dynamic_programming.lcs_length import LEFT, UP, UP_LEFT
from nar.specs import Kind, Location, Probe, Spec, Stage

every_algorithm = pytest.mark.parametrize("algorithm", nar.ALGORITHMS.values(), ids=nar.ALGORITHMS)
CLRS30 = {name: nar.ALGORITHMS[name] for name in nar.ALGORITHMS if name in oracle.specs.SPECS}
every_clrs30_algorithm = pytest.mark.parametrize("algorithm", CLRS30.values(), ids=CLRS30)


# ---------------------------------------------------------------------------------------------------
# Definitions


@every_algorithm
def test_registered_algorithm_is_complete(algorithm):
    assert nar.ALGORITHMS[algorithm.name] is algorithm
    assert find_algorithm(algorithm.name) is algorithm
    assert repr(algorithm) == f"Algorithm({algorithm.name!r})"
    assert algorithm.source
    assert algorithm.steps.__doc__
    assert algorithm.spec.inputs
    assert algorithm.spec.hints
    assert algorithm.spec.outputs or algorithm.spec.answers


@every_clrs30_algorithm
def test_spec_matches_clrs30(algorithm):
    official = oracle.specs.SPECS[algorithm.name]
    ours = {p.name: (p.stage.value, p.location.value, p.kind.name) for p in algorithm.spec.values()}
    assert ours == {name: tuple(row) for name, row in official.items()}


@every_clrs30_algorithm
def test_num_classes_matches_clrs30(algorithm):
    batch = oracle.sample(algorithm.name, 4, 2, 0)
    for probe in algorithm.spec.values():
        if probe.kind is Kind.CATEGORICAL:
            assert getattr(batch, f"{probe.stage.value}s")[probe.name].shape[-1] == probe.num_classes


@every_clrs30_algorithm
def test_family_and_split_sizes_match_clrs30(algorithm):
    module = getattr(oracle.clrs._src.algorithms, algorithm.name).__module__
    assert module.endswith(f".{algorithm.family}")
    settings = oracle.specs.CLRS_30_ALGS_SETTINGS.get(algorithm.name, {"num_samples_multiplier": 1})
    assert algorithm.clrs30_multiplier == settings["num_samples_multiplier"]
    assert algorithm.in_clrs30 == (algorithm.name in oracle.specs.CLRS_30_ALGS)


@every_algorithm
def test_steps_run_in_plain_python(algorithm):
    """The generator can be stepped in a debugger, and yields NamedTuples of hints in the spec's order."""
    arguments = algorithm.problem.sample(np.random.RandomState(0), 8)
    batch = nar.traces.clrs30_sample(algorithm.name, 8, 1, 0)
    num_nodes = batch.inputs["pos"].shape[1]
    shapes = [probe.shape(num_nodes) for probe in algorithm.spec.outputs]
    outputs = [
        np.zeros(shape[:-1] if probe.kind in (Kind.MASK_ONE, Kind.CATEGORICAL) else shape, int)
        for probe, shape in zip(algorithm.spec.outputs, shapes, strict=True)
    ]
    count = 0
    for hints in algorithm.steps(*arguments, *outputs):
        assert hints._fields == tuple(probe.name for probe in algorithm.spec.per_step)
        count += 1
    assert count == batch.lengths[0]


def test_registry_is_read_only():
    with pytest.raises(TypeError):
        nar.ALGORITHMS["bfs"] = None


@pytest.mark.parametrize("name", ["", "../bfs", "a/b", "a b", "a-b", "a.b", "2sat", "é", "bfs\n", None])
def test_invalid_names_raise(name):
    with pytest.raises(ValueError, match="the name of an algorithm must consist of ASCII letters"):
        dataclasses.replace(nar.ALGORITHMS["bfs"], name=name)


def test_unknown_families_raise():
    assert len(CLRS30_FAMILIES) == len(set(CLRS30_FAMILIES)) == 8
    assert {a.family for a in nar.ALGORITHMS.values() if a.in_clrs30} == set(CLRS30_FAMILIES)
    with pytest.raises(ValueError, match=r"unknown family 'graph'; known: sorting, .*, graphs"):
        dataclasses.replace(nar.ALGORITHMS["bfs"], family="graph")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spec": {}}, "bfs: spec must be a Spec, got {}"),
        ({"problem": "GRAPH_AND_SOURCE"}, "bfs: problem must be a Problem, got 'GRAPH_AND_SOURCE'"),
        ({"steps": None}, "bfs: steps must be a function, got None"),
    ],
)
def test_attributes_of_other_types_raise(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(nar.ALGORITHMS["bfs"], **changes)


@pytest.mark.parametrize("name", ["pi", "reach_h", "nothing"])
def test_fixed_hints_must_be_pointer_hints(name):
    with pytest.raises(ValueError, match=f"bfs: fixed hint '{name}' must be a pointer hint"):
        dataclasses.replace(nar.ALGORITHMS["bfs"], fixed_hints=(name,))


def test_permutation_pointer_outputs_raise():
    spec = Spec([Probe("pred", Stage.OUTPUT, Location.NODE, Kind.PERMUTATION_POINTER)])
    with pytest.raises(ValueError, match="'pred' must be of kind should_be_permutation"):
        dataclasses.replace(nar.ALGORITHMS["heapsort"], spec=spec)


def test_selection_sort_of_the_contributing_guide_works(tmp_path):
    guide = (pathlib.Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
    path = tmp_path / "selection_sort.py"
    path.write_text(
        next(block for block in re.findall("```python\n(.*?)```", guide, re.DOTALL) if "SPEC" in block)
    )
    module = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location(path.stem, path))
    spec.loader.exec_module(module)
    keys = np.array([3.0, 1.0, 2.0, 0.0])
    trace = nar.traces.collect(module.SELECTION_SORT, [(keys,)]).trace(0)
    assert order_of(trace.outputs["pred"]) == [3, 1, 2, 0]
    assert [order_of(pointers) for pointers in trace.hints["pred_h"]] == [
        [0, 1, 2, 3],
        [3, 1, 2, 0],
        [3, 1, 2, 0],
        [3, 1, 2, 0],
    ]


# ---------------------------------------------------------------------------------------------------
# Graphs


@st.composite
def adjacencies(draw):
    """0/1 adjacency matrices (empty, complete, undirected, directed, disconnected) and a source."""
    num_nodes = draw(st.integers(1, 8))
    cells = st.sampled_from(draw(st.sampled_from([[0], [1], [0, 1], [0, 0, 0, 1]])))
    rows = draw(st.lists(cells, min_size=num_nodes**2, max_size=num_nodes**2))
    A = np.reshape(rows, (num_nodes, num_nodes)).astype(float)
    return A * A.T if draw(st.booleans()) else A, draw(st.integers(0, num_nodes - 1))


@given(adjacencies())
def test_bfs(instance):
    A, s = instance
    graph = networkx.from_numpy_array(A, create_using=networkx.DiGraph)
    distances = networkx.single_source_shortest_path_length(graph, s)
    trace = nar.run_algorithm("bfs", A, s)
    for v in range(len(A)):
        parents = [u for u in distances if A[u, v] and distances[u] + 1 == distances[v]]
        assert trace.outputs["pi"][v] == min(parents, default=v)
    for step, reach in enumerate(trace.hints["reach_h"]):
        assert [bool(r) for r in reach] == [distances.get(v, np.inf) <= step for v in range(len(A))]
    assert trace.length == max(distances.values()) + 1


@st.composite
def weighted_graphs(draw):
    """Integer weights, some negative, without negative cycles (0 means no edge), and a source."""
    A, s = draw(adjacencies())
    numbers = st.lists(st.integers(0, 6), min_size=A.size, max_size=A.size)
    weights = np.reshape(draw(numbers), A.shape) * A
    potentials = np.array(draw(st.lists(st.integers(-5, 5), min_size=len(A), max_size=len(A))))
    return np.where(A, weights + potentials[:, None] - potentials, 0), s


@given(weighted_graphs())
def test_bellman_ford(instance):
    A, s = instance
    edges = csgraph.csgraph_from_dense(A, null_value=0)
    distances = csgraph.bellman_ford(edges, indices=s)
    trace = nar.run_algorithm("bellman_ford", matrix=A, s=s)
    d, msk, pi = trace.hints["d"][-1], trace.hints["msk"][-1], trace.outputs["pi"]
    np.testing.assert_array_equal(msk, np.isfinite(distances))
    np.testing.assert_array_equal(d, np.where(msk, distances, 0))
    for v in range(len(A)):
        if v == s or not msk[v]:
            assert pi[v] == v
        else:
            assert A[pi[v], v] != 0
            assert d[v] == d[pi[v]] + A[pi[v], v]
            assert end_of_path(pi, v) == s


def end_of_path(pointers, node):
    """Node reached from `node` after following N pointers."""
    for _ in pointers:
        node = pointers[node]
    return node


# ---------------------------------------------------------------------------------------------------
# Sequences

keys = st.lists(
    st.sampled_from([-1.5, 0.0, -0.0, 1.0, 2.0]) | st.floats(-1e99, 1e99), min_size=1, max_size=12
)


def order_of(pointers):
    """Nodes from first to last along a chain of predecessor pointers."""
    successors = {int(p): node for node, p in enumerate(pointers) if p != node}
    (node,) = (node for node, p in enumerate(pointers) if p == node)
    order = [node]
    while order[-1] in successors:
        order.append(successors[order[-1]])
    assert len(order) == len(pointers)
    return order


@given(keys)
def test_insertion_sort(A):
    trace = nar.run_algorithm("insertion_sort", A)
    assert order_of(trace.outputs["pred"]) == np.argsort(A, kind="stable").tolist()
    assert trace.length == len(A)
    for step, pointers in enumerate(trace.hints["pred_h"]):
        order = order_of(pointers)
        assert order[: step + 1] == np.argsort(A[: step + 1], kind="stable").tolist()
        assert order[step + 1 :] == list(range(step + 1, len(A)))


@given(keys)
def test_heapsort(A):
    trace = nar.run_algorithm("heapsort", A)
    order = order_of(trace.outputs["pred"])
    assert [A[node] for node in order] == sorted(A)
    phases = trace.hints["phase"].argmax(-1)
    built = int(np.flatnonzero(phases == 0)[-1])
    parent = trace.hints["parent"][built]
    assert all(A[node] <= A[parent[node]] for node in range(len(A)))


@given(keys)
def test_minimum(A):
    trace = nar.run_algorithm("minimum", A)
    assert trace.outputs["min"].argmax() == np.argmin(A)
    smallest = trace.hints["min_h"].argmax(-1)
    assert smallest.tolist() == [int(np.argmin(A[: step + 1])) for step in range(len(A))]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_matrix_chain_order(p):
    @cache
    def cost(i, j):
        return min((cost(i, k) + cost(k + 1, j) + p[i - 1] * p[k] * p[j] for k in range(i, j)), default=0)

    n = len(p)
    trace = nar.run_algorithm("matrix_chain_order", p)
    m, s, msk = trace.hints["m"][-1], trace.outputs["s"], trace.hints["msk"][-1]
    for i, j in itertools.product(range(n), repeat=2):
        if not 1 <= i <= j:
            assert (m[i, j], s[i, j], msk[i, j]) == (0, 0, 0)
            continue
        assert m[i, j] == cost(i, j)
        assert msk[i, j] == 1
        if i < j:
            k = int(s[i, j])
            assert i <= k < j
            assert cost(i, j) == cost(i, k) + cost(k + 1, j) + p[i - 1] * p[k] * p[j]


# ---------------------------------------------------------------------------------------------------
# Strings, tasks, points

strings = st.text("ACGT", min_size=1, max_size=8)


@given(strings, strings)
def test_lcs_length(x, y):
    @cache
    def longest(i, j):
        if min(i, j) < 0:
            return 0
        if x[i] == y[j]:
            return longest(i - 1, j - 1) + 1
        return max(longest(i - 1, j), longest(i, j - 1))

    trace = nar.run_algorithm("lcs_length", x, y)
    m, n = len(x), len(y)
    c = trace.hints["c"][-1]
    b = trace.outputs["b"]
    np.testing.assert_array_equal(c[:m, m:], [[longest(i, j) for j in range(n)] for i in range(m)])
    blank = np.ones((m + n, m + n), bool)
    blank[:m, m:] = False
    assert (c[blank] == 0).all()
    assert (b[blank] == [0, 0, 0, -1]).all()
    arrows = b[:m, m:].argmax(-1)
    i, j, common = m - 1, n - 1, 0
    while min(i, j) >= 0:
        arrow = arrows[i, j]
        if arrow == UP_LEFT:
            assert x[i] == y[j]
            common += 1
        i -= arrow in (UP, UP_LEFT)
        j -= arrow in (LEFT, UP_LEFT)
    assert common == longest(m - 1, n - 1)


@st.composite
def tasks(draw):
    num_tasks = draw(st.integers(1, 8))
    d = draw(st.lists(st.integers(1, 9), min_size=num_tasks, max_size=num_tasks))
    return d, draw(st.lists(st.integers(0, 5), min_size=num_tasks, max_size=num_tasks))


@given(tasks())
def test_task_scheduling(instance):
    """CLRS-30 selects tasks by weight and never reschedules one: feasible, but not always optimal."""
    d, w = instance
    trace = nar.run_algorithm("task_scheduling", d, w)
    selected = trace.outputs["selected"].astype(bool)
    by_weight = sorted(range(len(d)), key=lambda task: -w[task])
    for task, heavier in zip(by_weight, itertools.accumulate(selected[by_weight], initial=0), strict=False):
        assert selected[task] == (heavier < d[task])
    assert all(deadline > slot for slot, deadline in enumerate(sorted(np.array(d)[selected])))
    assert trace.hints["t"].tolist() == np.cumsum([0, *selected[by_weight]]).tolist()
    assert trace.hints["i"].argmax(-1).tolist() == [0, *by_weight]
    if len(set(d)) == 1:
        assert np.array(w)[selected].sum() == sum(sorted(w, reverse=True)[: d[0]])


def test_task_scheduling_breaks_ties_by_node_order():
    trace = nar.run_algorithm("task_scheduling", np.full(100, 50), np.arange(100) % 2)
    assert trace.hints["i"].argmax(-1).tolist() == [0, *range(1, 100, 2), *range(0, 100, 2)]


def test_task_scheduling_is_not_always_optimal():
    selected = nar.run_algorithm("task_scheduling", [2, 1], [2, 1]).outputs["selected"]
    np.testing.assert_array_equal(selected, [1, 0])  # optimal: task 1 first, then task 0


def exactly_intersect(xs, ys):
    """Tests in rational arithmetic if some point lies on both closed segments."""
    points = [(Fraction(x), Fraction(y)) for x, y in zip(xs, ys, strict=True)]
    (px, py), (qx, qy), (rx, ry), (sx, sy) = points
    ux, uy, vx, vy, wx, wy = qx - px, qy - py, sx - rx, sy - ry, rx - px, ry - py
    determinant = ux * vy - uy * vx
    if determinant:
        a, b = (wx * vy - wy * vx) / determinant, (wx * uy - wy * ux) / determinant
        return 0 <= a <= 1 and 0 <= b <= 1
    first, second = points[:2], points[2:]
    return any(lies_on(point, *second) for point in first) or any(lies_on(point, *first) for point in second)


def lies_on(point, a, b):
    """Tests if the point is a + t (b - a) for some t in [0, 1]."""
    along = [(p - start, end - start) for p, start, end in zip(point, a, b, strict=True)]
    ratios = {offset / length for offset, length in along if length}
    return (
        all(offset == 0 for offset, length in along if not length)
        and len(ratios) <= 1
        and all(0 <= ratio <= 1 for ratio in ratios)
    )


grid = st.lists(st.integers(0, 3), min_size=4, max_size=4)
square = st.lists(st.integers(0, 2**20).map(lambda k: k / 2**20), min_size=4, max_size=4)


@given(st.tuples(grid, grid) | st.tuples(square, square))
def test_segments_intersect(instance):
    trace = nar.run_algorithm("segments_intersect", *instance)
    assert trace.outputs["intersect"] == exactly_intersect(*instance)
    assert trace.length == 5


@pytest.mark.parametrize("seed", range(20))
def test_sampled_segments_intersect(seed):
    batch = nar.sample_traces("segments_intersect", 4, 20, seed)
    for x, y, intersect in zip(batch.inputs["x"], batch.inputs["y"], batch.outputs["intersect"], strict=True):
        assert intersect == exactly_intersect(x, y)
