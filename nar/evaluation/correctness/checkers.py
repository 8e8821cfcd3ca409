"""Which answers solve the problem, be they those of CLRS-30's algorithm or others.

Many problems have several right answers: any shortest path will do, equal keys may stand in any order.
CLRS-30 counts one of them. Here is what makes an answer right, for those algorithms whose problem has a short
definition. Inputs and answers are those of one instance, as a trace holds them, without a batch axis.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from nar.evaluation.correctness.optimal_sets import heaviest_schedule, largest_matching, most_activities
from nar.evaluation.correctness.optimal_tables import (
    cheapest_products,
    cheapest_search_trees,
    longest_common_subsequences,
)
from nar.evaluation.scores import join_permutations
from nar.specs import Spec

Array = np.ndarray
Values = Mapping[str, Array]
Checker = Callable[[Values, Values, Values], bool]
"""(inputs, true outputs, decided outputs) -> whether what was decided is a right answer."""

_TOLERANCE = 1e-6


# ---------------------------------------------------------------------------------------------------
# Paths and trees


def shortest_path_tree(weights: Array, source: int, parents: Array) -> bool:
    """Whether each node's parent is the last but one on a shortest path from the source.

    Args:
      weights: [N, N], of edges; infinite where there is none.
      source: a node.
      parents: [N]; of the source and of nodes out of reach, themselves.
    """
    distances = path_lengths(weights, source)
    nodes = np.arange(len(parents))
    reached = np.isfinite(distances)
    inner = reached & (nodes != source)
    if (parents[~inner] != nodes[~inner]).any() or not reached[parents[inner]].all():
        return False
    behind = distances[parents[inner]] + weights[parents[inner], nodes[inner]]
    return bool(np.allclose(behind, distances[inner], rtol=0, atol=_TOLERANCE)) and leads_to(
        parents, source, inner
    )


def path_lengths(weights: Array, source: int) -> Array:
    """[N] lengths of shortest paths from a node, by Bellman and Ford; infinite out of reach."""
    distances = np.full(len(weights), np.inf)
    distances[source] = 0
    for _ in range(len(weights) - 1):
        distances = np.minimum(distances, (distances[:, None] + weights).min(axis=0))
    return distances


def leads_to(parents: Array, root: int, nodes: Array) -> bool:
    """Whether the way from each of these nodes, from parent to parent, ends at the root."""
    at = np.arange(len(parents))
    for _ in range(len(parents)):
        at = parents[at]
    return bool((at[nodes] == root).all())


def depth_first_forest(edges: Array, parents: Array) -> bool:
    """Whether some order of roots and of neighbours makes depth-first search leave this forest.

    An edge between two branches of a node says that the branch it leads to was searched first. There is
    such an order if, at each node and among the roots, these demands are no cycle.

    Args:
      edges: [N, N] bool.
      parents: [N]; of roots, themselves.
    """
    nodes = np.arange(len(parents))
    inner = parents != nodes
    if not edges[parents[inner], nodes[inner]].all():
        return False
    ways = [way for node in nodes if (way := _way_from_root(parents, int(node))) is not None]
    if len(ways) < len(nodes):
        return False
    first: dict[tuple[int, int], None] = {}
    for u, v in np.argwhere(edges).tolist():
        fork = next((pair for pair in zip(ways[u], ways[v], strict=False) if pair[0] != pair[1]), None)
        if fork is not None:
            first[fork[1], fork[0]] = None
    before = np.zeros_like(edges)
    for branch, later in first:
        before[branch, later] = True
    return _is_acyclic(before)


def _way_from_root(parents: Array, node: int) -> list[int] | None:
    """Nodes on the way to a node; None if there is a cycle."""
    way = [node]
    while parents[way[-1]] != way[-1]:
        way.append(int(parents[way[-1]]))
        if len(way) > len(parents):
            return None
    return way[::-1]


def _is_acyclic(edges: Array) -> bool:
    """Whether nodes without incoming edges can be taken away until none is left."""
    left = np.ones(len(edges), bool)
    while left.any():
        free = left & ~(edges & left[:, None]).any(axis=0)
        if not free.any():
            return False
        left &= ~free
    return True


def forest_weight(weights: Array) -> float:
    """The weight of a lightest spanning forest, by Kruskal; infinite weights are no edges."""
    label, total = np.arange(len(weights)), 0.0
    edges = [(weights[u, v], u, v) for u, v in np.argwhere(np.isfinite(weights)) if u < v]
    for weight, u, v in sorted(edges):
        if label[u] != label[v]:
            label[label == label[v]] = label[u]
            total += weight
    return float(total)


# ---------------------------------------------------------------------------------------------------
# Orders


def order_of(predecessors: Array) -> list[int] | None:
    """Nodes in order, from pointers to the one before; the first points to itself. None if it is no order."""
    nodes = np.arange(len(predecessors))
    (firsts,) = np.nonzero(predecessors == nodes)
    if len(firsts) != 1:
        return None
    after = {int(predecessors[node]): int(node) for node in nodes if node != firsts[0]}
    order = [int(firsts[0])]
    while order[-1] in after and len(order) <= len(nodes):
        order.append(after[order[-1]])
    return order if len(order) == len(nodes) else None


def _sorted_order(inputs: Values, truth: Values, decided: Values) -> bool:
    del truth
    order = order_of(decided["pred"])
    return order is not None and bool((np.diff(inputs["key"][order]) >= 0).all())


def _topological_order(inputs: Values, truth: Values, decided: Values) -> bool:
    del truth
    after, node = decided["topo"], int(decided["topo_head"].argmax())
    places = {node: 0}
    while after[node] != node and int(after[node]) not in places:
        node = int(after[node])
        places[node] = len(places)
    if len(places) != len(after) or after[node] != node:
        return False
    return all(places[u] < places[v] for u, v in np.argwhere(_edges(inputs)).tolist())


# ---------------------------------------------------------------------------------------------------
# By algorithm


def _edges(inputs: Values) -> Array:
    """[N, N] bool; a node's edge to itself does not count."""
    return (inputs["A"] != 0) & ~np.eye(len(inputs["A"]), dtype=bool)


