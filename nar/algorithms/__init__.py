"""The textbook algorithms, each recording its own hints, and the table of all of them.

One algorithm, one file: spec, generator, problem, source. To add one, write its file and its line here.
This room imports numpy and numba, never jax.
"""

from nar.algorithms.bellman_ford import BELLMAN_FORD
from nar.algorithms.bfs import BFS
from nar.algorithms.definition import FAMILIES, Algorithm
from nar.algorithms.heapsort import HEAPSORT
from nar.algorithms.insertion_sort import INSERTION_SORT
from nar.algorithms.lcs_length import LCS_LENGTH
from nar.algorithms.matrix_chain_order import MATRIX_CHAIN_ORDER
from nar.algorithms.minimum import MINIMUM
from nar.algorithms.segments_intersect import SEGMENTS_INTERSECT
from nar.algorithms.table import ALGORITHMS, find_algorithm, register
from nar.algorithms.task_scheduling import TASK_SCHEDULING

__all__ = ["ALGORITHMS", "BUILT_IN", "FAMILIES", "Algorithm", "find_algorithm", "register"]

BUILT_IN = (
    BELLMAN_FORD,
    BFS,
    HEAPSORT,
    INSERTION_SORT,
    LCS_LENGTH,
    MATRIX_CHAIN_ORDER,
    MINIMUM,
    SEGMENTS_INTERSECT,
    TASK_SCHEDULING,
)
"""The algorithms that belong to nar; more can be registered."""

for _algorithm in BUILT_IN:
    register(_algorithm)
