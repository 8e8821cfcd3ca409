"""The registry of augmentations, by algorithm."""

from collections.abc import Mapping

from nar.data.augmentation import depth_first, searches, sorting
from nar.data.augmentation.base import Augmentation
from nar.plugins import Registry, takes, unknown_name

AUGMENTATIONS: Registry[Augmentation] = Registry(
    "augmentation",
    {
        "insertion_sort": sorting.insertion_sort,
        "bubble_sort": sorting.bubble_sort,
        "heapsort": sorting.heapsort,
        "quicksort": sorting.quicksort,
        "bfs": searches.bfs,
        "bellman_ford": searches.bellman_ford,
        "dijkstra": searches.dijkstra,
        "mst_prim": searches.mst_prim,
        "mst_kruskal": searches.mst_kruskal,
        "floyd_warshall": searches.floyd_warshall,
        "dfs": depth_first.dfs,
        "topological_sort": depth_first.topological_sort,
        "dag_shortest_paths": depth_first.dag_shortest_paths,
        "strongly_connected_components": depth_first.strongly_connected_components,
        "articulation_points": depth_first.articulation_points,
        "bridges": depth_first.bridges,
    },
    is_valid=takes(4, options=False),
)
"""Augmentations by the name of their algorithm."""


def find_augmentation(algorithm: str, custom: Mapping[str, str]) -> Augmentation:
    """The augmentation of an algorithm.

    Args:
      algorithm: name of the algorithm.
      custom: algorithm -> `module:ATTRIBUTE`, or a name in `AUGMENTATIONS`, of further augmentations.

    Raises:
      ValueError: if it has none; the message lists the known ones.
    """
    if algorithm in custom:
        return AUGMENTATIONS.find(custom[algorithm])
    if algorithm not in AUGMENTATIONS:
        known = unknown_name("algorithm with an augmentation", algorithm, AUGMENTATIONS)
        raise ValueError(f"{known}; others can be given by the option augmentations")
    return AUGMENTATIONS[algorithm]
