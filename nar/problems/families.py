"""Families of random graphs other than that of CLRS-30, which is `random_graphs.erdos_renyi`.

A family draws the edges of an undirected graph with any number of nodes >= 1, in an order of the nodes that
may reveal its structure: `draw_graph` shuffles the nodes, and adds directions and weights. All draws are made
by `numpy.random.RandomState`, so that they do not depend on the release of any library.
"""

import inspect
from collections.abc import Callable

import numpy as np

from nar.plugins import Registry, takes
from nar.problems.deterministic_graphs import caveman, complete, cycle, grid, ladder, matrix_from_edges, path

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
    k: int | None = None,
    rewiring: float | None = None,
) -> Array:
    """Samples a graph of one of the families.

    Args:
      random: random stream.
      num_nodes: N.
      family: one of `GRAPH_FAMILIES`, or `module:FUNCTION`.
      p: probability whose meaning depends on the family; some ignore it.
      directed: whether each edge gets one of its two directions, with equal probability.
      acyclic: whether all edges of a directed graph go upwards in a random order of the nodes.
      weighted: whether edges have weights, uniform in [low, high), instead of 1. Weights below 1e-3 are
        clipped to 1e-3, since weight 0 means no edge.
      low: lower bound of weights.
      high: upper bound of weights.
      k: number whose meaning depends on the family, for those that have it (`parameters_of`).
      rewiring: rewiring probability, for families that have it.

    Returns:
      Matrix [N, N], 0 where there is no edge, symmetric unless directed; the diagonal is 0.

    Raises:
      ValueError: if there is no such family, or a custom one does not draw an undirected graph.
    """
    given = {name: value for name, value in {"k": k, "rewiring": rewiring}.items() if value is not None}
    edges = np.asarray(GRAPH_FAMILIES.find(family)(random, num_nodes, p, **given))
    _check_edges(family, edges, num_nodes)
    upper = np.triu(_shuffled(random, edges), k=1)
    matrix = upper.astype(np.float64)
    if weighted:
        matrix *= np.maximum(random.uniform(low=low, high=high, size=matrix.shape), _MIN_WEIGHT)
    if directed and acyclic:
        return _shuffled(random, matrix)
    if directed:
        forward = random.binomial(1, 0.5, size=matrix.shape)
        return matrix * forward + (matrix * (1 - forward)).T
    return matrix + matrix.T


_MIN_WEIGHT = 1e-3


def _check_edges(family: str, edges: Array, num_nodes: int) -> None:
    if edges.shape != (num_nodes, num_nodes) or edges.dtype != bool:
        raise ValueError(
            f"graph family {family!r} must return an array bool[{num_nodes}, {num_nodes}], "
            f"got {edges.dtype}{list(edges.shape)}"
        )
    if (edges != edges.T).any() or edges.diagonal().any():
        raise ValueError(f"graph family {family!r} must return a symmetric matrix with an empty diagonal")


def _shuffled(random: Random, matrix: Array) -> Array:
    order = random.permutation(len(matrix))
    return matrix[np.ix_(order, order)]


def _draw_edges(random: Random, num_nodes: int, probability: Array | float) -> Array:
    """Draws each undirected edge {i, j} independently; the probabilities may be a matrix [N, N]."""
    upper = np.triu(random.uniform(size=(num_nodes, num_nodes)) < probability, k=1)
    return upper | upper.T


# ---------------------------------------------------------------------------------------------------
# Families


def _communities(random: Random, num_nodes: int, p: float, k: int = 4) -> Array:
    group = np.arange(num_nodes) * min(k, num_nodes) // num_nodes
    return _draw_edges(random, num_nodes, np.where(group[:, None] == group, p, _P_BETWEEN_COMMUNITIES))


_P_BETWEEN_COMMUNITIES = 0.01


def _relaxed_caveman(random: Random, num_nodes: int, p: float, k: int = 4) -> Array:
    cave = np.arange(num_nodes) * min(k, num_nodes) // num_nodes
    edges = _draw_edges(random, num_nodes, np.where(cave[:, None] == cave, 1 - p, 0.0))
    first, second = np.nonzero(np.triu(cave[:, None] != cave))
    count = max(1, int(np.ceil(_SHORTCUTS_PER_NODE * num_nodes)))
    shortcuts = random.permutation(len(first))[:count]
    return edges | matrix_from_edges(num_nodes, np.stack([first[shortcuts], second[shortcuts]], 1))


_SHORTCUTS_PER_NODE = 0.025


def _sparse_erdos_renyi(random: Random, num_nodes: int, p: float) -> Array:
    del p
    return _draw_edges(random, num_nodes, min(np.log2(num_nodes) / num_nodes, 0.5))


def _bipartite(random: Random, num_nodes: int, p: float) -> Array:
    left = np.arange(num_nodes) < (num_nodes + 1) // 2
    return _draw_edges(random, num_nodes, np.where(left[:, None] != left, p, 0.0))


