"""How two strings are laid out on nodes: those of the first, then those of the second."""

import numpy as np
from numba.extending import register_jitable

from nar.problems import NUM_CHARACTERS
from nar.specs import Kind, Location

STRING_INPUTS = {
    "string": (Location.NODE, Kind.MASK),
    "pos": (Location.NODE, Kind.SCALAR),
    "key": (Location.NODE, Kind.CATEGORICAL, NUM_CHARACTERS),
}
"""The input rows: which string, where in it, which character."""


@register_jitable
def string_predecessors(m, n):
    """Two chains: nodes 0 ... m-1 spell the first string, the n nodes behind them the second one."""
    pointers = np.arange(m + n)
    for k in range(1, m + n):
        if k != m:
            pointers[k] = k - 1
    return pointers
