"""The textbook algorithms, each recording its own hints, and the table of all of them.

One algorithm, one file: spec, generator, problem, source. To add one, write its file and its line here.
This room imports numpy and numba, never jax.
"""

from nar.algorithms.activity_selector import ACTIVITY_SELECTOR
from nar.algorithms.articulation_points import ARTICULATION_POINTS
from nar.algorithms.bellman_ford import BELLMAN_FORD
from nar.algorithms.bfs import BFS
from nar.algorithms.binary_search import BINARY_SEARCH
from nar.algorithms.bipartite_matching import BIPARTITE_MATCHING
from nar.algorithms.bridges import BRIDGES
from nar.algorithms.bubble_sort import BUBBLE_SORT
from nar.algorithms.dag_shortest_paths import DAG_SHORTEST_PATHS
from nar.algorithms.definition import FAMILIES, Algorithm
from nar.algorithms.dfs import DFS
from nar.algorithms.dijkstra import DIJKSTRA
from nar.algorithms.find_maximum_subarray import FIND_MAXIMUM_SUBARRAY
from nar.algorithms.find_maximum_subarray_kadane import FIND_MAXIMUM_SUBARRAY_KADANE
from nar.algorithms.floyd_warshall import FLOYD_WARSHALL
from nar.algorithms.graham_scan import GRAHAM_SCAN
from nar.algorithms.heapsort import HEAPSORT
from nar.algorithms.insertion_sort import INSERTION_SORT
from nar.algorithms.jarvis_march import JARVIS_MARCH
from nar.algorithms.kmp_matcher import KMP_MATCHER
from nar.algorithms.lcs_length import LCS_LENGTH
from nar.algorithms.matrix_chain_order import MATRIX_CHAIN_ORDER
from nar.algorithms.minimum import MINIMUM
from nar.algorithms.mst_kruskal import MST_KRUSKAL
from nar.algorithms.mst_prim import MST_PRIM
from nar.algorithms.naive_string_matcher import NAIVE_STRING_MATCHER
from nar.algorithms.optimal_bst import OPTIMAL_BST
from nar.algorithms.quickselect import QUICKSELECT
from nar.algorithms.quicksort import QUICKSORT
from nar.algorithms.segments_intersect import SEGMENTS_INTERSECT
from nar.algorithms.strongly_connected_components import STRONGLY_CONNECTED_COMPONENTS
from nar.algorithms.table import ALGORITHMS, find_algorithm, register
from nar.algorithms.task_scheduling import TASK_SCHEDULING
from nar.algorithms.topological_sort import TOPOLOGICAL_SORT

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
"""The algorithms that belong to nar; more can be registered."""

for _algorithm in BUILT_IN:
    register(_algorithm)
