"""The textbook algorithms, each of which yields its own hints, and their registry.

Each algorithm is one file: spec, problem, generator and source. To add one, write its file and list it in
`BUILT_IN`. This subpackage imports numpy and numba, never jax.
"""

from nar.algorithms.algorithm import FAMILIES, Algorithm
from nar.algorithms.divide_and_conquer.find_maximum_subarray import FIND_MAXIMUM_SUBARRAY
from nar.algorithms.divide_and_conquer.find_maximum_subarray_kadane import FIND_MAXIMUM_SUBARRAY_KADANE
from nar.algorithms.dynamic_programming.lcs_length import LCS_LENGTH
from nar.algorithms.dynamic_programming.matrix_chain_order import MATRIX_CHAIN_ORDER
from nar.algorithms.dynamic_programming.optimal_bst import OPTIMAL_BST
from nar.algorithms.geometry.graham_scan import GRAHAM_SCAN
from nar.algorithms.geometry.jarvis_march import JARVIS_MARCH
from nar.algorithms.geometry.segments_intersect import SEGMENTS_INTERSECT
from nar.algorithms.graphs.articulation_points import ARTICULATION_POINTS
from nar.algorithms.graphs.bellman_ford import BELLMAN_FORD
from nar.algorithms.graphs.bfs import BFS
from nar.algorithms.graphs.bipartite_matching import BIPARTITE_MATCHING
from nar.algorithms.graphs.bridges import BRIDGES
from nar.algorithms.graphs.dag_shortest_paths import DAG_SHORTEST_PATHS
from nar.algorithms.graphs.dfs import DFS
from nar.algorithms.graphs.dijkstra import DIJKSTRA
from nar.algorithms.graphs.floyd_warshall import FLOYD_WARSHALL
from nar.algorithms.graphs.mst_kruskal import MST_KRUSKAL
from nar.algorithms.graphs.mst_prim import MST_PRIM
from nar.algorithms.graphs.strongly_connected_components import STRONGLY_CONNECTED_COMPONENTS
from nar.algorithms.graphs.topological_sort import TOPOLOGICAL_SORT
from nar.algorithms.greedy.activity_selector import ACTIVITY_SELECTOR
from nar.algorithms.greedy.task_scheduling import TASK_SCHEDULING
from nar.algorithms.registry import ALGORITHMS, find_algorithm, register
from nar.algorithms.searching.binary_search import BINARY_SEARCH
from nar.algorithms.searching.minimum import MINIMUM
from nar.algorithms.searching.quickselect import QUICKSELECT
from nar.algorithms.sorting.bubble_sort import BUBBLE_SORT
from nar.algorithms.sorting.heapsort import HEAPSORT
from nar.algorithms.sorting.insertion_sort import INSERTION_SORT
from nar.algorithms.sorting.quicksort import QUICKSORT
from nar.algorithms.strings.kmp_matcher import KMP_MATCHER
from nar.algorithms.strings.naive_string_matcher import NAIVE_STRING_MATCHER

__all__ = ["ALGORITHMS", "BUILT_IN", "FAMILIES", "Algorithm", "find_algorithm", "register"]

BUILT_IN = (
    ACTIVITY_SELECTOR,
    ARTICULATION_POINTS,
    BELLMAN_FORD,
    BFS,
    BINARY_SEARCH,
    BIPARTITE_MATCHING,
    BRIDGES,
    BUBBLE_SORT,
    DAG_SHORTEST_PATHS,
    DFS,
    DIJKSTRA,
    FIND_MAXIMUM_SUBARRAY,
    FIND_MAXIMUM_SUBARRAY_KADANE,
    FLOYD_WARSHALL,
    GRAHAM_SCAN,
    HEAPSORT,
    INSERTION_SORT,
    JARVIS_MARCH,
    KMP_MATCHER,
    LCS_LENGTH,
    MATRIX_CHAIN_ORDER,
    MINIMUM,
    MST_KRUSKAL,
    MST_PRIM,
    NAIVE_STRING_MATCHER,
    OPTIMAL_BST,
    QUICKSELECT,
    QUICKSORT,
    SEGMENTS_INTERSECT,
    STRONGLY_CONNECTED_COMPONENTS,
    TASK_SCHEDULING,
    TOPOLOGICAL_SORT,
)
"""Algorithms that ship with nar; `register` adds custom ones."""

for _algorithm in BUILT_IN:
    register(_algorithm)
