"""Priority queue of Dijkstra's and Prim's algorithms."""

from numba.extending import register_jitable


@register_jitable
def extract_min(in_queue, key):
    """Removes the node with the smallest key (the first of equals) from a non-empty queue and returns it."""
    first = -1
    for v in range(len(key)):
        if in_queue[v] and (first < 0 or key[v] < key[first]):
            first = v
    in_queue[first] = 0
    return first
