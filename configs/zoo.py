"""One pretrained network: `configs/base.py` with 1,000 steps.

Command: python -m experiments.train --config=configs/zoo.py --workdir=runs/zoo_bfs \
    --config.algorithms="('bfs',)"
  All thirty: configs/sweeps/zoo.py.
Cost: 1,000 steps; insertion_sort about ten minutes on two CPU cores, extrapolated from 700 steps.
Expected score: see docs/results.md, which has a row per exported network.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The config."""
    config = base.get_config()
    config.training.steps = 1_000
    config.training.eval_every = 250
    return config
