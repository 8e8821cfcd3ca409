"""Scheduling of unit-time tasks with deadlines and penalties."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER, predecessors
from nar.problems import TASKS
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "d": (Location.NODE, Kind.SCALAR),
        "w": (Location.NODE, Kind.SCALAR),
    },
    hints={
        **FIXED_ORDER,
        "selected_h": (Location.NODE, Kind.MASK),
        "i": (Location.NODE, Kind.MASK_ONE),
        "t": (Location.GRAPH, Kind.SCALAR),
    },
    outputs={"selected": (Location.NODE, Kind.MASK)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    selected_h: np.ndarray
    i: int
    t: int


def task_scheduling(d, w, selected):
    """Selects tasks by decreasing weight, each if its deadline is later than t, the number selected so far.

    The first task is always selected. Ties are broken by the order of the nodes.
    """
    n = len(d)
    pred_h = predecessors(np.arange(n))
    selected[:] = 0
    yield Hints(pred_h=pred_h, selected_h=selected, i=0, t=0)
    by_weight = np.argsort(-w, kind="mergesort")
    t = 0
    for k in range(n):
        i = by_weight[k]
        if t < d[i]:
            selected[i] = 1
            t += 1
        yield Hints(pred_h=pred_h, selected_h=selected, i=i, t=t)


TASK_SCHEDULING = Algorithm(
    name="task_scheduling",
    family="greedy",
    spec=SPEC,
    problem=TASKS,
    scaling=Scaling(("w",), "order", degrees={"t": 0}),
    steps=task_scheduling,
    source="Lawler 1976; Cormen et al., Introduction to Algorithms, 3rd ed., section 16.5, p. 443",
    fixed_hints=("pred_h",),
    in_clrs30=True,
)
