"""Random graphs of thousands of nodes, drawn as lists of edges: time and memory grow with the edges.

The families and their parameters are those of SALSA-CLRS (Minder et al. 2023, arXiv 2309.12253), and the
graphs of `nar.problems.families` of the same names have the same distributions for given parameters.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from nar.plugins import unknown_name

Array = np.ndarray
Random = np.random.RandomState

PARAMETERS = ("p", "k", "rewiring")
"""Parameters of the families."""

MIN_WEIGHT = 1e-3
"""Smallest weight: weight 0 means no edge."""


class EdgeList(NamedTuple):
    """A graph.

    Attributes:
      num_nodes: N.
      pairs: [M, 2] int64, each edge once, in lexicographic order; those of undirected graphs with the lower
        node first.
      weights: [M], not 0.
      directed: whether an edge leads only from its first node to its second.
    """

    num_nodes: int
    pairs: Array
    weights: Array
    directed: bool = False

    def matrix(self) -> Array:
        """Adjacency matrix [N, N] float64, 0 where there is no edge."""
        matrix = np.zeros((self.num_nodes, self.num_nodes))
        matrix[tuple(self.pairs.T)] = self.weights
        if not self.directed:
            matrix[tuple(self.pairs.T[::-1])] = self.weights
        return matrix


def draw_edge_list(
    random: Random,
    num_nodes: int,
    family: str,
    *,
    p: float | Sequence[float] | None = None,
    k: int | None = None,
    rewiring: float | None = None,
    weighted: bool = False,
) -> EdgeList:
    """Draws a graph of a family, and the order of its nodes.

    Args:
      random: random stream.
      num_nodes: N.
      family: one of `LARGE_FAMILIES`.
      p: edge probability of erdos_renyi, or several of which one is chosen; by default uniform in
        [1, 3] · ln N / N.
      k: neighbors in the ring of watts_strogatz, an even number; by default one of 4, 6, 8.
      rewiring: its rewiring probability; by default uniform in [0.05, 0.2].
      weighted: whether edges have weights, uniform in [0, 1) but at least `MIN_WEIGHT`, instead of 1.

    Raises:
      ValueError: if there is no such family, or a parameter is invalid or has no effect.
    """
    given = _checked_parameters(num_nodes, family, p=p, k=k, rewiring=rewiring)
    draw, _ = LARGE_FAMILIES[family]
    pairs = random.permutation(num_nodes)[draw(random, num_nodes, **given)]
    pairs = np.sort(pairs, axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    weights = np.ones(len(pairs))
    if weighted:
        weights = np.maximum(random.uniform(size=len(pairs)), MIN_WEIGHT)
    return EdgeList(num_nodes, pairs, weights)


def check_family(num_nodes: int, family: str, parameters: Mapping[str, Any]) -> None:
    """Raises ValueError if `draw_edge_list` cannot draw a graph of this size and family."""
    for name in parameters:
        if name not in PARAMETERS:
            raise ValueError(unknown_name("parameter of large graphs", name, PARAMETERS))
    _checked_parameters(num_nodes, family, **parameters)


def _checked_parameters(num_nodes: int, family: str, **parameters: Any) -> dict[str, Any]:
    """The parameters that are not None."""
    if family not in LARGE_FAMILIES:
        raise ValueError(unknown_name("family of large graphs", family, LARGE_FAMILIES))
    given = {name: value for name, value in parameters.items() if value is not None}
    for name, value in given.items():
        if name not in LARGE_FAMILIES[family][1]:
            raise ValueError(f"{name}={value} has no effect on graphs of the family {family}")
        if name != "k" and not all(0 <= one <= 1 for one in np.ravel(value)):
            raise ValueError(f"{name} must be a probability, got {value!r}")
    k = given.get("k", 2)
    if k % 2 or not 0 < k < max(num_nodes, 3):
        raise ValueError(f"k of {family} must be an even number from 2 to {num_nodes - 1}, got {k!r}")
    return given


def _erdos_renyi(random: Random, num_nodes: int, p: float | Sequence[float] | None = None) -> Array:
    """Each pair with probability p: first the number of edges, then as many different pairs."""
    if p is None:
        probability = min(1.0, random.uniform(1, 3) * np.log(max(num_nodes, 1)) / num_nodes)
    else:
        probability = float(np.ravel(p)[random.randint(np.size(p))])
    total = num_nodes * (num_nodes - 1) // 2
    count = random.binomial(total, probability) if total else 0
    return _pairs_of_numbers(_distinct(random, total, count), num_nodes)


def _distinct(random: Random, total: int, count: int) -> Array:
    """`count` different integers below `total`, all sets being equally likely."""
    if 2 * count > total:
        return np.setdiff1d(np.arange(total), _distinct(random, total, total - count))
    drawn = np.empty(0, np.int64)
    while len(drawn) < count:
        more = random.randint(total, size=count - len(drawn), dtype=np.int64)
        drawn = np.concatenate([drawn, more])
        drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
    return drawn


def _pairs_of_numbers(numbers: Array, num_nodes: int) -> Array:
    """The pairs (u, v), u < v, from their numbers in lexicographic order."""
    ends = np.cumsum(np.arange(num_nodes - 1, 0, -1)) if num_nodes > 1 else np.empty(0, np.int64)
    first = np.searchsorted(ends, numbers, side="right")
    before = np.concatenate([[0], ends])[first]
    return np.stack([first, first + 1 + numbers - before], axis=1).astype(np.int64)


def _watts_strogatz(
    random: Random, num_nodes: int, k: int | None = None, rewiring: float | None = None
) -> Array:
    """A ring in which each node is joined to its k nearest ones; each edge is rewired with a probability."""
    if k is None:
        possible = [one for one in (4, 6, 8) if one < num_nodes] or [2 * ((num_nodes - 1) // 2)]
        k = possible[random.randint(len(possible))]
    if rewiring is None:
        rewiring = random.uniform(0.05, 0.2)
    neighbors: list[set[int]] = [set() for _ in range(num_nodes)]
    for offset in range(1, k // 2 + 1):
        for i in range(num_nodes):
            neighbors[i].add((i + offset) % num_nodes)
            neighbors[(i + offset) % num_nodes].add(i)
    for offset in range(1, k // 2 + 1):
        for i in np.flatnonzero(random.uniform(size=num_nodes) < rewiring).tolist():
            j = (i + offset) % num_nodes
            if j not in neighbors[i] or len(neighbors[i]) >= num_nodes - 1:
                continue
            new = i
            while new == i or new in neighbors[i]:
                new = int(random.randint(num_nodes))
            neighbors[i] -= {j}
            neighbors[j] -= {i}
            neighbors[i] |= {new}
            neighbors[new] |= {i}
    pairs = [(i, j) for i, others in enumerate(neighbors) for j in others if i < j]
    return np.reshape(np.array(pairs, np.int64), (-1, 2))


def _delaunay(random: Random, num_nodes: int) -> Array:
    """Delaunay triangulation of uniform points in the unit square."""
    from scipy.spatial import Delaunay  # imported when it is needed, since it takes a while

    points = random.uniform(size=(num_nodes, 2))
    if num_nodes < 3:
        return np.argwhere(np.triu(np.ones((num_nodes, num_nodes), bool), 1))
    triangles = Delaunay(points).simplices.astype(np.int64)
    return np.unique(np.sort(np.concatenate([triangles[:, [i, i - 1]] for i in range(3)]), axis=1), axis=0)


LARGE_FAMILIES: Mapping[str, tuple[Callable[..., Array], tuple[str, ...]]] = MappingProxyType(
    {
        "erdos_renyi": (_erdos_renyi, ("p",)),
        "watts_strogatz": (_watts_strogatz, ("k", "rewiring")),
        "delaunay": (_delaunay, ()),
    }
)
"""Families by name: `(random, num_nodes, **parameters) -> [M, 2] different pairs`, and their parameters."""
