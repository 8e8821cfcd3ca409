"""SALSA-CLRS (Minder et al. 2023, arXiv 2309.12253): trained on sixteen nodes, tested on up to 1,600.

Command: python -m experiments.train --config=configs/salsa.py:bfs --workdir=runs/salsa_bfs
  The algorithm follows the colon: bellman_ford, bfs, dfs, dijkstra, eccentricity, fast_mis or mst_prim.
Cost: 2,000 steps at up to 16 nodes, and the tests at their end; not measured.
Expected score: not measured.

Graphs of training and validation are Erdős-Rényi graphs whose edges exist with a probability between
ln 16 / 16 and 3 ln 16 / 16, whatever their size. Tests are 100 graphs of each of three families and five
sizes, with the parameters of the benchmark (nar/problems/large_graphs.py); the benchmark has 1,000,
`--config.evaluation.test.count=1000`. `exact` is its graph accuracy, `score` its node accuracy. The network,
the recipe and the supervision of hints are those of nar, with `pgn_mask` as the processor. Unlike there,
graphs of dfs are directed in training.
"""

import math

from ml_collections import ConfigDict

from configs import base

EDGE_PROBABILITIES = tuple((k / 4) * math.log(16) / 16 for k in range(4, 13))
"""From ln 16 / 16 to 3 ln 16 / 16, of which one is chosen for each graph."""


def get_config(algorithm: str = "bfs") -> ConfigDict:
    """The config of one algorithm."""
    config = base.get_config()
    config.algorithms = (algorithm,)
    config.model.processor = "pgn_mask"
    config.model.pairs = "edges"
    config.model.execution = "sparse"
    # An undirected edge takes two successful draws.
    p = tuple(round(one if algorithm == "dfs" else math.sqrt(one), 4) for one in EDGE_PROBABILITIES)
    config.data.problem = {"p": p}
    config.training.steps = 2000
    config.training.eval_every = 200
    config.evaluation.metrics = ("exact",)
    config.evaluation.validation.problem = {"p": p}
    config.evaluation.validation.count = 100
    config.evaluation.test.sizes = (16, 80, 160, 800, 1600)
    config.evaluation.test.families = ("erdos_renyi", "watts_strogatz", "delaunay")
    config.evaluation.test.count = 100
    return config
