"""Five seeds of one network, as an ensemble (Lakshminarayanan et al. 2017, arXiv 1612.01474).

Command: python -m experiments.train --config=configs/ensemble.py --workdir=runs/ensemble
  Then: python -m experiments.benchmark ensemble --workdir=runs/ensemble --sizes=16,32,64
Cost: 500 steps of five seeds at once, 2 minutes on two CPU cores.
Expected score: at n = 64, 53 % for the mean member, 60 % with averaged outputs, 67 % with averaged hints.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The config."""
    config = base.get_config()
    config.algorithms = ("dijkstra",)
    config.model.processor = "mpnn"
    config.model.hidden_size = 32
    config.training.num_seeds = 5
    config.training.steps = 500
    config.training.eval_every = 250
    return config
