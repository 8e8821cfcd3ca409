"""Encoding of two strings as nodes: the characters of the first string, then those of the second."""

import numpy as np
from numba.extending import register_jitable

from nar.problems.options import NUM_CHARACTERS
from nar.specs import Kind, Location

STRING_INPUTS = {
    "string": (Location.NODE, Kind.MASK),
    "pos": (Location.NODE, Kind.SCALAR),
    "key": (Location.NODE, Kind.CATEGORICAL, NUM_CHARACTERS),
}
"""Spec rows of the inputs: which string, the position in it, the character."""


@register_jitable
def string_predecessors(m, n):
    """Predecessor pointers [m + n] that form one chain per string; each head points to itself."""
    pointers = np.arange(m + n)
    for k in range(1, m + n):
        if k != m:
            pointers[k] = k - 1
    return pointers
