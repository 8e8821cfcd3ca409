"""Eccentricity of a node: the largest of the distances to all nodes that it reaches."""

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.on_lists.all_nodes import all_nodes
from nar.algorithms.on_lists.eccentricity import eccentricity as eccentricity_on_lists
from nar.problems.graphs import UNDIRECTED_GRAPH_AND_SOURCE
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "s": (Location.NODE, Kind.MASK_ONE),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
    },
    hints={
        "visited_h": (Location.NODE, Kind.MASK),
        "pi_h": (Location.NODE, Kind.POINTER),
        "floodstate_h": (Location.NODE, Kind.SCALAR),
        "msgphase_h": (Location.NODE, Kind.MASK),
        "echostate_h": (Location.NODE, Kind.SCALAR),
        "eccentricity_h": (Location.GRAPH, Kind.SCALAR),
    },
    outputs={"eccentricity": (Location.GRAPH, Kind.SCALAR)},
)
"""The probes of SALSA-CLRS, without its masks of edges and leaves: `pi_h` has the tree of the flood."""


def eccentricity(A, s, eccentricity):
    """Flood and echo; see `nar.algorithms.on_lists.eccentricity.eccentricity`."""
    for hints in eccentricity_on_lists(all_nodes(len(A)), A, s, eccentricity):  # noqa: UP028
        yield hints  # numba has no `yield from`


ECCENTRICITY = Algorithm(
    name="eccentricity",
    family="graphs",
    spec=SPEC,
    problem=UNDIRECTED_GRAPH_AND_SOURCE,
    steps=eccentricity,
    source="flood and echo; a task of SALSA-CLRS, Minder et al. 2023, arXiv 2309.12253",
)
