"""Neural execution of graph algorithms (Veličković et al. 2019, arXiv 1910.10593): seven families of graphs.

Command: python -m experiments.train --config=configs/nega.py:paths_max --workdir=runs/nega_paths_max
  The algorithm and the network follow the colon:
    paths  reachability and the Bellman-Ford algorithm, by one network at the same time
    prim   minimum spanning trees by Prim's algorithm
    max, mean, sum  message passing along the edges, with this aggregation
    gat    attention along the edges
Cost: 1,500 steps; 21 minutes on two CPU cores under other load, extrapolated from 12 steps.
Expected score: not measured yet.

The hint `msk` of bellman_ford marks the nodes that are reached, so that a network that executes it executes
parallel reachability, too. Trained on 20 nodes, tested on 20, 50 and 100; the network decides when to stop.
Unlike in the paper, Barabási-Albert graphs attach 4 edges, not 4 or 5, and halting is that of PonderNet.
"""

from ml_collections import ConfigDict

from configs import base

TASKS = {"paths": "bellman_ford", "prim": "mst_prim"}
"""First part of the argument -> algorithm."""

NETWORKS = {
    "max": {"processor": "pgn_mask"},
    "mean": {"processor": "pgn_mask", "processor_options": {"aggregation": "mean"}},
    "sum": {"processor": "pgn_mask", "processor_options": {"aggregation": "sum"}},
    "gat": {"processor": "gat"},
}
"""Second part of the argument -> model keys."""

FAMILIES = {
    "ladder": {},
    "grid": {},
    "tree": {},
    "sparse_erdos_renyi": {},
    "barabasi_albert": {"k": 4},
    "communities": {"p": 0.7},
    "relaxed_caveman": {"p": 0.7},
}
"""Graph family -> its options."""

METRICS = tuple(
    f"nar.evaluation.step_accuracy:{quantity}_{steps}_step"
    for quantity in ("reachability", "predecessor")
    for steps in ("mean", "last")
)


def get_config(setting: str = "paths_max") -> ConfigDict:
    """The config of an algorithm and a network.

    Raises:
      ValueError: if one of them is unknown.
    """
    task, _, network = setting.partition("_")
    if task not in TASKS or network not in NETWORKS:
        raise ValueError(
            f"unknown setting {setting!r}; it is one of {', '.join(TASKS)}, then _, then one of "
            f"{', '.join(NETWORKS)}"
        )
    config = base.get_config()
    config.algorithms = (TASKS[task],)
    config.model.update(hidden_size=32, termination="learned", **NETWORKS[network])
    config.data.sizes = (20,)
    config.data.problem = {"low": 0.2}
    config.data.mixture = {
        family: {"problem": {"family": family, **options}} for family, options in FAMILIES.items()
    }
    config.training.steps = 1_500
    config.training.eval_every = 250
    config.training.learning_rate = 1e-3
    config.evaluation.metrics = METRICS if task == "paths" else METRICS[2:]
    tests = {"families": tuple(FAMILIES), "problem": {"p": 0.7, "k": 4, "low": 0.2}}
    config.evaluation.validation.update(sizes=(20,), count=8, **tests)
    config.evaluation.test.update(sizes=(20, 50, 100), count=8, **tests)
    return config
