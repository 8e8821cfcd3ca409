"""One processor for all thirty algorithms: the generalist of Ibarz et al. 2022 (arXiv 2209.11142).

Command: python -m experiments.train --config=configs/generalist.py --workdir=runs/generalist
Cost: 300,000 steps, 10,000 per algorithm; not run here in full.
Expected score: not measured here; the paper compares its generalist with single-task training.
"""

from ml_collections import ConfigDict

from configs import base
from nar.algorithms import ALGORITHMS


def get_config() -> ConfigDict:
    """The base config for all algorithms of CLRS-30, in chunks of 16 steps, without gating."""
    config = base.get_config()
    config.algorithms = tuple(name for name, algorithm in ALGORITHMS.items() if algorithm.in_clrs30)
    config.model.processor = "triplet_mpnn"
    config.training.chunk_length = 16
    config.training.steps = 300_000
    config.training.log_every = 300
    config.training.eval_every = 6_000
    return config
