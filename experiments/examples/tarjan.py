"""A custom algorithm in one file, outside nar: Tarjan's strongly connected components (Tarjan 1972).

To add an algorithm, copy this file anywhere on the Python path and change it. To sample traces of it, run it
on a given graph, display a trace and train a model on it:

    nar.sample_traces("experiments.examples.tarjan:TARJAN_SCC", size=16, count=32, seed=0)
    nar.run_algorithm("experiments.examples.tarjan:TARJAN_SCC", A=[(0, 1), (1, 0), (1, 2)])

    python -m experiments.show --algorithm=experiments.examples.tarjan:TARJAN_SCC --size=8 --p=0.3
    python -m experiments.train --config=configs/base.py --workdir=runs/tarjan \
        --config.algorithms=experiments.examples.tarjan:TARJAN_SCC --config.data.problem.p="(0.05,0.1,0.2)"

In a test, `nar.traces.check_algorithm(TARJAN_SCC)` checks everything except the correctness of the outputs.
"""

from typing import Any, NamedTuple

import numpy as np

from nar.algorithms import Algorithm
from nar.problems import Problem
from nar.specs import Kind, Location, make_spec

# The problem: how it is sampled, how user-provided arguments are validated, and its input probes.


def sample_graph(random: np.random.RandomState, size: int, p: Any = 0.1) -> tuple[np.ndarray]:
    """Samples a directed Erdős-Rényi graph with edge probability p, or one drawn from several p."""
    probability = random.choice(np.atleast_1d(np.asarray(p)))
    return (random.binomial(1, probability, size=(size, size)).astype(np.float64),)


def check_graph(A: Any) -> tuple[np.ndarray]:
    """Validates an adjacency matrix, any square matrix of real numbers whose non-zero entries are edges.

    Raises:
      ValueError: if it is not a square matrix of finite numbers.
    """
    A = np.array(A, dtype=float)
    if A.ndim != 2 or A.shape[0] != A.shape[1] or not A.size or not np.isfinite(A).all():
        raise ValueError(f"A must be a square matrix of finite numbers, got shape {A.shape}")
    return (A,)


class Inputs(NamedTuple):
    """Input probes of the model: node positions, adjacency matrix, and adjacency mask with self-loops."""

    pos: np.ndarray
    A: np.ndarray
    adj: np.ndarray


def graph_probes(A: np.ndarray) -> Inputs:
    """Computes the input probes of a graph."""
    num_nodes = len(A)
    return Inputs(np.arange(num_nodes) / num_nodes, A, A + np.eye(num_nodes) != 0)


GRAPH = Problem(
    sample=sample_graph, check=check_graph, probes=graph_probes, directed=True, uses_weights=False
)

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
    """Hints of one step.

    Attributes:
      scc_h: root of each node's component; the node itself while its component is not complete.
      low: low-link, the earliest node on the stack that a node is known to reach.
      parent: parent in the depth-first search tree.
      found: discovered nodes.
      on_stack: discovered nodes whose component is not complete.
      u: current node of the search.
    """

    scc_h: np.ndarray
    low: np.ndarray
    parent: np.ndarray
    found: np.ndarray
    on_stack: np.ndarray
    u: int


def tarjan_scc(A, scc):
    """Depth-first search; a node that reaches no earlier node on the stack is the root of its component.

    A step is the discovery of a node, a lower low-link, a return to the parent, or a complete component.
    """
    n = len(A)
    scc[:] = np.arange(n)
    low, parent, stack = np.arange(n), np.arange(n), np.arange(n)
    discovery_time, next_neighbor = np.zeros(n, np.int64), np.zeros(n, np.int64)
    found, on_stack = np.zeros(n, np.int64), np.zeros(n, np.int64)
    time = height = 0
    for root in range(n):
        u = root
        while not found[root] or u != parent[u] or next_neighbor[u] < n or on_stack[u]:
            if not found[u]:
                found[u] = on_stack[u] = 1
                discovery_time[u] = time
                stack[height] = u
                time, height = time + 1, height + 1
                yield Hints(scc, low, parent, found, on_stack, u)
            elif next_neighbor[u] < n:
                v = next_neighbor[u]
                next_neighbor[u] += 1
                if A[u, v] != 0 and not found[v]:
                    parent[v] = u
                    u = v
                elif A[u, v] != 0 and on_stack[v] and discovery_time[v] < discovery_time[low[u]]:
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
                if discovery_time[low[v]] < discovery_time[low[u]]:
                    low[u] = low[v]
                yield Hints(scc, low, parent, found, on_stack, u)


def are_same_components(inputs, truth, predicted):
    """Accepts any node of a component as its root."""
    del inputs
    pairs = [roots[:, None] == roots for roots in (truth["scc"], predicted["scc"])]
    roots = predicted["scc"]
    return bool((pairs[0] == pairs[1]).all() and (truth["scc"][roots] == truth["scc"]).all())


TARJAN_SCC = Algorithm(
    name="tarjan_scc",
    family="graphs",
    spec=SPEC,
    problem=GRAPH,
    steps=tarjan_scc,
    valid=are_same_components,
    source="Tarjan 1972, Depth-first search and linear graph algorithms, SIAM Journal on Computing 1 (2)",
)
