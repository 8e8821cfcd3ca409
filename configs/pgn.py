"""Pointer graph networks on data structures (Veličković et al. 2020, arXiv 2006.06380), and baselines.

Command: python -m experiments.train --config=configs/pgn.py:pgn --workdir=runs/pgn
  The network follows the colon:
    pgn        messages along the pointers that the network has inferred, in both directions
    oracle     messages along the true pointers, as if their inference were perfect
    gnn        messages between all pairs of nodes, no pointers
    deep_sets  no messages, no pointers
  With the prefix lct_, as in lct_pgn, on link/cut trees instead of disjoint-set union.
Cost: 1,500 steps, 2 to 8 minutes on two CPU cores under other load; with lct_, 10 to 19.
Expected score: F1 of the answers at n = 20, 50 and 100, in percent: pgn 94.3, 92.2, 91.5; oracle 99.7, 99.1,
  99.0; gnn 91.6, 87.3, 85.6; deep_sets 89.5, 84.8, 83.1 (seed 0). With lct_: pgn 98.1, 99.1, 99.3;
  gnn 95.8, 95.5, 96.8; deep_sets 91.9, 93.8, 95.2 (seed 0).

Each step is an operation on two elements, after the network has answered whether they are connected: their
sets are united, or with link/cut trees the edge between them is added or removed. Trained on 20 elements
and 30 operations; tested on 20, 50 and 100 with 30, 75 and 150.
"""

from ml_collections import ConfigDict

from configs import base

NETWORKS = {
    "pgn": {"model.processor": "pgn", "model.hint_feedback": "changes"},
    "oracle": {"model.processor": "pgn"},
    "gnn": {"model.processor": "mpnn", "model.hint_mode": "none"},
    "deep_sets": {"model.processor": "deepsets", "model.hint_mode": "none"},
}
"""Network -> config key -> value."""

LINK_CUT = "lct_"
"""Prefix of networks on link/cut trees."""


def get_config(network: str = "pgn") -> ConfigDict:
    """The config of one network.

    Raises:
      ValueError: if the network is unknown.
    """
    structure = "link_cut_trees" if network.startswith(LINK_CUT) else "disjoint_set_union"
    network = network.removeprefix(LINK_CUT)
    if network not in NETWORKS:
        raise ValueError(
            f"unknown network {network!r}; known: {', '.join(NETWORKS)}, and these with the prefix {LINK_CUT}"
        )
    config = base.get_config()
    with_parents = f"nar.algorithms.data_structures.{structure}:WITH_TRUE_PARENTS"
    config.algorithms = (with_parents if network == "oracle" else structure,)
    config.model.hidden_size = 32
    config.data.sizes = (20,)
    config.training.steps = 1_500
    config.training.eval_every = 250
    config.training.learning_rate = 1e-3
    config.evaluation.validation.update(sizes=(20,), count=64)
    config.evaluation.test.update(sizes=(20, 50, 100), count=64)
    config.update_from_flattened_dict(NETWORKS[network])
    return config
