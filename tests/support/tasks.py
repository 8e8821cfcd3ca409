"""Algorithms for which tests build networks."""

import nar

COVERING = (
    "bellman_ford",
    "bfs",
    "heapsort",
    "insertion_sort",
    "lcs_length",
    "matrix_chain_order",
    "minimum",
    "segments_intersect",
    "task_scheduling",
)
"""Together they use every location and kind of CLRS-30; tests of networks for the others are marked slow."""

ALL = tuple(nar.ALGORITHMS)
