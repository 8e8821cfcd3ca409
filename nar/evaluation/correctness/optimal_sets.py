"""Correctness checkers for optimal sets: of activities, of tasks, of the edges of a matching.

Inputs and answers are those of one instance, in the format of a trace, without a batch axis.
"""

from collections.abc import Mapping

import numpy as np

from nar.specs import MASKED

Array = np.ndarray
Values = Mapping[str, Array]

_TOLERANCE = 1e-6


def is_largest_activity_set(inputs: Values, truth: Values, predicted: Values) -> bool:
    """Checks that as many activities are selected as by CLRS-30, and that no two of them overlap."""
    (selected,) = np.nonzero(predicted["selected"] > 0.5)
    order = selected[np.argsort(inputs["f"][selected], kind="stable")]
    disjoint = (inputs["s"][order][1:] >= inputs["f"][order][:-1]).all()
    return bool(disjoint and len(selected) == (truth["selected"] == 1).sum())


def is_best_schedule(inputs: Values, truth: Values, predicted: Values) -> bool:
    """Checks that the selected unit-time tasks can all meet their deadlines and weigh at least CLRS-30's.

    CLRS-30's algorithm never selects a task that would have to be scheduled before those already selected, so
    there may be heavier schedules than its own; these are correct too.
    """
    selected = predicted["selected"] > 0.5
    deadlines = np.sort(inputs["d"][selected])
    if (deadlines < np.arange(1, len(deadlines) + 1)).any():
        return False
    weights = inputs["w"].astype(np.float64)
    true_weight = weights[truth["selected"] == 1].sum()
    return bool(weights[selected].sum() >= true_weight - _TOLERANCE * max(1.0, abs(true_weight)))


def is_maximum_matching(inputs: Values, truth: Values, predicted: Values) -> bool:
    """Checks that the edges form an integral flow from s to t that is as large as CLRS-30's.

    As in CLRS-30, an edge from u to v is at [u, v] and not at [v, u], and each node has a self-loop. Pairs of
    nodes without an edge are ignored.
    """
    nodes = np.arange(len(truth["in_matching"]))
    s, t = int(inputs["s"].argmax()), int(inputs["t"].argmax())
    selected = (predicted["in_matching"] > 0.5) & (truth["in_matching"] != MASKED)
    if not selected[nodes, nodes].all():
        return False
    flow = selected & (nodes[:, None] != nodes)
    if (flow & (inputs["adj"] == 0)).any():
        return False
    outflow, inflow = flow.sum(axis=1), flow.sum(axis=0)
    inner = (nodes != s) & (nodes != t)
    is_flow = (outflow == inflow)[inner].all() and (outflow[inner] <= 1).all()
    return bool(is_flow and outflow[s] == (truth["in_matching"][s] == 1).sum() - 1)
