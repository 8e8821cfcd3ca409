"""Sorting without hints (Rodionov and Prokhorenkova 2023, arXiv 2306.13411): outputs, and equal states.

Command: python -m experiments.train --config=configs/no_hints.py --workdir=runs/no_hints
Cost: 10,000 steps of two rollouts of n steps each; not run here yet.
Expected score: not measured here yet.

The network sees the keys alone, and takes as many steps as there are keys, so that the sort that made the
traces does not matter. The contrastive loss compares its states with those for other keys in the same order.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The base config without hints, with n steps for n keys and the contrastive objective."""
    config = base.get_config()
    config.algorithms = ("insertion_sort",)
    config.model.hint_mode = "none"
    config.model.termination = "budget"
    config.training.objective = "contrastive"
    return config
