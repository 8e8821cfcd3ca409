"""Eccentricities and maximal independent sets of small graphs, against networkx and definitions."""

import networkx
import numpy as np
import pytest
from examples import NUM_EXAMPLES

import nar

pytestmark = pytest.mark.examples


def graphs(seed):
    """Empty, sparse, dense and complete undirected graphs of up to nine nodes, some with self-loops."""
    random = np.random.default_rng(seed)
    for index in range(4 * NUM_EXAMPLES):
        n = index % 9 + 1
        A = np.triu(random.random((n, n)) < random.choice([0, 0.15, 0.3, 0.6, 1]), index % 2)
        yield (A | A.T).astype(float), random


def neighbors(A, v):
    return set(np.flatnonzero(A[v]).tolist()) - {v}


def test_eccentricity():
    for A, random in graphs(0):
        s = int(random.integers(len(A)))
        trace = nar.run_algorithm("eccentricity", A, s)
        distance = networkx.single_source_shortest_path_length(networkx.from_numpy_array(A), s)
        hints = {name: values[-1] for name, values in trace.hints.items()}
        assert trace.outputs["eccentricity"] == hints["eccentricity_h"] == max(distance.values())
        np.testing.assert_array_equal(np.flatnonzero(hints["visited_h"]), sorted(distance))
        np.testing.assert_array_equal(hints["msgphase_h"], hints["visited_h"])
        for v, far in distance.items():
            parent = int(hints["pi_h"][v])
            assert hints["floodstate_h"][v] == far
            assert v == parent == s or parent == min(u for u in neighbors(A, v) if distance[u] == far - 1)
            below = [u for u in distance if u != v and hints["pi_h"][u] == v]
            assert hints["echostate_h"][v] == max([far, *(hints["echostate_h"][u] for u in below)])


def test_a_node_echoes_when_its_neighbors_are_visited_and_its_children_have_echoed():
    for A, random in graphs(1):
        hints = nar.run_algorithm("eccentricity", A, int(random.integers(len(A)))).hints
        visited, echoed, parents = hints["visited_h"], hints["msgphase_h"], hints["pi_h"]
        for t in range(len(visited) - 1):
            for v in range(len(A)):
                near = neighbors(A, v)
                is_done = all(visited[t, u] and (parents[t, u] != v or echoed[t, u]) for u in near)
                assert visited[t + 1, v] == (visited[t, v] or any(visited[t, u] for u in near))
                assert echoed[t + 1, v] == (echoed[t, v] or (visited[t, v] and is_done))


def test_fast_mis():
    for A, random in graphs(2):
        numbers = random.choice([0.1, 0.2, 0.3], size=(random.integers(1, 3), len(A)))
        trace = nar.run_algorithm("fast_mis", A, numbers)
        chosen = set(np.flatnonzero(trace.outputs["inmis"]).tolist())
        assert not any(neighbors(A, v) & chosen for v in chosen)
        assert all(v in chosen or neighbors(A, v) & chosen for v in range(len(A)))
        alive, members, phase = (trace.hints[name] for name in ("alive_h", "inmis_h", "phase_h"))
        assert not alive[-1].any() and alive[0].all() and not members[0].any()
        for t in range(len(alive) - 1):
            number = numbers[t // 2 % len(numbers)]
            np.testing.assert_array_equal(trace.hints["randomness"][t], number)
            assert phase[t] == t % 2
            for v in range(len(A)):
                living = [(number[u], u) for u in neighbors(A, v) if alive[t, u]]
                joins = phase[t] == 0 and alive[t, v] and (number[v], v) <= min([*living, (number[v], v)])
                dies = phase[t] == 1 and (members[t, v] or any(members[t, u] for u in neighbors(A, v)))
                assert members[t + 1, v] == (members[t, v] or joins)
                assert alive[t + 1, v] == (alive[t, v] and not dies)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("eccentricity", {"A": [[0, 1], [0, 0]], "s": 0}, "A must be symmetric"),
        ("fast_mis", {"A": [[0, 1], [0, 0]], "numbers": [[0.1, 0.2]]}, "A must be symmetric"),
        ("fast_mis", {"matrix": [[0, 1], [1, 0]], "numbers": [[0.1]]}, "numbers must have 2 columns"),
        ("fast_mis", {"matrix": [[0, 1], [1, 0]], "numbers": [0.1, 0.2]}, "array of rank 2"),
    ],
)
def test_other_arguments_are_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        nar.run_algorithm(name, **arguments)
