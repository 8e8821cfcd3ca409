"""Link/cut trees: dynamic connectivity of a forest under insertions and deletions of edges.

Each tree of the forest is split into paths, and the nodes of a path are those of a splay tree in the order of
the path. The parent of the root of a splay tree is the node from which its path branches off.
"""

import numpy as np
from numba.extending import register_jitable

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.data_structures.connectivity import Step, connectivity_spec, with_true_parents
from nar.problems.set_operations import TOGGLES
from nar.specs import MASKED


@register_jitable
def _push(child, is_reversed, node):
    """Swaps the children of a node whose path is reversed, and leaves their reversal to them."""
    if is_reversed[node]:
        child[node, 0], child[node, 1] = child[node, 1], child[node, 0]
        for side in range(2):
            if child[node, side] >= 0:
                is_reversed[child[node, side]] ^= 1
        is_reversed[node] = 0


@register_jitable
def _side(parent, child, node):
    """The side on which a node is a child in its splay tree; -1 for its root."""
    above = parent[node]
    if above != node and child[above, 0] == node:
        return 0
    if above != node and child[above, 1] == node:
        return 1
    return -1


@register_jitable
def _rotate(parent, child, node):
    """Rotates the edge between a node and its parent in the splay tree."""
    above = parent[node]
    side, above_side = _side(parent, child, node), _side(parent, child, above)
    inner = child[node, 1 - side]
    parent[node] = node if parent[above] == above else parent[above]
    if above_side >= 0:
        child[parent[node], above_side] = node
    child[above, side] = inner
    if inner >= 0:
        parent[inner] = above
    child[node, 1 - side] = above
    parent[above] = node


@register_jitable
def _splay(parent, child, is_reversed, node):
    """Moves a node to the root of its splay tree."""
    path = [node]
    while _side(parent, child, path[-1]) >= 0:
        path.append(parent[path[-1]])
    for index in range(len(path) - 1, -1, -1):
        _push(child, is_reversed, path[index])
    while _side(parent, child, node) >= 0:
        above = parent[node]
        above_side = _side(parent, child, above)
        if above_side >= 0:
            _rotate(parent, child, above if above_side == _side(parent, child, node) else node)
        _rotate(parent, child, node)


@register_jitable
def _access(parent, child, is_reversed, node):
    """Makes the path from the root of its tree to a node one splay tree, with the node at its root."""
    below, top = -1, node
    while True:
        _splay(parent, child, is_reversed, top)
        child[top, 1] = below
        if parent[top] == top:
            break
        below, top = top, parent[top]
    _splay(parent, child, is_reversed, node)


@register_jitable
def _toggle(parent, child, is_reversed, first, second):
    """Cuts the edge between two nodes, or else links them if they are in two trees.

    Returns:
      1 if they were in one tree, 0 if not.
    """
    _access(parent, child, is_reversed, first)
    is_reversed[first] ^= 1  # first is the root of its tree now
    _access(parent, child, is_reversed, second)
    if parent[first] == first:
        parent[first] = second
        return 0
    _push(child, is_reversed, second)
    if child[second, 0] == first and child[first, 0] < 0 and child[first, 1] < 0:
        child[second, 0] = -1
        parent[first] = first
    return 1


def link_cut_trees(num_nodes, pairs):
    """Toggles the edge of each pair, whose lower node becomes the root of its tree first."""
    parent, before = np.arange(num_nodes), np.arange(num_nodes)
    child = np.full((num_nodes, 2), -1)
    is_reversed = np.zeros(num_nodes, np.int64)
    changes, pair = np.zeros(num_nodes, np.int64), np.zeros(num_nodes, np.int64)
    connected = MASKED
    for step in range(len(pairs)):
        first, second = min(pairs[step, 0], pairs[step, 1]), max(pairs[step, 0], pairs[step, 1])
        pair[:] = 0
        pair[first] = pair[second] = 1
        yield Step(pair, parent, changes, connected)
        before[:] = parent
        connected = _toggle(parent, child, is_reversed, first, second)
        changes[:] = parent != before
    pair[:] = 0
    yield Step(pair, parent, changes, connected)


LINK_CUT_TREES = Algorithm(
    name="link_cut_trees",
    family="data_structures",
    spec=connectivity_spec(),
    problem=TOGGLES,
    steps=link_cut_trees,
    source="Sleator and Tarjan 1985, Self-adjusting binary search trees, section 6; "
    "stream as in Veličković et al. 2020, arXiv 2006.06380",
)

WITH_TRUE_PARENTS = with_true_parents(LINK_CUT_TREES)
