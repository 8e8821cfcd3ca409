"""Weight uncertainty by Bayes by backprop (Blundell et al. 2015, arXiv 1505.05424).

Command: python -m experiments.train --config=configs/bayes.py --workdir=runs/bayes
  Then: python -m experiments.benchmark ensemble --workdir=runs/bayes --sizes=16,32,64
Cost: 500 steps, 9 minutes on two CPU cores under other load.
Expected score: at n = 64, 59 % with the means of the weights, 58 % with the averaged outputs of five samples.

The network and the task of `configs/ensemble.py`, with a normal distribution over each parameter in place of
five seeds.
"""

from ml_collections import ConfigDict

from configs import ensemble


def get_config() -> ConfigDict:
    """The config."""
    config = ensemble.get_config()
    config.training.num_seeds = 1
    config.model.weight_uncertainty.deviation = 0.01
    return config
