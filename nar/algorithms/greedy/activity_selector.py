"""Activity selection: a largest set of activities that do not overlap."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER, predecessors
from nar.problems import ACTIVITIES
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "s": (Location.NODE, Kind.SCALAR),
        "f": (Location.NODE, Kind.SCALAR),
    },
    hints={
        **FIXED_ORDER,
        "selected_h": (Location.NODE, Kind.MASK),
        "m": (Location.NODE, Kind.MASK_ONE),
        "k": (Location.NODE, Kind.MASK_ONE),
    },
    outputs={"selected": (Location.NODE, Kind.MASK)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    selected_h: np.ndarray
    m: int
    k: int


def activity_selector(s, f, selected):
    """Selects activities by increasing finish time, each if it does not overlap with k, the last selected.

    Ties are broken by the order of the nodes.
    """
    n = len(s)
    pred_h = predecessors(np.arange(n))
    selected[:] = 0
    yield Hints(pred_h=pred_h, selected_h=selected, m=0, k=0)
    by_finish = np.argsort(f, kind="mergesort")
    k = by_finish[0]
    for m in by_finish:
        if m == k or s[m] >= f[k]:
            selected[m] = 1
            k = m
        yield Hints(pred_h=pred_h, selected_h=selected, m=m, k=k)


ACTIVITY_SELECTOR = Algorithm(
    name="activity_selector",
    family="greedy",
    spec=SPEC,
    problem=ACTIVITIES,
    scaling=Scaling(("s", "f"), "order"),
    steps=activity_selector,
    source="Gavril 1972; Cormen et al., Introduction to Algorithms, 3rd ed., section 16.1, p. 421",
    fixed_hints=("pred_h",),
    in_clrs30=True,
)
