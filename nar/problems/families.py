"""Families of random graphs beside that of CLRS-30, which is `nar.problems.erdos_renyi`.

A family draws the edges of an undirected graph of any number of nodes from 1 on, in an order that may give
its structure away: `draw_graph` shuffles the nodes, and gives the edges directions and weights. All draws are
those of `numpy.random.RandomState`, so that they are the same in every release of every library.
"""

from collections.abc import Callable, Mapping

import numpy as np

from nar.problems.regular_graphs import caveman, complete, cycle, grid, joined, ladder, path

Array = np.ndarray
Random = np.random.RandomState


def draw_graph(
    random: Random,
    num_nodes: int,
    family: str,
    p: float,
    directed: bool = False,
    acyclic: bool = False,
    weighted: bool = False,
    low: float = 0.0,
    high: float = 1.0,
) -> Array:
    """A graph of one of the families.

    Args:
      random: the stream to draw from.
      num_nodes: N.
      family: one of `GRAPH_FAMILIES`.
      p: a probability whose meaning the family decides on; some have none.
      directed: whether each edge leads one way only, by the toss of a coin.
      acyclic: whether all edges of a directed graph lead upwards in a random order of the nodes.
      weighted: whether edges carry weights uniform in [low, high), or all 1. Weights below 1e-3 become 1e-3,
        since an edge of weight 0 is none.
      low: least weight.
      high: bound of weights.

    Returns:
      Matrix [N, N], 0 where there is no edge, symmetric unless directed; the diagonal is 0.
    """
    upper = np.triu(_shuffled(random, GRAPH_FAMILIES[family](random, num_nodes, p)), k=1)
    matrix = upper.astype(np.float64)
    if weighted:
        matrix *= np.maximum(random.uniform(low=low, high=high, size=matrix.shape), _LEAST_WEIGHT)
    if directed and acyclic:
        return _shuffled(random, matrix)
    if directed:
        forward = random.binomial(1, 0.5, size=matrix.shape)
        return matrix * forward + (matrix * (1 - forward)).T
    return matrix + matrix.T


_LEAST_WEIGHT = 1e-3


def _shuffled(random: Random, matrix: Array) -> Array:
    order = random.permutation(len(matrix))
    return matrix[np.ix_(order, order)]


def _coins(random: Random, num_nodes: int, probability: Array | float) -> Array:
    """Each pair {i, j} with its own probability [N, N] of being an edge."""
    upper = np.triu(random.uniform(size=(num_nodes, num_nodes)) < probability, k=1)
    return upper | upper.T


# ---------------------------------------------------------------------------------------------------
# Families


def _communities(random: Random, num_nodes: int, p: float) -> Array:
    group = np.arange(num_nodes) * min(_NUM_COMMUNITIES, num_nodes) // num_nodes
    return _coins(random, num_nodes, np.where(group[:, None] == group, p, _BETWEEN_COMMUNITIES))


_NUM_COMMUNITIES = 4
_BETWEEN_COMMUNITIES = 0.01


def _bipartite(random: Random, num_nodes: int, p: float) -> Array:
    left = np.arange(num_nodes) < (num_nodes + 1) // 2
    return _coins(random, num_nodes, np.where(left[:, None] != left, p, 0.0))


def _watts_strogatz(random: Random, num_nodes: int, p: float) -> Array:
    nodes = np.arange(num_nodes)
    matrix = cycle(num_nodes) | joined(num_nodes, np.stack([nodes, (nodes + 2) % num_nodes], 1))
    matrix[nodes, nodes] = False
    for offset in (1, 2):
        for i in nodes:
            j = (i + offset) % num_nodes
            free = np.flatnonzero(~matrix[i] & (nodes != i))
            if matrix[i, j] and random.uniform() < p and len(free):
                new = free[random.randint(len(free))]
                matrix[i, j] = matrix[j, i] = False
                matrix[i, new] = matrix[new, i] = True
    return matrix


