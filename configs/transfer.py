"""Shortest paths from noisy observations, on little data: transfer as in arXiv 2105.02761.

Command: python -m experiments.train --config=configs/transfer.py:executor --workdir=runs/transfer_executor
  The setting follows the colon:
    executor   the pretrained network of bellman_ford, frozen, with a new encoder of the observations
    processor  its processor, frozen, with new encoders and decoders
    random     a random processor, frozen, with new encoders and decoders
    scratch    everything new and trained
  All settings, three training sets and five seeds: configs/sweeps/transfer.py.
Cost: 300 steps of 8 graphs; one to two minutes on two CPU cores, most of it compilation (extrapolated).
Expected score: not measured here yet. experiments/examples/noisy_paths.py has scores for unlimited data.

The task is that of experiments/examples/noisy_paths.py: Bellman-Ford on hidden weights, of which only eight
noisy sines are observed. Training has `data.num_traces` different graphs of 16 nodes, 32 by default. The best
checkpoint is chosen on a validation split of 32 further graphs in every setting.
"""

from ml_collections import ConfigDict

from configs import base

_NEW_PARTS = {"training.frozen_params": ("^processor/",), "training.learning_rate": 1e-3}
_PRETRAINED = "pretrained:bellman_ford"

SETTINGS = {
    "executor": {
        "training.init_from": _PRETRAINED,
        "training.init_renames": (("^bellman_ford/", "noisy_paths/"),),
        "training.init_params": ("^processor/", "^noisy_paths/"),
        "training.frozen_params": ("^processor/", "/decode/", "/encode/(pos|s|adj|pi_h|d|msk)_"),
        "training.learning_rate": 1e-2,
    },
    "processor": {"training.init_from": _PRETRAINED, **_NEW_PARTS},
    "random": _NEW_PARTS,
    "scratch": {"training.learning_rate": 1e-3},
}
"""Setting -> config key -> value."""


def get_config(setting: str = "executor") -> ConfigDict:
    """The config of one setting.

    Raises:
      ValueError: if the setting is unknown.
    """
    if setting not in SETTINGS:
        raise ValueError(f"unknown setting {setting!r}; known: {', '.join(SETTINGS)}")
    config = base.get_config()
    config.algorithms = ("experiments.examples.noisy_paths:NOISY_PATHS",)
    config.data.sizes = (16,)
    config.data.num_traces = 32
    config.training.batch_size = 8
    config.training.steps = 300
    config.training.eval_every = 50
    config.update_from_flattened_dict(SETTINGS[setting])
    return config