def _weights(inputs: Values) -> Array:
    return np.where(_edges(inputs), inputs["A"], np.inf).astype(np.float64)


def _source(inputs: Values) -> int:
    return int(inputs["s"].argmax())


def _fewest_edges(inputs: Values, truth: Values, decided: Values) -> bool:
    del truth
    hops = np.where(_edges(inputs), 1.0, np.inf)
    return shortest_path_tree(hops, _source(inputs), decided["pi"])


def _shortest_paths(inputs: Values, truth: Values, decided: Values) -> bool:
    del truth
    return shortest_path_tree(_weights(inputs), _source(inputs), decided["pi"])


def _all_shortest_paths(inputs: Values, truth: Values, decided: Values) -> bool:
    """Row by row; where there is no path, and on the diagonal, there is one answer alone."""
    weights, rows = _weights(inputs), decided["Pi"]
    distances = np.stack([path_lengths(weights, i) for i in range(len(weights))])
    fixed = ~np.isfinite(distances) | np.eye(len(weights), dtype=bool)
    if (rows[fixed] != truth["Pi"][fixed]).any():
        return False
    parents = np.where(np.isfinite(distances), rows, np.arange(len(weights)))
    np.fill_diagonal(parents, np.arange(len(weights)))
    return all(shortest_path_tree(weights, i, parents[i]) for i in range(len(weights)))


def _search_forest(inputs: Values, truth: Values, decided: Values) -> bool:
    del truth
    return depth_first_forest(_edges(inputs), decided["pi"])


def _lightest_tree(inputs: Values, truth: Values, decided: Values) -> bool:
    """Of the source's component; other nodes point to themselves."""
    weights, source, parents = _weights(inputs), _source(inputs), decided["pi"]
    nodes = np.arange(len(parents))
    inner = np.isfinite(path_lengths(np.where(np.isfinite(weights), 1.0, np.inf), source)) & (nodes != source)
    if (parents[~inner] != nodes[~inner]).any() or not leads_to(parents, source, inner):
        return False
    here = nodes[inner].tolist() + [source]
    total = weights[parents[inner], nodes[inner]].sum()
    return bool(abs(total - forest_weight(weights[np.ix_(here, here)])) < _TOLERANCE)


