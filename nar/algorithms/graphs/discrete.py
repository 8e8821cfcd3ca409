"""Searches by single edges, as discrete reasoners execute them (`nar.processors.discrete`).

Their outputs are those of dfs, dijkstra and mst_prim. Their hints are what a step needs: which nodes are
reached, their parents, the distances of dijkstra and the current node of dfs. A step reaches one node, or
goes back to a parent. The generators are those of `nar.algorithms.on_lists.discrete`.
"""

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.on_lists.all_nodes import all_nodes
from nar.algorithms.on_lists.discrete import discrete_dfs as dfs_on_lists
from nar.algorithms.on_lists.discrete import discrete_dijkstra as dijkstra_on_lists
from nar.algorithms.on_lists.discrete import discrete_mst_prim as mst_prim_on_lists
from nar.problems import (
    DIRECTED_GRAPH,
    NONNEGATIVE_WEIGHTED_GRAPH_AND_SOURCE,
    UNDIRECTED_WEIGHTED_GRAPH_AND_SOURCE,
)
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SOURCE = "traces of Rodionov and Prokhorenkova 2024, arXiv 2402.11628"

_GRAPH = {
    "pos": (Location.NODE, Kind.SCALAR),
    "A": (Location.EDGE, Kind.SCALAR),
    "adj": (Location.EDGE, Kind.MASK),
}
_GRAPH_AND_SOURCE = {**_GRAPH, "s": (Location.NODE, Kind.MASK_ONE)}
_TREE = {"reach_h": (Location.NODE, Kind.MASK), "pi_h": (Location.NODE, Kind.POINTER)}
_OUTPUT = {"pi": (Location.NODE, Kind.POINTER)}


def discrete_dfs(A, pi):
    """Goes from node to node along single edges; see `nar.algorithms.on_lists.discrete.discrete_dfs`."""
    for hints in dfs_on_lists(all_nodes(len(A)), A, pi):  # noqa: UP028 (numba has no `yield from`)
        yield hints


def discrete_dijkstra(A, s, pi):
    """Reaches the nearest node; see `nar.algorithms.on_lists.discrete.discrete_dijkstra`."""
    for hints in dijkstra_on_lists(all_nodes(len(A)), A, s, pi):  # noqa: UP028 (numba has no `yield from`)
        yield hints


def discrete_mst_prim(A, s, pi):
    """Adds the lightest edge to the tree; see `nar.algorithms.on_lists.discrete.discrete_mst_prim`."""
    for hints in mst_prim_on_lists(all_nodes(len(A)), A, s, pi):  # noqa: UP028 (numba has no `yield from`)
        yield hints


DISCRETE_DFS = Algorithm(
    name="discrete_dfs",
    family="graphs",
    spec=make_spec(inputs=_GRAPH, hints={**_TREE, "u": (Location.NODE, Kind.MASK)}, outputs=_OUTPUT),
    problem=DIRECTED_GRAPH,
    steps=discrete_dfs,
    source=SOURCE,
)

DISCRETE_DIJKSTRA = Algorithm(
    name="discrete_dijkstra",
    family="graphs",
    spec=make_spec(
        inputs=_GRAPH_AND_SOURCE, hints={**_TREE, "d": (Location.NODE, Kind.SCALAR)}, outputs=_OUTPUT
    ),
    problem=NONNEGATIVE_WEIGHTED_GRAPH_AND_SOURCE,
    scaling=Scaling(("A",), degrees={"d": 1}),
    steps=discrete_dijkstra,
    source=SOURCE,
)

DISCRETE_MST_PRIM = Algorithm(
    name="discrete_mst_prim",
    family="graphs",
    spec=make_spec(inputs=_GRAPH_AND_SOURCE, hints=_TREE, outputs=_OUTPUT),
    problem=UNDIRECTED_WEIGHTED_GRAPH_AND_SOURCE,
    scaling=Scaling(("A",)),
    steps=discrete_mst_prim,
    source=SOURCE,
)
