"""A first network: Dijkstra's algorithm, small enough for two minutes, with a curve to look at.

Command: python -m experiments.train --config=configs/first.py --workdir=runs/first
Cost: 600 steps, one to two minutes on two CPU cores.
Expected score: 86.6 % at n = 64 (seed 0), and no answer in which every entry is correct; 48 % on grids.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The config."""
    config = base.get_config()
    config.algorithms = ("dijkstra",)
    config.model.processor = "gmpnn"
    config.model.hidden_size = 64
    config.training.steps = 600
    config.training.eval_every = 25
    config.evaluation.metrics = ("exact", "valid")
    config.evaluation.test.families = ("clrs30", "grid", "watts_strogatz", "barabasi_albert")
    return config
