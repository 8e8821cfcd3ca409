"""Maximal independent sets, found by all nodes at once with random numbers."""

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.on_lists.all_nodes import all_nodes
from nar.algorithms.on_lists.fast_mis import fast_mis as fast_mis_on_lists
from nar.problems.random_numbers import GRAPH_AND_RANDOM_NUMBERS
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
    },
    streams={"randomness": (Location.NODE, Kind.SCALAR)},
    hints={
        "alive_h": (Location.NODE, Kind.MASK),
        "inmis_h": (Location.NODE, Kind.MASK),
        "phase_h": (Location.GRAPH, Kind.MASK),
    },
    outputs={"inmis": (Location.NODE, Kind.MASK)},
)
"""The probes of SALSA-CLRS, without its mask of the edges between nodes that are alive."""


def fast_mis(A, numbers, inmis):
    """Alternating joins and deaths; see `nar.algorithms.on_lists.fast_mis.fast_mis`."""
    for step in fast_mis_on_lists(all_nodes(len(A)), A, numbers, inmis):  # noqa: UP028
        yield step  # numba has no `yield from`


FAST_MIS = Algorithm(
    name="fast_mis",
    family="graphs",
    spec=SPEC,
    problem=GRAPH_AND_RANDOM_NUMBERS,
    scaling=Scaling(("numbers",), "order"),
    steps=fast_mis,
    source="Métivier et al. 2011, An optimal bit complexity randomized distributed MIS algorithm; a task of "
    "SALSA-CLRS, Minder et al. 2023, arXiv 2309.12253",
)
