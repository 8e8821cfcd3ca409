"""A network of 3,000 parameters trained for 400 steps, for experiments.crash_test and quick trials.

Command: python -m experiments.train --config=configs/tiny.py --workdir=runs/tiny
Cost: 400 steps; less than half a minute on two CPU cores, most of it compilation.
Expected score: none; it is too small to learn much.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """A scaled-down base config."""
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
