"""Augmentations of searches from a source, of Kruskal's and of the Floyd-Warshall algorithm.

Nodes that are not done have not been left: no edge out of them was read, and every one may be another. New
nodes are connected to each other and to those. They only reach out to nodes that are done, where edges have
directions.
"""

import numpy as np

from nar.data.augmentation.base import AugmentedProblem
from nar.data.augmentation.edges import draw_edges, embed, is_new, nodes_among, weight_range
from nar.traces import Trace


def bfs(trace: Trace, step: int, new_nodes: int, random: np.random.Generator) -> AugmentedProblem:
    """Other edges out of nodes that are not reached yet: step t reads those of nodes reached before."""
    return _without_left(trace, step, new_nodes, random, trace.hints["reach_h"][step] == 1)


def bellman_ford(trace: Trace, step: int, new_nodes: int, random: np.random.Generator) -> AugmentedProblem:
    """Other edges out of nodes that are not reached yet: step t relaxes those of nodes reached before."""
    return _without_left(trace, step, new_nodes, random, trace.hints["msk"][step] == 1)


def dijkstra(trace: Trace, step: int, new_nodes: int, random: np.random.Generator) -> AugmentedProblem:
    """Other edges out of nodes that step t leaves in the queue, or that were never in it."""
    return _without_left(trace, step, new_nodes, random, trace.hints["mark"][step + 1] == 1)


mst_prim = dijkstra


def _without_left(
    trace: Trace, step: int, new_nodes: int, random: np.random.Generator, left: np.ndarray
) -> AugmentedProblem:
    """A problem with other edges out of the nodes that are not marked in `left` [N]."""
    graph = trace.inputs["A"]
    nodes = nodes_among(len(graph), new_nodes, random)
    num_nodes = len(graph) + new_nodes
    is_free = np.ones(num_nodes, bool)
    is_free[nodes] = ~left
    free = np.broadcast_to(is_free[:, None], (num_nodes, num_nodes))
    matrix = draw_edges(graph, embed(graph, nodes, num_nodes), free, random)
    source = int(nodes[trace.inputs["s"].argmax()])
    return AugmentedProblem((matrix, source), nodes, step)


def mst_kruskal(trace: Trace, step: int, new_nodes: int, random: np.random.Generator) -> AugmentedProblem:
    """Other edges that are heavier than the current one, which come later.

    Before the first edge, hints name node 0, which keeps its number.
    """
    graph = trace.inputs["A"]
    u, v = (trace.hints[name][step + 1].argmax() for name in ("u", "v"))
    nodes = nodes_among(len(graph), new_nodes, random, keep_first=True)
    embedded = embed(graph, nodes, len(graph) + new_nodes)
    current, (_, heaviest) = graph[u, v], weight_range(graph)
    free = ((embedded == 0) | (embedded > current)) & (heaviest > current)
    np.fill_diagonal(free, False)
    return AugmentedProblem((draw_edges(graph, embedded, free, random, low=current),), nodes, step)


def floyd_warshall(trace: Trace, step: int, new_nodes: int, random: np.random.Generator) -> AugmentedProblem:
    """New nodes at the end with any edges: paths through them are allowed after those through all others."""
    graph = trace.inputs["A"]
    nodes, num_nodes = np.arange(len(graph)), len(graph) + new_nodes
    new = is_new(nodes, num_nodes)
    matrix = draw_edges(graph, embed(graph, nodes, num_nodes), new[:, None] | new, random)
    return AugmentedProblem((matrix,), nodes, step)
