"""Correctness checkers for selections and tables accept exactly the answers that brute force accepts."""

import itertools

import numpy as np
import pytest

import nar
from nar.evaluation import CHECKERS
from nar.specs import MASKED


def inputs_and_truth(task, **arguments):
    trace = nar.run_algorithm(task, **arguments)
    return trace.inputs, trace.outputs


# ---------------------------------------------------------------------------------------------------
# Selections

TASKS = [
    ([3, 1, 2, 2], [0.5, 0.4, 0.3, 0.3]),
    ([1, 1, 2, 3, 3], [0.2, 0.2, 0.1, 0.4, 0.3]),
    ([2, 1], [0.9, 0.8]),  # CLRS-30 selects only the first, though both are feasible
    ([4, 4, 4, 4, 4], [0.1, 0.2, 0.3, 0.0, 0.0]),
]


@pytest.mark.parametrize(("deadlines", "weights"), TASKS)
def test_schedule_checker_agrees_with_brute_force(deadlines, weights):
    inputs, truth = inputs_and_truth("task_scheduling", d=deadlines, w=weights)
    true_weight = sum(
        weight for weight, selected in zip(weights, truth["selected"], strict=True) if selected == 1
    )
    num_correct = 0
    for bits in itertools.product([0, 1], repeat=len(weights)):
        chosen = [i for i, bit in enumerate(bits) if bit]
        is_feasible = any(
            all(deadlines[i] >= time for time, i in enumerate(order, start=1))
            for order in itertools.permutations(chosen)
        )
        is_correct = is_feasible and sum(weights[i] for i in chosen) >= true_weight - 1e-9
        predicted = {"selected": np.array(bits, float)}
        assert CHECKERS["task_scheduling"](inputs, truth, predicted) == is_correct
        num_correct += is_correct
    assert num_correct > (weights[-1] == 0)


def test_heavier_schedule_than_that_of_clrs30_is_correct():
    inputs, truth = inputs_and_truth("task_scheduling", d=[2, 1], w=[0.9, 0.8])
    assert truth["selected"].tolist() == [1, 0]
    assert CHECKERS["task_scheduling"](inputs, truth, {"selected": np.ones(2)})


@pytest.mark.parametrize(
    "bipartite", [[[1, 1], [1, 1]], [[1, 1], [1, 0]], [[1, 0], [1, 0]], [[0, 0], [0, 0]]]
)
def test_matching_checker_agrees_with_brute_force(bipartite):
    s, left, right, t = 0, (1, 2), (3, 4), 5
    A = np.zeros((6, 6))
    A[s, left] = A[right, t] = 1
    A[np.ix_(left, right)] = bipartite
    inputs, truth = inputs_and_truth("bipartite_matching", A=A, n=2, m=2, s=s, t=t)
    edges = [tuple(edge) for edge in np.argwhere(A).tolist()]
    between = [edge for edge in edges if edge[0] in left and edge[1] in right]
    matchings = [
        chosen
        for count in range(3)
        for chosen in itertools.combinations(between, count)
        if len({u for u, _ in chosen}) == len({v for _, v in chosen}) == count
    ]
    most = max(map(len, matchings))
    flows = {
        frozenset([*chosen, *((s, u) for u, _ in chosen), *((v, t) for _, v in chosen)])
        for chosen in matchings
        if len(chosen) == most
    }
    random = np.random.default_rng(0)

    def check(chosen, self_loops=1, reversed_edges=()):
        # Predictions for masked entries do not matter.
        answer = np.where(truth["in_matching"] == MASKED, random.integers(0, 2, (6, 6)), 0)
        np.fill_diagonal(answer, self_loops)
        for u, v in [*chosen, *((v, u) for u, v in reversed_edges)]:
            answer[u, v] = 1
        return CHECKERS["bipartite_matching"](inputs, truth, {"in_matching": answer})

    for bits in itertools.product([0, 1], repeat=len(edges)):
        chosen = frozenset(edge for edge, bit in zip(edges, bits, strict=True) if bit)
        assert check(chosen) == (chosen in flows)
    for flow in flows:
        assert not check(flow, self_loops=0)
        for edge in edges:
            assert not check(flow, reversed_edges=[edge])
            assert not check(flow - {edge}, reversed_edges=[edge])


# ---------------------------------------------------------------------------------------------------
# Tables


def longest_by_brute_force(x, y):
    def subsequences(word):
        return {one for count in range(len(word) + 1) for one in itertools.combinations(word, count)}

    return max(map(len, subsequences(x) & subsequences(y)))


@pytest.mark.parametrize(("x", "y"), [("aba", "ab"), ("abc", "cb"), ("aab", "bb"), ("abc", "dd")])
def test_lcs_checker_agrees_with_brute_force(x, y):
    letters = {letter: number for number, letter in enumerate("abcd")}
    inputs, truth = inputs_and_truth(
        "lcs_length", x=[letters[one] for one in x], y=[letters[one] for one in y]
    )
    longest = {
        (i, j): longest_by_brute_force(x[: i + 1], y[: j + 1]) for i in range(len(x)) for j in range(len(y))
    }

    def spelled(arrows, i, j):
        """Number of letters spelled by following the arrows; None if an arrow pairs different letters."""
        if i < 0 or j < 0:
            return 0
        if arrows[i, j] == 0:
            rest = spelled(arrows, i - 1, j - 1)
            return None if rest is None or x[i] != y[j] else rest + 1
        if arrows[i, j] == 3:
            return None
        return spelled(arrows, i - 1, j) if arrows[i, j] == 1 else spelled(arrows, i, j - 1)

    num_correct = 0
    for numbers in itertools.product(range(4), repeat=len(longest)):
        arrows = np.array(numbers).reshape(len(x), len(y))
        is_correct = all(spelled(arrows, *index) == length for index, length in longest.items())
        answer = np.zeros((*truth["b"].shape[:2], 4))
        answer[: len(x), len(x) :] = np.eye(4)[arrows]
        assert CHECKERS["lcs_length"](inputs, truth, {"b": answer}) == is_correct
        num_correct += is_correct
    assert num_correct > 0