def _lightest_forest(inputs: Values, truth: Values, decided: Values) -> bool:
    """As many edges as CLRS-30's forest has, no cycle, and its weight."""
    weights, taken = _weights(inputs), decided["in_mst"] > 0.5
    if (taken != taken.T).any() or taken.sum() != (truth["in_mst"] == 1).sum():
        return False
    if not np.isfinite(weights[taken]).all():
        return False
    label = np.arange(len(weights))
    for u, v in np.argwhere(np.triu(taken)).tolist():
        if label[u] == label[v]:
            return False
        label[label == label[v]] = label[u]
    return bool(abs(weights[np.triu(taken)].sum() - forest_weight(weights)) < _TOLERANCE)


def _components(inputs: Values, truth: Values, decided: Values) -> bool:
    """Any node may stand for its component, the same for all of them."""
    del inputs
    own, theirs = decided["scc_id"], truth["scc_id"]
    same = (own[:, None] == own) == (theirs[:, None] == theirs)
    return bool(same.all() and (theirs[own] == theirs).all())


def _key_of_rank(rank: Callable[[int], int], name: str) -> Checker:
    """A node with the key of some rank."""

    def check(inputs: Values, truth: Values, decided: Values) -> bool:
        del truth
        keys = inputs["key"]
        return bool(keys[decided[name].argmax()] == np.sort(keys)[rank(len(keys))])

    return check


def _largest_sum(inputs: Values, truth: Values, decided: Values) -> bool:
    def total(outputs: Values) -> float:
        start, end = (int(outputs[name].argmax()) for name in ("start", "end"))
        return float(inputs["key"][start : end + 1].sum()) if start <= end else -np.inf

    return total(decided) >= total(truth) - _TOLERANCE


CHECKERS: Mapping[str, Checker] = MappingProxyType(
    {
        "bfs": _fewest_edges,
        "dfs": _search_forest,
        "topological_sort": _topological_order,
        "strongly_connected_components": _components,
        "mst_prim": _lightest_tree,
        "mst_kruskal": _lightest_forest,
        "bellman_ford": _shortest_paths,
        "dijkstra": _shortest_paths,
        "dag_shortest_paths": _shortest_paths,
        "floyd_warshall": _all_shortest_paths,
        "insertion_sort": _sorted_order,
        "bubble_sort": _sorted_order,
        "heapsort": _sorted_order,
        "quicksort": _sorted_order,
        "minimum": _key_of_rank(lambda count: 0, "min"),
        "quickselect": _key_of_rank(lambda count: count // 2, "median"),
        "activity_selector": most_activities,
        "task_scheduling": heaviest_schedule,
        "bipartite_matching": largest_matching,
        "lcs_length": longest_common_subsequences,
        "matrix_chain_order": cheapest_products,
        "optimal_bst": cheapest_search_trees,
        "find_maximum_subarray": _largest_sum,
        "find_maximum_subarray_kadane": _largest_sum,
    }
)
"""By algorithm. Others have one right answer."""


def valid_answers(task: str, spec: Spec, inputs: Values, truth: Values, decided: Values) -> Array | None:
    """Which instances have a right answer.

    Args:
      task: name of the algorithm.
      spec: after transforms.
      inputs: of a batch.
      truth: its outputs, after transforms.
      decided: as `nar.evaluation.decide` returns them.

    Returns:
      [B] bool; None if the algorithm has no checker.
    """
    checker = CHECKERS.get(task)
    if checker is None:
        return None
    truth = join_permutations(spec, truth)
    count = len(next(iter(decided.values())))
    instances = (
        tuple({name: value[row] for name, value in values.items()} for values in (inputs, truth, decided))
        for row in range(count)
    )
    return np.array([checker(*instance) for instance in instances])
