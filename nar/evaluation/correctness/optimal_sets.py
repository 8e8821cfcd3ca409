"""Which selections are right: of activities, of tasks, of the edges of a matching.

Inputs and answers are those of one instance, as a trace holds them, without a batch axis.
"""

from collections.abc import Mapping

import numpy as np

from nar.specs import MASKED

Array = np.ndarray
Values = Mapping[str, Array]

_TOLERANCE = 1e-6


def most_activities(inputs: Values, truth: Values, decided: Values) -> bool:
    """As many as CLRS-30 selects, none of which starts before another one ends."""
    (taken,) = np.nonzero(decided["selected"] > 0.5)
    order = taken[np.argsort(inputs["f"][taken], kind="stable")]
    apart = (inputs["s"][order][1:] >= inputs["f"][order][:-1]).all()
    return bool(apart and len(taken) == (truth["selected"] == 1).sum())


def heaviest_schedule(inputs: Values, truth: Values, decided: Values) -> bool:
    """Tasks that can all be done in time, one a unit of time, of at least the weight that CLRS-30 selects.

    CLRS-30's rule takes no task that would have to be put before those it has taken, so that there may be
    heavier schedules than its own: these are right too.
    """
    taken = decided["selected"] > 0.5
    deadlines = np.sort(inputs["d"][taken])
    if (deadlines < np.arange(1, len(deadlines) + 1)).any():
        return False
    weights = inputs["w"].astype(np.float64)
    theirs = weights[truth["selected"] == 1].sum()
    return bool(weights[taken].sum() >= theirs - _TOLERANCE * max(1.0, abs(theirs)))


def largest_matching(inputs: Values, truth: Values, decided: Values) -> bool:
    """Edges of a flow from s to t, whole at each edge and node, that is as large as CLRS-30's.

    As CLRS-30 has them: an edge from u to v stands at [u, v] and not at [v, u], and each node has an edge to
    itself. Pairs of nodes without an edge are not looked at.
    """
    nodes = np.arange(len(truth["in_matching"]))
    s, t = int(inputs["s"].argmax()), int(inputs["t"].argmax())
    taken = (decided["in_matching"] > 0.5) & (truth["in_matching"] != MASKED)
    if not taken[nodes, nodes].all():
        return False
    flow = taken & (nodes[:, None] != nodes)
    if (flow & (inputs["adj"] == 0)).any():
        return False
    out, into = flow.sum(axis=1), flow.sum(axis=0)
    inner = (nodes != s) & (nodes != t)
    whole = (out == into)[inner].all() and (out[inner] <= 1).all()
    return bool(whole and out[s] == (truth["in_matching"][s] == 1).sum() - 1)
