"""Augmentations of depth-first searches, and of the algorithms that are made of them.

A search reads the edges of a node in the order of the nodes, up to its first white one, when the node is on
top of the stack. Unread at hint t + 1 are all edges out of white nodes, and those of a node on the stack to
white nodes after the child above it. These may be others. New nodes are white.

New nodes are inserted before the last node, since hints name node 0 at the start and the last node at each
finish. As roots they come right before the last node: where the last node is a root itself, the steps until
then are the same.
"""

import functools

import numpy as np

from nar.algorithms.shared.depth_first_search import WHITE
from nar.data.augmentation.base import AugmentedProblem
from nar.data.augmentation.edges import draw_edges, embed, is_new, nodes_before_last, weight_range
from nar.data.augmentation.orders import random_ranks
from nar.traces import Trace


def unread_edges(trace: Trace, step: int, nodes: np.ndarray, num_nodes: int) -> np.ndarray:
    """Mask [num_nodes, num_nodes] of the edges that a search has not read at hint `step` + 1."""
    white = np.ones(num_nodes, bool)
    white[nodes] = trace.hints["color"][step + 1].argmax(axis=-1) == WHITE
    free = np.broadcast_to(white[:, None], (num_nodes, num_nodes)).copy()
    below = trace.hints["s_prev"][step + 1]
    for child in np.flatnonzero(below != np.arange(len(below))):
        free[nodes[below[child]], nodes[child] + 1 :] = white[nodes[child] + 1 :]
    return free


def last_same_step(trace: Trace, step: int) -> int:
    """The step, or the last one before the last node is a root or a second search begins."""
    ends = trace.hints["s"].argmax(axis=-1) == trace.hints["s"].shape[-1] - 1
    if "phase" in trace.hints:
        ends = ends | (trace.hints["phase"] == 1)
    return max(min(step, int(ends.argmax()) - 2), -1) if ends.any() else step


def search(
    trace: Trace, step: int, new_nodes: int, random: np.random.Generator, *, keeps_edges: bool = False
) -> AugmentedProblem:
    """Other unread edges.

    Args:
      trace: see `Augmentation`, as for the next three.
      step: see there.
      new_nodes: see there.
      random: see there.
      keeps_edges: whether edges between old nodes stay, since a hint has all of them.
    """
    graph, step = trace.inputs["A"], last_same_step(trace, step)
    nodes, num_nodes = nodes_before_last(len(graph), new_nodes), len(graph) + new_nodes
    free = unread_edges(trace, step, nodes, num_nodes)
    if keeps_edges:
        new = is_new(nodes, num_nodes)
        free &= new[:, None] | new
    return AugmentedProblem((draw_edges(graph, embed(graph, nodes, num_nodes), free, random),), nodes, step)


def _acyclic(
    trace: Trace, step: int, nodes: np.ndarray, num_nodes: int, random: np.random.Generator
) -> np.ndarray:
    """Matrix of the graph with other unread edges, all upwards in one topological order."""
    graph = trace.inputs["A"]
    embedded = embed(graph, nodes, num_nodes)
    ranks = random_ranks(embedded != 0, random)
    free = unread_edges(trace, step, nodes, num_nodes) & (ranks[:, None] < ranks)
    return draw_edges(graph, embedded, free, random)


def topological_sort(
    trace: Trace, step: int, new_nodes: int, random: np.random.Generator
) -> AugmentedProblem:
    """Other unread edges, all upwards in one topological order."""
    old, step = len(trace.inputs["A"]), last_same_step(trace, step)
    nodes = nodes_before_last(old, new_nodes)
    return AugmentedProblem((_acyclic(trace, step, nodes, old + new_nodes, random),), nodes, step)


def dag_shortest_paths(
    trace: Trace, step: int, new_nodes: int, random: np.random.Generator
) -> AugmentedProblem:
    """Other unread edges, all upwards in one topological order; other weights of edges not yet relaxed."""
    old = len(trace.inputs["A"])
    step = step if old > 1 else -1  # The only node cannot be both the first and the last one.
    nodes, num_nodes = nodes_before_last(old, new_nodes), old + new_nodes
    matrix = _acyclic(trace, step, nodes, num_nodes, random)
    relaxing = trace.hints["phase"][: step + 1] == 1
    relaxed = np.zeros(num_nodes, bool)
    relaxed[nodes] = trace.hints["topo_head_h"][: step + 1][relaxing].any(axis=0)
    weights = random.uniform(*weight_range(trace.inputs["A"]), matrix.shape)
    matrix = np.where((matrix != 0) & ~relaxed[:, None], weights, matrix)
    return AugmentedProblem((matrix, int(nodes[trace.inputs["s"].argmax()])), nodes, step)


dfs = articulation_points = search
strongly_connected_components = bridges = functools.partial(search, keeps_edges=True)
