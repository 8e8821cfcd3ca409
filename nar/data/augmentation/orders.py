"""Random linear extensions of partial orders."""

import numpy as np


def random_ranks(before: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Ranks [N] of N elements in a random linear extension of an acyclic relation.

    Each rank is given to a random one of the elements all of whose predecessors have one. Every linear
    extension is possible; they are not equally likely.

    Args:
      before: [N, N] bool, whether an element (row) must have a smaller rank than another (column).
      random: random generator.
    """
    num_predecessors, priority = before.sum(axis=0), random.random(len(before))
    ranks = np.empty(len(before), np.int64)
    for rank in range(len(before)):
        chosen = np.where(num_predecessors == 0, priority, np.inf).argmin()
        ranks[chosen] = rank
        num_predecessors -= before[chosen]
        num_predecessors[chosen] = -1
    return ranks
