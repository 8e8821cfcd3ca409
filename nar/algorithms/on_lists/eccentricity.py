"""Eccentricity by flood and echo, on neighbor lists and on matrices."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable


class Hints(NamedTuple):
    visited_h: np.ndarray
    pi_h: np.ndarray
    floodstate_h: np.ndarray
    msgphase_h: np.ndarray
    echostate_h: np.ndarray
    eccentricity_h: float | np.ndarray


@register_jitable
def eccentricity(neighbors, A, s, eccentricity):
    """Floods the component of s with distances, and echoes the largest one back along the tree.

    In each step, all nodes act at once on the state before it. A node that a visited neighbor has reached is
    visited, its parent is the first such neighbor, and its distance one more. A visited node echoes when all
    of its neighbors are visited and all of its children have echoed: the largest of their echoes, or its own
    distance. The last step is the echo of s.
    """
    n, width = A.shape
    visited, pi = np.zeros(n, np.int8), np.arange(n)
    distance, echoed, echo = np.zeros(n), np.zeros(n, np.int8), np.zeros(n)
    visited[s] = 1
    yield Hints(visited, pi, distance, echoed, echo, echo[s])
    while not echoed[s]:
        was_visited, had_echoed = visited.copy(), echoed.copy()
        for v in range(n):
            if had_echoed[v]:
                continue
            largest, is_done = distance[v], True
            for k in range(width):
                u = neighbors[v, k]
                if A[v, k] == 0 or u == v:
                    continue
                if not was_visited[v]:
                    if was_visited[u] and not visited[v]:
                        visited[v] = 1
                        pi[v] = u
                        distance[v] = distance[u] + 1
                elif not was_visited[u] or (pi[u] == v and not had_echoed[u]):
                    is_done = False
                elif pi[u] == v:
                    largest = max(largest, echo[u])
            if was_visited[v] and is_done:
                echoed[v] = 1
                echo[v] = largest
        yield Hints(visited, pi, distance, echoed, echo, echo[s])
    eccentricity[()] = echo[s]
