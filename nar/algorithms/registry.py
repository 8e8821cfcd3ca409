"""Registry of algorithms by name: those of nar and those that users register."""

from typing import Any

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.data_structures.disjoint_set_union import DISJOINT_SET_UNION
from nar.algorithms.data_structures.link_cut_trees import LINK_CUT_TREES
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
from nar.algorithms.graphs.discrete import DISCRETE_DFS, DISCRETE_DIJKSTRA, DISCRETE_MST_PRIM
from nar.algorithms.graphs.eccentricity import ECCENTRICITY
from nar.algorithms.graphs.fast_mis import FAST_MIS
from nar.algorithms.graphs.floyd_warshall import FLOYD_WARSHALL
from nar.algorithms.graphs.mst_kruskal import MST_KRUSKAL
from nar.algorithms.graphs.mst_prim import MST_PRIM
from nar.algorithms.graphs.strongly_connected_components import STRONGLY_CONNECTED_COMPONENTS
from nar.algorithms.graphs.topological_sort import TOPOLOGICAL_SORT
from nar.algorithms.greedy.activity_selector import ACTIVITY_SELECTOR
from nar.algorithms.greedy.task_scheduling import TASK_SCHEDULING
from nar.algorithms.searching.binary_search import BINARY_SEARCH
from nar.algorithms.searching.minimum import MINIMUM
from nar.algorithms.searching.parallel_search import PARALLEL_SEARCH
from nar.algorithms.searching.quickselect import QUICKSELECT
from nar.algorithms.sorting.bubble_sort import BUBBLE_SORT
from nar.algorithms.sorting.heapsort import HEAPSORT
from nar.algorithms.sorting.insertion_sort import INSERTION_SORT
from nar.algorithms.sorting.odd_even_transposition_sort import ODD_EVEN_TRANSPOSITION_SORT
from nar.algorithms.sorting.quicksort import QUICKSORT
from nar.algorithms.strings.kmp_matcher import KMP_MATCHER
from nar.algorithms.strings.naive_string_matcher import NAIVE_STRING_MATCHER
from nar.plugins import Registry

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
    DISCRETE_DFS,
    DISCRETE_DIJKSTRA,
    DISCRETE_MST_PRIM,
    DISJOINT_SET_UNION,
    ECCENTRICITY,
    FAST_MIS,
    FIND_MAXIMUM_SUBARRAY,
    FIND_MAXIMUM_SUBARRAY_KADANE,
    FLOYD_WARSHALL,
    GRAHAM_SCAN,
    HEAPSORT,
    INSERTION_SORT,
    JARVIS_MARCH,
    KMP_MATCHER,
    LCS_LENGTH,
    LINK_CUT_TREES,
    MATRIX_CHAIN_ORDER,
    MINIMUM,
    MST_KRUSKAL,
    MST_PRIM,
    NAIVE_STRING_MATCHER,
    ODD_EVEN_TRANSPOSITION_SORT,
    OPTIMAL_BST,
    PARALLEL_SEARCH,
    QUICKSELECT,
    QUICKSORT,
    SEGMENTS_INTERSECT,
    STRONGLY_CONNECTED_COMPONENTS,
    TASK_SCHEDULING,
    TOPOLOGICAL_SORT,
)
"""Algorithms that ship with nar; `register` adds custom ones."""


def _is_algorithm(value: Any) -> bool:
    return isinstance(value, Algorithm)


ALGORITHMS: Registry[Algorithm] = Registry(
    "algorithm",
    {algorithm.name: algorithm for algorithm in BUILT_IN},
    is_valid=_is_algorithm,
    registers_imports=True,
)
"""Registry of algorithms, name -> algorithm."""


def register(algorithm: Algorithm) -> Algorithm:
    """Registers a custom algorithm, so that it can be referred to by its name.

    A cell of a notebook may be run again: an algorithm of the same definition replaces the registered one,
    and so does, with a warning, another one if both are defined in `__main__`.

    Args:
      algorithm: the algorithm; registering the same object again has no effect.

    Returns:
      The algorithm.

    Raises:
      ValueError: if it is not an `Algorithm`, or if another algorithm is registered under its name.
    """
    return ALGORITHMS.register(algorithm)


def find_algorithm(name: str | Algorithm) -> Algorithm:
    """Looks up an algorithm by name.

    Args:
      name: a key of `ALGORITHMS`; or `module:ATTRIBUTE`, which is imported and registered; or an algorithm,
        which is returned unchanged.

    Raises:
      ValueError: if there is no such algorithm; the message lists the known ones.
    """
    return ALGORITHMS.find(name)
