"""The queue of nodes by key that Dijkstra's and Prim's algorithms share."""

from numba.extending import register_jitable


@register_jitable
def extract_min(in_queue, key):
    """Takes the node of the least key, the first of several, out of a queue that is not empty."""
    first = -1
    for v in range(len(key)):
        if in_queue[v] and (first < 0 or key[v] < key[first]):
            first = v
    in_queue[first] = 0
    return first
