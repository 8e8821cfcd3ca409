"""A network of 3,000 parameters for some hundred steps: what experiments.crash_test kills, and a quick trial.

Command: python -m experiments.train --config=configs/tiny.py --workdir=runs/tiny
Cost: 400 steps; less than half a minute on two CPU cores, most of it compilation.
Expected score: none worth a table; it learns a little.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The base config, but small in everything."""
    config = base.get_config()
    config.model.hidden_size = 8
    config.model.processor = "mpnn"
    config.data.sizes = (4,)
    config.training.batch_size = 4
    config.training.steps = 400
    config.training.log_every = 8
    config.training.eval_every = 20
    config.training.ema_decay = 0.9
    return config
