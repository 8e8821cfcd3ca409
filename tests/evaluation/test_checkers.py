"""Exact match and correctness checkers accept exactly the answers that brute force accepts."""

import itertools

import every_kind
import networkx
import numpy as np
import pytest

import nar
from nar import ALGORITHMS
from nar.data import Transforms
from nar.evaluation import (
    CHECKERS,
    exact_matches,
    valid_answers,
)
from nar.evaluation.correctness.checkers import (
    forest_weight,
    instances_of,
    is_depth_first_forest,
    is_shortest_path_tree,
)
from nar.evaluation.correctness.exact_match import ENTRY_MATCHERS
from nar.evaluation.decoding import join_permutations
from nar.kinds import BUILT_IN_KINDS
from nar.specs import MASKED, Kind, Stage

# ---------------------------------------------------------------------------------------------------
# Exact match


@pytest.mark.parametrize("kind", BUILT_IN_KINDS)
def test_entry_matchers_cover_every_kind_and_ignore_masked_entries(kind):
    assert set(ENTRY_MATCHERS) >= set(BUILT_IN_KINDS)
    location = next(location for location, one in every_kind.ALL_PROBE_TYPES if one is kind)
    probe = every_kind.make_probe(Stage.OUTPUT, location, kind)
    random = np.random.default_rng(0)
    truth = every_kind.random_truth(random, probe, (50,), 5, masked=0.2)
    if kind is Kind.PERMUTATION_POINTER:
        truth = random.integers(0, 5, (50, 5))
    matches = ENTRY_MATCHERS[kind](truth, truth)
    assert matches.all() and len(matches) == 50
    other = every_kind.random_truth(random, probe, (50,), 5)
    if kind is Kind.PERMUTATION_POINTER:
        other = random.integers(0, 5, (50, 5))
    matches = ENTRY_MATCHERS[kind](truth, other)
    assert (matches.mean() > 0.02) == (not kind.is_number) and not matches.all()
    if kind in (Kind.MASK, Kind.MASK_ONE, Kind.CATEGORICAL):
        masked = truth == MASKED
        assert masked.any()
        assert matches[masked if kind is Kind.MASK else masked.any(axis=-1)].all()


def truth_of(task, size, count, seed=0, **options):
    """Spec, inputs and outputs of a batch after transforms, and the outputs in the format of predictions."""
    algorithm = ALGORITHMS[task]
    batch = Transforms().apply(algorithm, nar.sample_traces(task, size, count, seed, **options))
    spec = Transforms().spec(algorithm)
    return spec, batch.inputs, batch.outputs, join_permutations(spec, batch.outputs)


def test_exact_match_needs_outputs():
    with pytest.raises(ValueError, match="there are no outputs to compare"):
        exact_matches(ALGORITHMS["disjoint_set_union"].spec, {}, {})


@pytest.mark.parametrize("task", sorted(name for name, one in ALGORITHMS.items() if one.spec.outputs))
def test_exact_match_rejects_a_single_wrong_entry(task):
    size = max(6, ALGORITHMS[task].problem.min_size)
    spec, _, outputs, predicted = truth_of(task, size, 3)
    assert exact_matches(spec, outputs, predicted).tolist() == [True] * 3
    name = next(iter(probe.name for probe in spec.outputs if probe.name in predicted))
    wrong = {key: value.copy() for key, value in predicted.items()}
    if spec[name].kind in (Kind.POINTER, Kind.PERMUTATION_POINTER):
        wrong[name][1] = (wrong[name][1] + 1) % size
    elif spec[name].kind is Kind.MASK:
        wrong[name][1] = 1 - wrong[name][1]
    elif spec[name].kind is Kind.SCALAR:
        wrong[name][1] = wrong[name][1] + 1
    else:
        wrong[name][1] = np.roll(wrong[name][1], 1, axis=-1)
    assert exact_matches(spec, outputs, wrong).tolist() == [True, False, True]


