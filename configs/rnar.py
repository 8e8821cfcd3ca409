"""Recurrent aggregation (Xu and Veličković 2024, arXiv 2409.07154) for quickselect.

Command: python -m experiments.train --config=configs/rnar.py --workdir=runs/rnar
Cost: 10,000 steps; a training step takes about five times that of `mpnn` at n = 16, by its multiply-adds.
Expected score: not measured here yet; the paper has a table of single-task scores.

An MPNN over the full graph, whose aggregation is an LSTM over the senders in the order of the nodes, without
gate and triplet messages; the rest is the recipe of Ibarz et al. 2022.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The base config with the processor `rnar`, for quickselect."""
    config = base.get_config()
    config.algorithms = ("quickselect",)
    config.model.processor = "rnar"
    return config