def tables(size, pairs):
    """Yields every table with a node at each of these pairs and 0 elsewhere."""
    for numbers in itertools.product(range(size), repeat=len(pairs)):
        table = np.zeros((size, size), np.int32)
        for pair, number in zip(pairs, numbers, strict=True):
            table[pair] = number
        yield table


def check_all_tables(task, inputs, truth, name, pairs, cost_of, least):
    """Compares the checker with the cost of following each table; returns the number of correct tables."""
    num_correct = 0
    for table in tables(len(truth[name]), pairs):
        is_correct = all(cost_of(table, *pair) == least[pair] for pair in pairs)
        assert CHECKERS[task](inputs, truth, {name: table}) == is_correct
        num_correct += is_correct
    other = truth[name].copy()
    other[-1, 0] = 1  # not a subproblem
    assert not CHECKERS[task](inputs, truth, {name: other})
    return num_correct


@pytest.mark.parametrize(
    ("p", "ties"), [([1, 1, 1, 1, 1], 12), ([2, 3, 4, 5, 1], 1), ([1, 2, 1, 2, 1], None)]
)
def test_matrix_chain_checker_agrees_with_brute_force(p, ties):
    inputs, truth = inputs_and_truth("matrix_chain_order", p=p)
    pairs = [(i, j) for i in range(1, len(p)) for j in range(i + 1, len(p))]

    def cost_of(table, i, j):
        k = table[i, j]
        if i == j:
            return 0
        if not i <= k < j:
            return np.inf
        return cost_of(table, i, k) + cost_of(table, k + 1, j) + p[i - 1] * p[k] * p[j]

    def least(i, j):
        return min((least(i, k) + least(k + 1, j) + p[i - 1] * p[k] * p[j] for k in range(i, j)), default=0)

    best = {pair: least(*pair) for pair in pairs}
    num_correct = check_all_tables("matrix_chain_order", inputs, truth, "s", pairs, cost_of, best)
    assert num_correct == ties if ties else num_correct > 0


@pytest.mark.parametrize(
    ("p", "q", "ties"),
    [([1, 1, 1], [1, 1, 1, 1], 4), ([4, 1, 1], [0, 0, 0, 0], None), ([9, 2, 1], [0, 1, 2, 3], 1)],
)
def test_search_tree_checker_agrees_with_brute_force(p, q, ties):
    inputs, truth = inputs_and_truth("optimal_bst", p=p, q=q)
    pairs = list(itertools.combinations(range(len(q)), 2))

    def cost_of(table, i, j, depth=0):
        """Cost of searching gaps i ... j and the keys between them: depth + 1 for a key, depth for a gap."""
        if i == j:
            return depth * q[i] + q[i]
        r = table[i, j]
        if not i <= r < j:
            return np.inf
        root_cost = (depth + 1) * p[r]
        return root_cost + cost_of(table, i, r, depth + 1) + cost_of(table, r + 1, j, depth + 1)

    def trees(i, j):
        if i == j:
            yield {}
        for r in range(i, j):
            for left, right in itertools.product(trees(i, r), trees(r + 1, j)):
                yield {(i, j): r, **left, **right}

    best = {pair: min(cost_of(tree, *pair) for tree in trees(*pair)) for pair in pairs}
    num_correct = check_all_tables("optimal_bst", inputs, truth, "root", pairs, cost_of, best)
    assert num_correct == ties if ties else num_correct > 0


@pytest.mark.parametrize("task", ["lcs_length", "matrix_chain_order", "optimal_bst", "task_scheduling"])
def test_wrong_entry_in_a_larger_answer_is_rejected(task):
    """A changed entry may still be correct if there are ties, but there are none in these instances."""
    batch = nar.sample_traces(task, 12, 20, seed=1)
    random = np.random.default_rng(0)
    (name,) = batch.outputs
    passed = 0
    for row in range(20):
        inputs = {key: value[row] for key, value in batch.inputs.items()}
        truth = {name: batch.outputs[name][row]}
        assert CHECKERS[task](inputs, truth, truth)
        wrong = truth[name].copy()
        if task == "task_scheduling":
            index = random.choice(np.flatnonzero(wrong == 1))
            wrong[index] = 0
        elif task == "lcs_length":
            cells = np.argwhere((truth[name] >= 0).all(axis=-1))
            index = tuple(cells[random.integers(len(cells))])
            wrong[index] = np.eye(4)[3]
        else:
            i, j = np.sort(random.choice(np.arange(1, len(wrong)), 2, replace=False))
            wrong[i, j] = j
        passed += CHECKERS[task](inputs, truth, {name: wrong})
    assert passed == 0