# ---------------------------------------------------------------------------------------------------
# Correctness checkers


@pytest.mark.parametrize("task", sorted(CHECKERS))
def test_checkers_accept_the_algorithms_answers(task):
    for size, seed in ((4, 0), (5, 1), (9, 2), (16, 3)):
        spec, inputs, outputs, predicted = truth_of(task, size, 8, seed)
        assert valid_answers(task, instances_of(spec, inputs, outputs, predicted)).all()
    if "family" in ALGORITHMS[task].problem.options:
        spec, inputs, outputs, predicted = truth_of(task, 9, 8, family="grid")
        assert valid_answers(task, instances_of(spec, inputs, outputs, predicted)).all()


def test_valid_answers_is_none_without_a_checker():
    assert valid_answers("bridges", instances_of(*truth_of("bridges", 6, 2))) is None


def random_weights(random, size, directed=True):
    """Random weights with few distinct values, so that ties are frequent; infinite where there is no edge."""
    weights = np.where(random.random((size, size)) < 0.6, random.integers(1, 4, (size, size)) / 2, np.inf)
    np.fill_diagonal(weights, np.inf)
    return weights if directed else _mirrored(weights)


def _mirrored(weights):
    upper = np.where(np.triu(np.ones_like(weights), 1) > 0, weights, np.inf)
    return np.minimum(upper, upper.T)


def graph_of(weights, kind=networkx.DiGraph):
    graph = kind()
    graph.add_nodes_from(range(len(weights)))
    graph.add_weighted_edges_from(
        (u, v, weights[u, v]) for u, v in np.argwhere(np.isfinite(weights)).tolist()
    )
    return graph


def all_parents(size):
    return (np.array(one) for one in itertools.product(range(size), repeat=size))


@pytest.mark.parametrize("seed", range(4))
def test_shortest_path_checker_agrees_with_brute_force(seed):
    weights = random_weights(np.random.default_rng(seed), 4)
    graph = graph_of(weights)
    distances = networkx.single_source_dijkstra_path_length(graph, 0)
    predecessors = {
        v: {
            u
            for u in graph.predecessors(v)
            if u in distances and distances[u] + weights[u, v] == distances[v]
        }
        for v in distances
        if v != 0
    }
    num_correct = 0
    for parents in all_parents(4):
        is_correct = all(
            parents[v] in predecessors[v] if v in predecessors else parents[v] == v for v in range(4)
        )
        assert is_shortest_path_tree(weights, 0, parents) == is_correct
        num_correct += is_correct
    assert num_correct == np.prod([len(one) for one in predecessors.values()], dtype=int)


def test_zero_weight_cycle_is_not_a_shortest_path_tree():
    weights = np.full((3, 3), np.inf)
    weights[0, 1] = weights[1, 2] = weights[2, 1] = 0.0
    assert is_shortest_path_tree(weights, 0, np.array([0, 0, 1]))
    assert not is_shortest_path_tree(weights, 0, np.array([0, 2, 1]))


def depth_first_forests(edges):
    """Every forest that depth-first search can produce, by trying all orders."""
    size, forests = len(edges), set()

    def search(stack, parents, visited):
        if stack:
            choices = [v for v in range(size) if edges[stack[-1], v] and v not in visited]
            if not choices:
                search(stack[:-1], parents, visited)
            for v in choices:
                search([*stack, v], {**parents, v: stack[-1]}, visited | {v})
            return
        rest = [v for v in range(size) if v not in visited]
        if not rest:
            forests.add(tuple(parents[v] for v in range(size)))
        for v in rest:
            search([v], {**parents, v: v}, visited | {v})

    search([], {}, frozenset())
    return forests


