"""Correctness checkers: accept every answer that solves the problem, not only that of CLRS-30's algorithm.

Many problems have several correct answers: any shortest path will do, equal keys may be in any order. CLRS-30
accepts only one of them. The checkers cover the algorithms whose problem has a short definition. Inputs and
answers are those of one instance, in the format of a trace, without a batch axis.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from nar.algorithms import find_algorithm
from nar.evaluation.correctness.optimal_sets import (
    is_best_schedule,
    is_largest_activity_set,
    is_maximum_matching,
)
from nar.evaluation.correctness.optimal_tables import (
    is_lcs_table,
    is_matrix_chain_table,
    is_search_tree_table,
)
from nar.evaluation.decoding import join_permutations
from nar.plugins import Registry
from nar.specs import Spec

Array = np.ndarray
Values = Mapping[str, Array]
Instance = tuple[Values, Values, Values]
"""Inputs, true outputs and predicted outputs of one instance."""

Checker = Callable[[Values, Values, Values], bool]
"""(inputs, true outputs, predicted outputs) -> True if the predicted outputs are a correct answer."""

_TOLERANCE = 1e-6


# ---------------------------------------------------------------------------------------------------
# Paths and trees


def is_shortest_path_tree(weights: Array, source: int, parents: Array) -> bool:
    """Checks that each node's parent is its predecessor on a shortest path from the source.

    Args:
      weights: [N, N] edge weights; infinite where there is no edge.
      source: the source node.
      parents: [N]; the source and unreachable nodes must be their own parents.
    """
    distances = path_lengths(weights, source)
    nodes = np.arange(len(parents))
    reached = np.isfinite(distances)
    inner = reached & (nodes != source)
    if (parents[~inner] != nodes[~inner]).any() or not reached[parents[inner]].all():
        return False
    via_parent = distances[parents[inner]] + weights[parents[inner], nodes[inner]]
    return bool(np.allclose(via_parent, distances[inner], rtol=0, atol=_TOLERANCE)) and all_lead_to(
        parents, source, inner
    )


def path_lengths(weights: Array, source: int) -> Array:
    """Shortest-path distances from a node, [N], by Bellman-Ford; infinite for unreachable nodes."""
    distances = np.full(len(weights), np.inf)
    distances[source] = 0
    for _ in range(len(weights) - 1):
        distances = np.minimum(distances, (distances[:, None] + weights).min(axis=0))
    return distances


def all_lead_to(parents: Array, root: int, nodes: Array) -> bool:
    """Checks that following parents from each of these nodes ends at the root."""
    ancestors = np.arange(len(parents))
    for _ in range(len(parents)):
        ancestors = parents[ancestors]
    return bool((ancestors[nodes] == root).all())


def is_depth_first_forest(edges: Array, parents: Array) -> bool:
    """Checks that depth-first search, with some order of roots and neighbors, produces this forest.

    A graph edge from one branch of a node to another implies that the branch it leads to was searched first.
    A suitable order exists if these constraints are acyclic at each node and among the roots.

    Args:
      edges: [N, N] bool.
      parents: [N]; roots are their own parents.
    """
    nodes = np.arange(len(parents))
    inner = parents != nodes
    if not edges[parents[inner], nodes[inner]].all():
        return False
    paths = [path for node in nodes if (path := _path_from_root(parents, int(node))) is not None]
    if len(paths) < len(nodes):
        return False
    constraints: dict[tuple[int, int], None] = {}
    for u, v in np.argwhere(edges).tolist():
        fork = next((pair for pair in zip(paths[u], paths[v], strict=False) if pair[0] != pair[1]), None)
        if fork is not None:
            constraints[fork[1], fork[0]] = None
    is_before = np.zeros_like(edges)
    for earlier, later in constraints:
        is_before[earlier, later] = True
    return _is_acyclic(is_before)


def _path_from_root(parents: Array, node: int) -> list[int] | None:
    """Nodes on the path from the root to a node; None if the parents have a cycle."""
    path = [node]
    while parents[path[-1]] != path[-1]:
        path.append(int(parents[path[-1]]))
        if len(path) > len(parents):
            return None
    return path[::-1]


def _is_acyclic(edges: Array) -> bool:
    """Checks for cycles by repeatedly removing the nodes without incoming edges."""
    remaining = np.ones(len(edges), bool)
    while remaining.any():
        free = remaining & ~(edges & remaining[:, None]).any(axis=0)
        if not free.any():
            return False
        remaining &= ~free
    return True


def forest_weight(weights: Array) -> float:
    """Weight of a minimum spanning forest, by Kruskal's algorithm; infinite weights mean no edge."""
    label, total = np.arange(len(weights)), 0.0
    edges = [(weights[u, v], u, v) for u, v in np.argwhere(np.isfinite(weights)) if u < v]
    for weight, u, v in sorted(edges):
        if label[u] != label[v]:
            label[label == label[v]] = label[u]
            total += weight
    return float(total)


