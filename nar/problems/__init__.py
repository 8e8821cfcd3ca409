"""Random problem instances, and checks of a user's own.

A `Problem` draws the arguments of an algorithm, checks arguments that a user brings, and lays them out as
input probes. Samplers read from a `numpy.random.RandomState`: its draws are the same in every numpy
release, and CLRS-30 is defined by them. `nar.traces` hands in either the one sequential stream of a
canonical split, or a counter-based stream of each trace's own.

The draws of every sampler (which, how many, in which order) are those of CLRS-30 (arXiv 2205.15659).
Note that its undirected graph keeps the edge {i, j} only if both of two independent coins of probability p
say so: an undirected edge exists with probability p².
"""

from nar.problems.definition import Arguments, Array, Problem, Random
from nar.problems.families import GRAPH_FAMILIES, draw_graph
from nar.problems.graphs import GRAPH_AND_SOURCE, WEIGHTED_GRAPH_AND_SOURCE, erdos_renyi, random_graph
from nar.problems.points import SEGMENTS
from nar.problems.sequences import MATRIX_DIMENSIONS, SEQUENCE, TASKS
from nar.problems.strings import NUM_CHARACTERS, TWO_STRINGS

__all__ = [
    "GRAPH_AND_SOURCE",
    "GRAPH_FAMILIES",
    "MATRIX_DIMENSIONS",
    "NUM_CHARACTERS",
    "SEGMENTS",
    "SEQUENCE",
    "TASKS",
    "TWO_STRINGS",
    "WEIGHTED_GRAPH_AND_SOURCE",
    "Arguments",
    "Array",
    "Problem",
    "Random",
    "draw_graph",
    "erdos_renyi",
    "random_graph",
]
