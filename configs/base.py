"""The single-task recipe of Ibarz et al. 2022 (arXiv 2209.11142); every other config starts from it.

Command: python -m experiments.train --config=configs/base.py --workdir=runs/base
Cost: 10,000 steps; for bfs about ten minutes on two CPU cores, extrapolated from 1,000 steps.
Expected score: not measured here yet; the paper has a table of single-task scores.
"""

from ml_collections import ConfigDict

from nar.runs.config import RunConfig


def get_config() -> ConfigDict:
    """The default config; `nar/runs/config.py` documents each key."""
    return ConfigDict(RunConfig().to_dict())
