"""Graph algorithms on neighbor lists: the hints and outputs of those on matrices, in time of the edges.

A generator here takes `neighbors`, [N, K] int64, the neighbors of each node in ascending order, and `A`,
[N, K], the weights of the edges to them, 0 where a slot is not used or holds no edge in this direction. In
all else it is that of `nar.algorithms.graphs` of the same name, with which tests compare it.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from nar.algorithms.graphs.on_lists.bellman_ford import bellman_ford
from nar.algorithms.graphs.on_lists.bfs import bfs
from nar.algorithms.graphs.on_lists.dfs import dfs
from nar.algorithms.graphs.on_lists.dijkstra import dijkstra
from nar.algorithms.graphs.on_lists.mst_prim import mst_prim

STEPS_ON_LISTS: Mapping[str, Callable[..., Iterator[Any]]] = MappingProxyType(
    {"bellman_ford": bellman_ford, "bfs": bfs, "dfs": dfs, "dijkstra": dijkstra, "mst_prim": mst_prim}
)
"""Generators by the name of their algorithm: `(neighbors, A, *further arguments, *outputs)`."""
