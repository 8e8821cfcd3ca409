"""A custom metric: the fraction of samples whose predicted parents form a forest.

    python -m experiments.train --config=configs/bfs.py --workdir=runs/forest \
        --config.evaluation.metrics="('valid','experiments.examples.forest:is_forest')"
    python -m experiments.evaluate --workdir=runs/bfs --metrics=experiments.examples.forest:is_forest

At sizes unseen in training, most predictions of `bfs`, `dfs` or `mst_prim` have a wrong pointer; those with a
cycle do not even describe a search.
"""

import numpy as np

from nar.evaluation import InferenceResult


def is_forest(result: InferenceResult) -> np.ndarray | None:
    """Marks the samples whose output `pi` is a forest; not defined for algorithms without parents."""
    parents = result.outputs.get("pi")
    if parents is None:
        return None
    ancestors = parents
    for _ in range(int(np.ceil(np.log2(parents.shape[1])))):
        ancestors = np.take_along_axis(ancestors, ancestors, axis=1)  # twice as far as before
    # After at least N steps every node is at a root, which is its own parent, or on a cycle.
    return (np.take_along_axis(parents, ancestors, axis=1) == ancestors).all(axis=1)