def _watts_strogatz(
    random: Random, num_nodes: int, p: float, k: int = 4, rewiring: float | None = None
) -> Array:
    probability = p if rewiring is None else rewiring
    nodes, offsets = np.arange(num_nodes), range(1, k // 2 + 1)
    pairs = [np.stack([nodes, (nodes + offset) % num_nodes], 1) for offset in offsets]
    matrix = matrix_from_edges(num_nodes, np.concatenate(pairs))
    matrix[nodes, nodes] = False
    for offset in offsets:
        for i in nodes:
            j = (i + offset) % num_nodes
            free = np.flatnonzero(~matrix[i] & (nodes != i))
            if matrix[i, j] and random.uniform() < probability and len(free):
                new = free[random.randint(len(free))]
                matrix[i, j] = matrix[j, i] = False
                matrix[i, new] = matrix[new, i] = True
    return matrix


def _barabasi_albert(random: Random, num_nodes: int, p: float, k: int = 2) -> Array:
    del p
    pairs, ends = [], []
    for node in range(1, num_nodes):
        targets: set[int] = set()
        while len(targets) < min(k, node):
            targets.add(ends[random.randint(len(ends))] if node > k else len(targets))
        pairs += [(node, target) for target in sorted(targets)]
        ends += [end for target in sorted(targets) for end in (node, target)]
    return matrix_from_edges(num_nodes, np.reshape(pairs, (-1, 2)).astype(int))


def _tree(random: Random, num_nodes: int, p: float) -> Array:
    """Tree of a random Prüfer sequence (1918): all labeled trees are equally likely."""
    del p
    sequence = random.randint(num_nodes, size=max(num_nodes - 2, 0))
    degree = np.bincount(sequence, minlength=num_nodes) + 1
    pairs = []
    for node in sequence:
        leaf = np.argmax(degree == 1)
        pairs.append((leaf, node))
        degree[[leaf, node]] -= 1
    last = np.flatnonzero(degree == 1) if num_nodes > 1 else []
    return matrix_from_edges(
        num_nodes, np.reshape([*pairs, *([last] if len(last) else [])], (-1, 2)).astype(int)
    )


def _delaunay(random: Random, num_nodes: int, p: float) -> Array:
    """Delaunay triangulation of uniform points in the unit square: pairs with an otherwise empty circle."""
    from scipy.spatial import Delaunay  # imported when it is needed, since it takes a while

    del p
    points = random.uniform(size=(num_nodes, 2))
    if num_nodes < 3:
        return complete(num_nodes)
    triangles = Delaunay(points).simplices
    return matrix_from_edges(num_nodes, np.concatenate([triangles[:, [i, i - 1]] for i in range(3)]))


Family = Callable[..., Array]
"""`(random, num_nodes, p) -> edges`, with the further parameters `k` and `rewiring` if it has them."""

GRAPH_FAMILIES: Registry[Family] = Registry(
    "graph family",
    {
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
        "relaxed_caveman": _relaxed_caveman,
        "sparse_erdos_renyi": _sparse_erdos_renyi,
        "delaunay": _delaunay,
    },
    is_valid=takes(3, options=False),
    path="module:FUNCTION",
)
"""Registry of families: name -> `(random, num_nodes, p) -> [N, N] bool`, symmetric, with an empty diagonal.

communities: k = 4 groups (N if N < k) of equal size up to one; edge probability p within, 0.01 between.
relaxed_caveman: k = 4 cliques of equal size up to one, of which each edge is removed with probability p, and
  ⌈0.025 N⌉ random edges between cliques.
sparse_erdos_renyi: each edge has the probability min(log2(N) / N, 0.5), whatever p is.
bipartite: two halves, the left one larger if N is odd; edge probability p between them.
watts_strogatz: a ring in which each node is joined to its k = 4 nearest ones, an even number; each edge is
  rewired with probability `rewiring`, by default p (Watts and Strogatz 1998).
barabasi_albert: each node is joined to k = 2 earlier ones by preferential attachment (Barabási, Albert 1999).
tree: uniform over labeled trees.
delaunay: Delaunay triangulation of uniform points in the unit square.
The others, which ignore p, are deterministic; see `nar.problems.deterministic_graphs`.

Seven of them are those of Veličković et al. 2019 (arXiv 1910.10593): ladder, grid, tree, sparse_erdos_renyi,
barabasi_albert with k of 4 or 5, communities with p = 0.7, and relaxed_caveman with p = 0.7.
"""


FAMILY_PARAMETERS = ("k", "rewiring")
"""Parameters, beyond p, that some families have."""


def parameters_of(family: str | None) -> tuple[str, ...]:
    """Names of the parameters, beyond p, of a family; none for CLRS-30's and for erdos_renyi."""
    if family is None or (family not in GRAPH_FAMILIES and ":" not in family):
        return ()
    parameters = inspect.signature(GRAPH_FAMILIES.find(family)).parameters
    return tuple(name for name in FAMILY_PARAMETERS if name in parameters)


def check_parameters(
    size: int, family: str, k: int | None, rewiring: float | None, also: tuple[str, ...] = ()
) -> None:
    """Raises ValueError if a parameter is given that has no effect, or that the size forbids.

    Parameters have an effect if the family has them, or if they are in `also`.
    """
    for name, value in {"k": k, "rewiring": rewiring}.items():
        if value is not None and name not in (*also, *parameters_of(family)):
            known = [one for one in GRAPH_FAMILIES if name in parameters_of(one)]
            raise ValueError(
                f"{name}={value:g} has no effect on graphs of the family {family}; "
                f"families with {name}: {', '.join(known)}"
            )
    if k is not None and k > size:
        raise ValueError(f"k must be at most the size {size}, got {k}")
    if family == "watts_strogatz" and k is not None and k % 2:
        raise ValueError(f"k of watts_strogatz must be even: half of the neighbors are on each side; got {k}")