# ---------------------------------------------------------------------------------------------------
# Orders


def order_from_predecessors(predecessors: Array) -> list[int] | None:
    """Node order given by predecessor pointers, where the first points to itself; None if there is none."""
    nodes = np.arange(len(predecessors))
    (firsts,) = np.nonzero(predecessors == nodes)
    if len(firsts) != 1:
        return None
    after = {int(predecessors[node]): int(node) for node in nodes if node != firsts[0]}
    order = [int(firsts[0])]
    while order[-1] in after and len(order) <= len(nodes):
        order.append(after[order[-1]])
    return order if len(order) == len(nodes) else None


def _is_sorted_order(inputs: Values, truth: Values, predicted: Values) -> bool:
    del truth
    order = order_from_predecessors(predicted["pred"])
    return order is not None and bool((np.diff(inputs["key"][order]) >= 0).all())


def _is_topological_order(inputs: Values, truth: Values, predicted: Values) -> bool:
    del truth
    after, node = predicted["topo"], int(predicted["topo_head"].argmax())
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
    """Adjacency [N, N], bool, without self-loops."""
    return (inputs["A"] != 0) & ~np.eye(len(inputs["A"]), dtype=bool)


def _weights(inputs: Values) -> Array:
    return np.where(_edges(inputs), inputs["A"], np.inf).astype(np.float64)


def _source(inputs: Values) -> int:
    return int(inputs["s"].argmax())


def _is_bfs_tree(inputs: Values, truth: Values, predicted: Values) -> bool:
    del truth
    hops = np.where(_edges(inputs), 1.0, np.inf)
    return is_shortest_path_tree(hops, _source(inputs), predicted["pi"])


def _are_shortest_paths(inputs: Values, truth: Values, predicted: Values) -> bool:
    del truth
    return is_shortest_path_tree(_weights(inputs), _source(inputs), predicted["pi"])


def _are_all_pairs_shortest_paths(inputs: Values, truth: Values, predicted: Values) -> bool:
    """Checks row by row; without a path, and on the diagonal, only one answer is correct."""
    weights, rows = _weights(inputs), predicted["Pi"]
    distances = np.stack([path_lengths(weights, i) for i in range(len(weights))])
    fixed = ~np.isfinite(distances) | np.eye(len(weights), dtype=bool)
    if (rows[fixed] != truth["Pi"][fixed]).any():
        return False
    parents = np.where(np.isfinite(distances), rows, np.arange(len(weights)))
    np.fill_diagonal(parents, np.arange(len(weights)))
    return all(is_shortest_path_tree(weights, i, parents[i]) for i in range(len(weights)))


def _is_dfs_forest(inputs: Values, truth: Values, predicted: Values) -> bool:
    del truth
    return is_depth_first_forest(_edges(inputs), predicted["pi"])


def _is_minimum_spanning_tree(inputs: Values, truth: Values, predicted: Values) -> bool:
    """Checks for a minimum spanning tree of the source's component; other nodes are their own parents."""
    weights, source, parents = _weights(inputs), _source(inputs), predicted["pi"]
    nodes = np.arange(len(parents))
    inner = np.isfinite(path_lengths(np.where(np.isfinite(weights), 1.0, np.inf), source)) & (nodes != source)
    if (parents[~inner] != nodes[~inner]).any() or not all_lead_to(parents, source, inner):
        return False
    component = nodes[inner].tolist() + [source]
    total = weights[parents[inner], nodes[inner]].sum()
    return bool(abs(total - forest_weight(weights[np.ix_(component, component)])) < _TOLERANCE)


