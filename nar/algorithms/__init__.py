"""The textbook algorithms, each of which yields its own hints, and their registry.

Each algorithm is one file: spec, problem, generator and source. To add one, write its file and list it in
`BUILT_IN` of `registry.py`. This subpackage imports numpy and numba, never jax.
"""

from nar.algorithms.algorithm import CLRS30_FAMILIES, FAMILIES, Algorithm
from nar.algorithms.registry import ALGORITHMS, BUILT_IN, find_algorithm, register

__all__ = ["ALGORITHMS", "BUILT_IN", "CLRS30_FAMILIES", "FAMILIES", "Algorithm", "find_algorithm", "register"]
