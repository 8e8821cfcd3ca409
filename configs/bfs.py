"""Breadth-first search: `configs/base.py` with fewer steps, since bfs is learned within minutes.

Command: python -m experiments.train --config=configs/bfs.py --workdir=runs/bfs
Cost: 1,000 steps, 2 to 3 minutes on two CPU cores.
Expected score: above 99.5 % at n = 64 (seed 0: 99.90 %).
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The config."""
    config = base.get_config()
    config.training.steps = 1000
    config.training.eval_every = 100
    config.evaluation.metrics = ("exact", "valid")
    return config
