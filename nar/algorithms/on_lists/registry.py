"""Registry of the generators on neighbor lists."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from nar.algorithms.on_lists.bellman_ford import bellman_ford
from nar.algorithms.on_lists.bfs import bfs
from nar.algorithms.on_lists.dfs import dfs
from nar.algorithms.on_lists.dijkstra import dijkstra
from nar.algorithms.on_lists.discrete import discrete_dfs, discrete_dijkstra, discrete_mst_prim
from nar.algorithms.on_lists.eccentricity import eccentricity
from nar.algorithms.on_lists.fast_mis import fast_mis
from nar.algorithms.on_lists.mst_prim import mst_prim

STEPS_ON_LISTS: Mapping[str, Callable[..., Iterator[Any]]] = MappingProxyType(
    {
        "bellman_ford": bellman_ford,
        "bfs": bfs,
        "dfs": dfs,
        "dijkstra": dijkstra,
        "discrete_dfs": discrete_dfs,
        "discrete_dijkstra": discrete_dijkstra,
        "discrete_mst_prim": discrete_mst_prim,
        "eccentricity": eccentricity,
        "fast_mis": fast_mis,
        "mst_prim": mst_prim,
    }
)
"""Generators by the name of their algorithm: `(neighbors, A, *further arguments, *outputs)`."""