@pytest.mark.parametrize("seed", range(6))
def test_depth_first_forest_checker_agrees_with_brute_force(seed):
    random = np.random.default_rng(seed)
    edges = random.random((4, 4)) < 0.5
    if seed % 2:
        edges |= edges.T
    np.fill_diagonal(edges, False)
    forests = depth_first_forests(edges)
    for parents in all_parents(4):
        assert is_depth_first_forest(edges, parents) == (tuple(parents.tolist()) in forests)


def check(task, inputs, truth, predicted):
    return CHECKERS[task](inputs, truth, predicted)


def one_hot(node, size):
    return np.eye(size)[node]


@pytest.mark.parametrize("seed", range(4))
def test_spanning_tree_checkers_agree_with_brute_force(seed):
    weights = random_weights(np.random.default_rng(seed), 4, directed=False)
    inputs = {"A": np.where(np.isfinite(weights), weights, 0), "s": one_hot(1, 4)}
    graph = graph_of(weights, networkx.Graph)
    forest = networkx.minimum_spanning_tree(graph)
    best = forest.size("weight")
    assert forest_weight(weights) == pytest.approx(best)
    component = networkx.node_connected_component(graph, 1)
    best_in_component = networkx.minimum_spanning_tree(graph.subgraph(component)).size("weight")
    for parents in all_parents(4):
        pairs = [(int(parents[v]), v) for v in component if v != 1]
        is_correct = (
            parents[1] == 1
            and all(parents[v] == v for v in range(4) if v not in component)
            and all(np.isfinite(weights[pair]) for pair in pairs)
            and networkx.is_connected(networkx.Graph([*pairs, (1, 1)]))
            and set(networkx.Graph([*pairs, (1, 1)])) == component
            and sum(weights[pair] for pair in pairs) == best_in_component
        )
        assert check("mst_prim", inputs, {}, {"pi": parents}) == is_correct
    truth = np.zeros((4, 4))
    for u, v in forest.edges:
        truth[u, v] = truth[v, u] = 1
    pairs = list(itertools.combinations(range(4), 2))
    for bits in itertools.product([0, 1], repeat=6):
        selected = np.zeros((4, 4))
        for (u, v), bit in zip(pairs, bits, strict=True):
            selected[u, v] = selected[v, u] = bit
        edges = [pair for pair, bit in zip(pairs, bits, strict=True) if bit]
        tree = networkx.Graph(edges)
        tree.add_nodes_from(range(4))
        is_correct = (
            all(graph.has_edge(*edge) for edge in edges)
            and networkx.is_forest(tree)
            and len(edges) == len(forest.edges)
            and sum(weights[edge] for edge in edges) == best
        )
        assert check("mst_kruskal", inputs, {"in_mst": truth}, {"in_mst": selected}) == is_correct
    asymmetric = truth.copy()
    asymmetric[next(iter(forest.edges))] = 0
    assert not check("mst_kruskal", inputs, {"in_mst": truth}, {"in_mst": asymmetric})


def test_all_pairs_shortest_paths_are_checked_row_by_row():
    weights = random_weights(np.random.default_rng(3), 5)
    A = np.where(np.isfinite(weights), weights, 0)
    truth = nar.run_algorithm("floyd_warshall", A=A).outputs["Pi"]
    distances = dict(networkx.all_pairs_dijkstra_path_length(graph_of(weights)))
    num_ties = 0
    for i, j, k in itertools.product(range(5), repeat=3):
        pointers = truth.copy()
        pointers[i, j] = k
        same = k == truth[i, j]
        reached = i != j and j in distances[i]
        is_correct = same or (
            reached and k in distances[i] and distances[i][k] + weights[k, j] == distances[i][j]
        )
        assert check("floyd_warshall", {"A": A}, {"Pi": truth}, {"Pi": pointers}) == is_correct
        num_ties += is_correct and not same
    assert num_ties > 0


