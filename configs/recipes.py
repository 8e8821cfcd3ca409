"""Trials of the study of recipes: a training of the recipe of Ibarz et al. 2022 that ends by its CPU time.

Command: python -m experiments.train --config=configs/recipes.py --workdir=runs/recipe_of_bfs
  The study: configs/sweeps/recipes.py.
Cost: 20 minutes of CPU time, ten minutes on two CPU cores, and the scoring of the test split.
Expected score: see docs/recipes.md.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The base config with a time budget in place of a number of steps."""
    config = base.get_config()
    config.training.max_cpu_minutes = 20.0
    # An upper bound that no trial reaches; schedules that end with training need their own length.
    config.training.steps = 1_000_000
    config.training.eval_every = 100
    return config
