"""A language model for `minimum` and `insertion_sort` of CLRS-Text; the base of other text configs.

Command: python -m experiments.train --config=configs/text_small.py --workdir=runs/text
With randomized positions: --workdir=runs/text_random --config.model.position_range=256
Cost: 3,000 steps; 19 minutes on two CPU cores under other load.
Expected score: over 90 % exact matches on 256 questions of each training length (minimum 90 to 96 %,
insertion_sort 97 to 99 %; with randomized positions 91 to 97 %, and better at longer lengths).
"""

from ml_collections import ConfigDict

from nar.runs.text_config import TextRunConfig


def get_config() -> ConfigDict:
    """The default text config; `nar/runs/text_config.py` documents each key."""
    return ConfigDict(TextRunConfig().to_dict())
