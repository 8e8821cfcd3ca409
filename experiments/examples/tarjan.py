"""An algorithm that CLRS-30 lacks, in one file: strongly connected components in one pass (Tarjan 1972).

Copy this file anywhere on the Python path and change it: nar needs no other. To sample it, to run it on a
graph of your own, to look at a run, and to train a network on it:

    nar.sample_traces("experiments.examples.tarjan:TARJAN_SCC", size=16, count=32, seed=0)
    nar.run_algorithm("experiments.examples.tarjan:TARJAN_SCC", A=[(0, 1), (1, 0), (1, 2)])

    python -m experiments.show --algorithm=experiments.examples.tarjan:TARJAN_SCC --size=8 --seed=1
    python -m experiments.train --config=configs/base.py --workdir=runs/tarjan \
        --config.algorithms=experiments.examples.tarjan:TARJAN_SCC --config.data.problem.p="(0.05,0.1,0.2)"

In a test, `nar.traces.check_algorithm(TARJAN_SCC)` checks all but what it computes.
"""

from typing import Any, NamedTuple

import numpy as np

from nar.algorithms import Algorithm
from nar.problems import Problem
from nar.specs import Kind, Location, make_spec

# The problem: how it is drawn, what a user's own must fulfil, what the network sees of it.


def sample_graph(random: np.random.RandomState, size: int, p: Any = 0.1) -> tuple[np.ndarray]:
    """Each directed edge exists with probability p, or with one that is drawn from several."""
    probability = random.choice(np.atleast_1d(np.asarray(p)))
    return (random.binomial(1, probability, size=(size, size)).astype(np.float64),)


def check_graph(A: Any) -> tuple[np.ndarray]:
    """A square matrix of real numbers; what is not 0 is an edge."""
    A = np.array(A, dtype=float)
    if A.ndim != 2 or A.shape[0] != A.shape[1] or not A.size or not np.isfinite(A).all():
        raise ValueError(f"A must be a square matrix of finite numbers, got shape {A.shape}")
    return (A,)


class Inputs(NamedTuple):
    """What the network sees: places of the nodes, the matrix, and who is whose neighbour."""

    pos: np.ndarray
    A: np.ndarray
    adj: np.ndarray


def graph_probes(A: np.ndarray) -> Inputs:
    """Input probes of a graph; every node is its own neighbour."""
    num_nodes = len(A)
    return Inputs(np.arange(num_nodes) / num_nodes, A, A + np.eye(num_nodes) != 0)


GRAPH = Problem(sample=sample_graph, check=check_graph, probes=graph_probes, directed=True)

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
    },
    hints={
        "scc_h": (Location.NODE, Kind.POINTER),
        "low": (Location.NODE, Kind.POINTER),
        "parent": (Location.NODE, Kind.POINTER),
        "found": (Location.NODE, Kind.MASK),
        "on_stack": (Location.NODE, Kind.MASK),
        "u": (Location.NODE, Kind.MASK_ONE),
    },
    outputs={"scc": (Location.NODE, Kind.POINTER)},
)


class Hints(NamedTuple):
    """One step.

    Attributes:
      scc_h: the root of each node's component, the node itself as long as that is open.
      low: the low-link: the earliest node on the stack that a node is known to reach.
      parent: where the search came from.
      found: what has been reached.
      on_stack: what has been reached and has no component yet.
      u: where the search is.
    """

    scc_h: np.ndarray
    low: np.ndarray
    parent: np.ndarray
    found: np.ndarray
    on_stack: np.ndarray
    u: int


def tarjan_scc(A, scc):
    """Searches depth first; a node that can reach nothing earlier on the stack is the root of its component.

    A step is the discovery of a node, an edge that lowers a low-link, a return, or a whole component.
    """
    n = len(A)
    scc[:] = np.arange(n)
    low, parent, stack = np.arange(n), np.arange(n), np.arange(n)
    number, edge = (
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
    )  # the order of discovery; the next edge to try
    found, on_stack = np.zeros(n, np.int64), np.zeros(n, np.int64)
    time = height = 0
    for root in range(n):
        u = root
        while not found[root] or u != parent[u] or edge[u] < n or on_stack[u]:
            if not found[u]:
                found[u] = on_stack[u] = 1
                number[u] = time
                stack[height] = u
                time, height = time + 1, height + 1
                yield Hints(scc, low, parent, found, on_stack, u)
            elif edge[u] < n:
                v = edge[u]
                edge[u] += 1
                if A[u, v] != 0 and not found[v]:
                    parent[v] = u
                    u = v
                elif A[u, v] != 0 and on_stack[v] and number[v] < number[low[u]]:
                    low[u] = v
                    yield Hints(scc, low, parent, found, on_stack, u)
            elif on_stack[u] and low[u] == u:
                while on_stack[u]:
                    height -= 1
                    scc[stack[height]] = u
                    on_stack[stack[height]] = 0
                yield Hints(scc, low, parent, found, on_stack, u)
            else:
                v, u = u, parent[u]
                if number[low[v]] < number[low[u]]:
                    low[u] = low[v]
                yield Hints(scc, low, parent, found, on_stack, u)


TARJAN_SCC = Algorithm(
    name="tarjan_scc",
    family="graphs",
    spec=SPEC,
    problem=GRAPH,
    steps=tarjan_scc,
    source="Tarjan 1972, Depth-first search and linear graph algorithms, SIAM Journal on Computing 1 (2)",
)