def _barabasi_albert(random: Random, num_nodes: int, p: float) -> Array:
    del p
    pairs, ends = [], []
    for node in range(1, num_nodes):
        targets: set[int] = set()
        while len(targets) < min(_ATTACHMENTS, node):
            targets.add(ends[random.randint(len(ends))] if node > _ATTACHMENTS else len(targets))
        pairs += [(node, target) for target in sorted(targets)]
        ends += [end for target in sorted(targets) for end in (node, target)]
    return joined(num_nodes, np.reshape(pairs, (-1, 2)).astype(int))


_ATTACHMENTS = 2


def _tree(random: Random, num_nodes: int, p: float) -> Array:
    """The tree of a random sequence (Prüfer 1918): all labelled trees are equally likely."""
    del p
    sequence = random.randint(num_nodes, size=max(num_nodes - 2, 0))
    degree = np.bincount(sequence, minlength=num_nodes) + 1
    pairs = []
    for node in sequence:
        leaf = np.argmax(degree == 1)
        pairs.append((leaf, node))
        degree[[leaf, node]] -= 1
    last = np.flatnonzero(degree == 1) if num_nodes > 1 else []
    return joined(num_nodes, np.reshape([*pairs, *([last] if len(last) else [])], (-1, 2)).astype(int))


def _delaunay(random: Random, num_nodes: int, p: float) -> Array:
    """Points in a square; two are joined if some circle through both has no other point inside.

    The centres of the circles through points i and j are m + t d, where m is their middle and d is
    perpendicular to j - i; every other point is a bound on t from one side.
    """
    del p
    points = random.uniform(size=(num_nodes, 2))
    matrix = np.zeros((num_nodes, num_nodes), bool)
    for i in range(num_nodes):
        side = points - points[i]
        normal = np.stack([-side[:, 1], side[:, 0]], axis=1)
        q = points[None] - (points + points[i])[:, None] / 2  # [j, k, 2]
        slope = 2 * np.einsum("jkx,jx->jk", q, normal)
        excess = (q**2).sum(-1) - (side**2).sum(-1)[:, None] / 4
        others = np.ones_like(slope, bool)
        others[:, i] = others[np.arange(num_nodes), np.arange(num_nodes)] = False
        bound = excess / np.where(slope == 0, 1, slope)
        least = np.where(others & (slope < 0), bound, -np.inf).max(axis=1)
        most = np.where(others & (slope > 0), bound, np.inf).min(axis=1)
        inside = (others & (slope == 0) & (excess < 0)).any(axis=1)
        matrix[i] = (least <= most) & ~inside & (np.arange(num_nodes) != i)
    return matrix | matrix.T


Family = Callable[[Random, int, float], Array]

GRAPH_FAMILIES: Mapping[str, Family] = {
    "communities": _communities,
    "bipartite": _bipartite,
    "watts_strogatz": _watts_strogatz,
    "barabasi_albert": _barabasi_albert,
    "grid": lambda random, num_nodes, p: grid(num_nodes),
    "tree": _tree,
    "path": lambda random, num_nodes, p: path(num_nodes),
    "cycle": lambda random, num_nodes, p: cycle(num_nodes),
    "complete": lambda random, num_nodes, p: complete(num_nodes),
    "ladder": lambda random, num_nodes, p: ladder(num_nodes),
    "caveman": lambda random, num_nodes, p: caveman(num_nodes),
    "delaunay": _delaunay,
}
"""Name -> `(random, num_nodes, p) -> [N, N] bool`, symmetric, without diagonal.

communities: 4 (or N) groups of equal size up to one; p within a group, 0.01 between groups.
bipartite: halves, the left one larger if N is odd; p between them.
watts_strogatz: a ring in which each node is joined to the next two; each edge is moved to a random other end
  with probability p (Watts and Strogatz 1998).
barabasi_albert: each node is joined to two earlier ones, chosen in proportion to their degrees (1999).
tree: all labelled trees are equally likely.
delaunay: the triangulation of random points in a square.
The others, which have no p, are those of `nar.problems.regular_graphs`.
"""
