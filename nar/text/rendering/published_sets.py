"""Published sets of CLRS-Text (arXiv 2406.04229), from the generator script of dm-clrs 2.0.3."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

_TRAIN_LENGTHS = (4, 5, 10, 11, 12, 15, 19, 23, 28, 31)


@dataclasses.dataclass(frozen=True)
class TextSet:
    """Contents of one set of texts.

    Attributes:
      lengths: lengths of each algorithm; both are in the published order.
      samples: number of texts for each algorithm, length and seed.
      seeds: seeds, in order.
    """

    lengths: Mapping[str, tuple[int, ...]]
    samples: int
    seeds: tuple[int, ...]


_TRAIN_COUNTS = {
    "articulation_points": 7,
    "activity_selector": 10,
    "bellman_ford": 10,
    "bfs": 10,
    "binary_search": 10,
    "bridges": 2,
    "bubble_sort": 3,
    "dag_shortest_paths": 7,
    "dfs": 8,
    "dijkstra": 9,
    "find_maximum_subarray_kadane": 10,
    "floyd_warshall": 3,
    "graham_scan": 10,
    "heapsort": 3,
    "insertion_sort": 10,
    "jarvis_march": 5,
    "kmp_matcher": 10,
    "lcs_length": 3,
    "matrix_chain_order": 3,
    "minimum": 10,
    "mst_kruskal": 3,
    "mst_prim": 9,
    "naive_string_matcher": 10,
    "optimal_bst": 3,
    "quickselect": 10,
    "quicksort": 3,
    "segments_intersect": 10,
    "strongly_connected_components": 6,
    "task_scheduling": 10,
    "topological_sort": 8,
}
"""Number of the leading entries of `_TRAIN_LENGTHS` that each algorithm has."""

_VAL_MAX_LENGTHS = {
    "activity_selector": 40,
    "articulation_points": 19,
    "bellman_ford": 32,
    "bfs": 41,
    "binary_search": 64,
    "bridges": 7,
    "bubble_sort": 11,
    "dag_shortest_paths": 19,
    "dfs": 20,
    "dijkstra": 25,
    "find_maximum_subarray_kadane": 64,
    "floyd_warshall": 11,
    "graham_scan": 31,
    "heapsort": 11,
    "insertion_sort": 25,
    "jarvis_march": 13,
    "kmp_matcher": 64,
    "lcs_length": 12,
    "matrix_chain_order": 12,
    "minimum": 64,
    "mst_kruskal": 10,
    "mst_prim": 26,
    "naive_string_matcher": 64,
    "optimal_bst": 10,
    "quickselect": 64,
    "quicksort": 12,
    "segments_intersect": 64,
    "strongly_connected_components": 16,
    "task_scheduling": 41,
    "topological_sort": 21,
}
"""Largest length of each algorithm; its lengths are all from 4 up to this."""

TEXT_SETS: Mapping[str, TextSet] = MappingProxyType(
    {
        "train": TextSet(
            MappingProxyType({name: _TRAIN_LENGTHS[:count] for name, count in _TRAIN_COUNTS.items()}),
            10_000,
            (0,),
        ),
        "val": TextSet(
            MappingProxyType({name: tuple(range(4, end + 1)) for name, end in _VAL_MAX_LENGTHS.items()}),
            125,
            (3, 14, 35, 81, 94),
        ),
    }
)
"""Published sets by name."""