def _is_minimum_spanning_forest(inputs: Values, truth: Values, predicted: Values) -> bool:
    """Checks for an acyclic edge set with the size and weight of CLRS-30's minimum spanning forest."""
    weights, taken = _weights(inputs), predicted["in_mst"] > 0.5
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


def _are_components(inputs: Values, truth: Values, predicted: Values) -> bool:
    """Checks for the true partition; any node of a component may be its representative."""
    del inputs
    predicted_ids, true_ids = predicted["scc_id"], truth["scc_id"]
    same = (predicted_ids[:, None] == predicted_ids) == (true_ids[:, None] == true_ids)
    return bool(same.all() and (true_ids[predicted_ids] == true_ids).all())


def _has_key_of_rank(rank: Callable[[int], int], name: str) -> Checker:
    """Makes a checker that accepts any node whose key has the given rank."""

    def check(inputs: Values, truth: Values, predicted: Values) -> bool:
        del truth
        keys = inputs["key"]
        return bool(keys[predicted[name].argmax()] == np.sort(keys)[rank(len(keys))])

    return check


def _has_maximum_sum(inputs: Values, truth: Values, predicted: Values) -> bool:
    def total(outputs: Values) -> float:
        start, end = (int(outputs[name].argmax()) for name in ("start", "end"))
        return float(inputs["key"][start : end + 1].sum()) if start <= end else -np.inf

    return total(predicted) >= total(truth) - _TOLERANCE


CHECKERS: Registry[Checker] = Registry(
    "checker",
    {
        "bfs": _is_bfs_tree,
        "dfs": _is_dfs_forest,
        "discrete_dfs": _is_dfs_forest,
        "discrete_dijkstra": _are_shortest_paths,
        "discrete_mst_prim": _is_minimum_spanning_tree,
        "topological_sort": _is_topological_order,
        "strongly_connected_components": _are_components,
        "mst_prim": _is_minimum_spanning_tree,
        "mst_kruskal": _is_minimum_spanning_forest,
        "bellman_ford": _are_shortest_paths,
        "dijkstra": _are_shortest_paths,
        "dag_shortest_paths": _are_shortest_paths,
        "floyd_warshall": _are_all_pairs_shortest_paths,
        "insertion_sort": _is_sorted_order,
        "bubble_sort": _is_sorted_order,
        "heapsort": _is_sorted_order,
        "quicksort": _is_sorted_order,
        "odd_even_transposition_sort": _is_sorted_order,
        "minimum": _has_key_of_rank(lambda count: 0, "min"),
        "quickselect": _has_key_of_rank(lambda count: count // 2, "median"),
        "activity_selector": is_largest_activity_set,
        "task_scheduling": is_best_schedule,
        "bipartite_matching": is_maximum_matching,
        "lcs_length": is_lcs_table,
        "matrix_chain_order": is_matrix_chain_table,
        "optimal_bst": is_search_tree_table,
        "find_maximum_subarray": _has_maximum_sum,
        "find_maximum_subarray_kadane": _has_maximum_sum,
    },
)
"""Checkers by algorithm, for those that have no `Algorithm.valid`. All others have one correct answer."""


def valid_answers(task: str, instances: Iterable[Instance]) -> Array | None:
    """Checks the predicted answer of each instance.

    Args:
      task: name of the algorithm.
      instances: instances, as `instances_of` or `InferenceResult.instances` yield them.

    Returns:
      [B] bool, True where the answer is correct; None if the algorithm has no checker.
    """
    checker = find_algorithm(task).valid or CHECKERS.get(task)
    return None if checker is None else np.array([checker(*instance) for instance in instances])


def instances_of(spec: Spec, inputs: Values, truth: Values, predicted: Values) -> Iterator[Instance]:
    """The instances of a batch, without a batch axis.

    Args:
      spec: the spec after transforms.
      inputs: inputs of a batch.
      truth: its outputs, after transforms.
      predicted: predicted outputs, as `nar.evaluation.decode_outputs` returns them.
    """
    batches = inputs, join_permutations(spec, truth), predicted
    for row in range(len(next(iter({**inputs, **predicted}.values())))):
        one, true, answer = ({name: value[row] for name, value in values.items()} for values in batches)
        yield one, true, answer
