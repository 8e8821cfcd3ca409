"""Hint-ReLIC (Bevilacqua et al. 2023, arXiv 2302.10258), for one of the algorithms with an augmentation.

Command: python -m experiments.train --config=configs/hint_relic.py:dfs --workdir=runs/hint_relic
  The algorithm follows the colon: one of nar.data.augmentation.AUGMENTATIONS but floyd_warshall, whose hints
  point from pairs of nodes.
Cost: 10,000 steps. A step predicts a batch and, on average until half of each trace, a second one of larger
  problems; the cost of a run is not measured.
Expected score: not measured.

The three changes of the paper to the recipe: steps that are the same in different problems are represented in
the same way (training.objective), hints are predicted but not fed back (model.hint_mode), and pointers are
predicted in reverse, too (data.reversed_pointers). Temperature, number of added nodes, size of
representations and weights of the two terms (training.loss_weights, 1) are ours: the paper's are not known
here.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(algorithm: str = "dfs") -> ConfigDict:
    """The config of one algorithm."""
    config = base.get_config()
    config.algorithms = (algorithm,)
    config.model.hint_mode = "decoded_only"
    config.model.pair_size = 16
    config.data.reversed_pointers = True
    config.training.objective = "hint_relic"
    config.training.objective_options = {"temperature": 0.1, "new_nodes": 4}
    return config
