"""The 2022 baselines on CLRS-30 (Veličković et al., arXiv 2205.15659), as dm-clrs trained them that July.

Command: python -m experiments.train --config=configs/clrs30_2022.py:mpnn --workdir=runs/mpnn_2022
  The processor follows the colon: deepsets, gat, memnet_masked, mpnn or pgn.
Cost: 5,000 steps; for bfs with mpnn half an hour on two busy CPU cores, at 2.8 steps a second.
Expected score: bfs with mpnn 99.95 % after 200 steps (seed 0); the full runs are not measured here yet. The
  published means over the graph algorithms at n = 64 are 62.79 (MPNN), 60.25 (PGN) and 24.12 (MemNet), by
  Table 1 of Ibarz et al. 2022 (arXiv 2209.11142).

The settings are the defaults of dm-clrs's example script at commit fa9591b. Differences that remain: every
batch has new traces, where the script repeats 1,000 of them; hints are predicted as values, where its default
mode predicts their changes; and it validates every 10 steps.
"""

from ml_collections import ConfigDict

from configs import base

PROCESSORS = ("deepsets", "gat", "memnet_masked", "mpnn", "pgn")


def get_config(processor: str = "mpnn") -> ConfigDict:
    """The base config without the improvements of Ibarz et al.

    Raises:
      ValueError: if the processor is not one of the baselines.
    """
    if processor not in PROCESSORS:
        raise ValueError(f"unknown baseline {processor!r}; known: {', '.join(PROCESSORS)}")
    config = base.get_config()
    config.model.processor = processor
    config.model.encoder_init = "default"
    config.model.hint_feedback = "hard"
    # Full teacher forcing in training.
    config.model.teacher_forcing = 1.0
    config.data.sizes = (16,)
    # The problem distribution of the test split.
    config.data.problem = ConfigDict({"p": None})
    config.data.exceptions = ConfigDict(dict.fromkeys(config.data.exceptions))
    config.data.random_positions = False
    config.data.fixed_hints_as_inputs = False
    config.data.cyclic_permutations = False
    config.training.steps = 5_000
    config.training.learning_rate = 3e-3
    config.training.grad_clip_norm = 0.0
    config.training.eval_every = 100
    return config