@pytest.mark.parametrize("task", ["insertion_sort", "quicksort", "heapsort", "bubble_sort"])
def test_sorting_checker_agrees_with_brute_force(task):
    keys = np.array([0.5, 0.2, 0.5, 0.1])
    orders = {order for order in itertools.permutations(range(4)) if (np.diff(keys[list(order)]) >= 0).all()}
    assert len(orders) == 2
    for predecessors in all_parents(4):
        chains = [
            order
            for order in itertools.permutations(range(4))
            if all(predecessors[b] == a for a, b in zip((order[0], *order), order, strict=False))
        ]
        is_correct = bool(set(chains) & orders)
        assert check(task, {"key": keys}, {}, {"pred": predecessors}) == is_correct


def test_topological_sort_checker_agrees_with_brute_force():
    edges = np.zeros((4, 4))
    edges[0, 1] = edges[0, 2] = edges[1, 3] = 1
    np.fill_diagonal(edges, 1)  # self-loops are ignored
    num_correct = 0
    for order in itertools.permutations(range(4)):
        after = np.arange(4)
        after[list(order[:-1])] = order[1:]
        predicted = {"topo": after, "topo_head": one_hot(order[0], 4)}
        position = {node: i for i, node in enumerate(order)}
        is_correct = position[0] < position[1] < position[3] and position[0] < position[2]
        assert check("topological_sort", {"A": edges}, {}, predicted) == is_correct
        num_correct += is_correct
        cycle = np.where(after == np.arange(4), order[0], after)
        assert not check("topological_sort", {"A": edges}, {}, {**predicted, "topo": cycle})
    assert num_correct == 3


def test_any_node_may_represent_its_component():
    truth = {"scc_id": np.array([0, 0, 2, 2])}
    answers = [
        tuple(ids.tolist())
        for ids in all_parents(4)
        if check("strongly_connected_components", {}, truth, {"scc_id": ids})
    ]
    assert sorted(answers) == [(0, 0, 2, 2), (0, 0, 3, 3), (1, 1, 2, 2), (1, 1, 3, 3)]


def test_any_node_with_the_selected_key_is_correct():
    keys = np.array([0.3, 0.1, 0.1, 0.9, 0.3])
    for name, task, expected in (("min", "minimum", {1, 2}), ("median", "quickselect", {0, 4})):
        accepted = {i for i in range(5) if check(task, {"key": keys}, {}, {name: one_hot(i, 5)})}
        assert accepted == expected


def test_activity_checker_agrees_with_brute_force():
    random = np.random.default_rng(0)
    starts = random.integers(0, 6, 6) / 6
    inputs = {"s": starts, "f": starts + random.integers(1, 4, 6) / 6}
    truth = nar.run_algorithm("activity_selector", **inputs).outputs

    def is_feasible(chosen):
        return all(
            inputs["f"][a] <= inputs["s"][b] or inputs["f"][b] <= inputs["s"][a]
            for a, b in itertools.combinations(chosen, 2)
        )

    subsets = [chosen for r in range(7) for chosen in itertools.combinations(range(6), r)]
    most = max(len(chosen) for chosen in subsets if is_feasible(chosen))
    num_correct = 0
    for chosen in subsets:
        selected = np.isin(np.arange(6), chosen).astype(float)
        is_correct = is_feasible(chosen) and len(chosen) == most
        assert check("activity_selector", inputs, truth, {"selected": selected}) == is_correct
        num_correct += is_correct
    assert num_correct > 1


def test_all_maximum_subarrays_are_correct():
    keys = np.array([1.0, -1.0, 2.0, -3.0, 2.0])
    truth = nar.run_algorithm("find_maximum_subarray_kadane", A=keys).outputs
    accepted = set()
    for start, end in itertools.product(range(5), repeat=2):
        predicted = {"start": one_hot(start, 5), "end": one_hot(end, 5)}
        if check("find_maximum_subarray_kadane", {"key": keys}, truth, predicted):
            accepted.add((start, end))
    assert accepted == {(0, 2), (2, 2), (4, 4)}
