"""Random problem instances, and validation of instances that users provide.

A `Problem` samples the arguments of an algorithm, validates arguments that a user provides, and encodes them
as input probes. Samplers read from a `numpy.random.RandomState`: its draws are the same in every numpy
release, and CLRS-30 is defined by them. `nar.traces` either passes the one sequential stream of a canonical
split, or compiles the sampler and passes each trace its own `CounterStream`.

Every sampler makes the same draws as CLRS-30 (arXiv 2205.15659), in the same number and order. Note that
CLRS-30 keeps the edge {i, j} of an undirected graph only if two independent draws with probability p both
succeed: an undirected edge exists with probability p².

This package exports all problems; samplers of graphs are in `random_graphs.py` and `families.py`.
"""

from nar.problems.families import GRAPH_FAMILIES
from nar.problems.flow_networks import FLOW_NETWORK
from nar.problems.graphs import (
    ACYCLIC_GRAPH,
    ACYCLIC_WEIGHTED_GRAPH_AND_SOURCE,
    COMMUNITIES,
    DIRECTED_GRAPH,
    GRAPH_AND_SOURCE,
    NONNEGATIVE_WEIGHTED_GRAPH_AND_SOURCE,
    SPARSE_GRAPH,
    SPARSE_WEIGHTED_GRAPH,
    UNDIRECTED_WEIGHTED_GRAPH_AND_SOURCE,
    WEIGHTED_GRAPH,
    WEIGHTED_GRAPH_AND_SOURCE,
)
from nar.problems.points import POINTS, SEGMENTS
from nar.problems.problem import Problem
from nar.problems.sequences import (
    ACTIVITIES,
    KEY_PROBABILITIES,
    MATRIX_DIMENSIONS,
    SEARCH,
    SEQUENCE,
    SIGNED_SEQUENCE,
    TASKS,
)
from nar.problems.strings import TEXT_AND_PATTERN, TWO_STRINGS

__all__ = [
    "ACTIVITIES",
    "ACYCLIC_GRAPH",
    "ACYCLIC_WEIGHTED_GRAPH_AND_SOURCE",
    "COMMUNITIES",
    "DIRECTED_GRAPH",
    "FLOW_NETWORK",
    "GRAPH_AND_SOURCE",
    "GRAPH_FAMILIES",
    "KEY_PROBABILITIES",
    "MATRIX_DIMENSIONS",
    "NONNEGATIVE_WEIGHTED_GRAPH_AND_SOURCE",
    "POINTS",
    "SEARCH",
    "SEGMENTS",
    "SEQUENCE",
    "SIGNED_SEQUENCE",
    "SPARSE_GRAPH",
    "SPARSE_WEIGHTED_GRAPH",
    "TASKS",
    "TEXT_AND_PATTERN",
    "TWO_STRINGS",
    "UNDIRECTED_WEIGHTED_GRAPH_AND_SOURCE",
    "WEIGHTED_GRAPH",
    "WEIGHTED_GRAPH_AND_SOURCE",
    "Problem",
]
