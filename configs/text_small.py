"""A language model for `minimum` and `insertion_sort` of CLRS-Text; the base of other text configs.

Command: python -m experiments.train --config=configs/text_small.py --workdir=runs/text
With randomized positions: --workdir=runs/text_random --config.model.position_range=256
Cost: 3,000 steps; 19 minutes on two CPU cores under other load.
Expected score: over 90 % exact matches on 256 questions of each training length (minimum 90 to 96 %,
insertion_sort 97 to 99 %; with randomized positions 91 to 97 %, and better at longer lengths).
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The default text config; each key is explained by a comment."""
    config = ConfigDict()
    # A language model on texts instead of a graph network on traces.
    config.kind = "text"
    # Names of nar.ALGORITHMS, or module:ATTRIBUTE for custom ones; several are trained alternately.
    config.algorithms = ("minimum", "insertion_sort")
    config.model = _model()
    config.data = _data()
    config.training = _training()
    config.evaluation = _evaluation()
    return config


def _model() -> ConfigDict:
    """A decoder-only transformer over characters."""
    config = ConfigDict()
    # Embedding size; a multiple of twice the number of heads.
    config.hidden_size = 64
    config.num_layers = 3
    config.num_heads = 4
    # Ratio of the feed-forward hidden size to the embedding size.
    config.widening = 4
    # Base of rotary position embeddings: the slowest rotation has a period of 2π times this many positions.
    config.longest_wave = 10_000.0
    # Randomized positions: a sorted random subset of this range (Ruoss et al. 2023, arXiv 2305.16843), which
    # limits the length of texts. 0 uses the positions 0, 1, 2, ...
    config.position_range = 0
    # Number of positions drawn for a shorter text, since the length of an answer is unknown in advance.
    config.position_room = 144
    return config


def _data() -> ConfigDict:
    """The training data."""
    config = ConfigDict()
    # Problem lengths; each batch has all of them.
    config.lengths = (4, 5, 6)
    # Whether questions and answers include hints.
    config.use_hints = False
    # Decimals to which inputs are truncated; 0 keeps all digits.
    config.decimals = 2
    return config


def _training() -> ConfigDict:
    """Training; `configs/base.py` explains the keys."""
    config = base.get_config().training
    # These keys apply to graph networks only.
    for key in (
        "grad_accumulation_steps",
        "chunk_length",
        "loss_weights",
        "num_seeds",
        "task_sampling",
    ):
        del config[key]
    config.steps = 3000
    config.batch_size = 64
    config.optimizer_options = ConfigDict({"b2": 0.98})
    config.learning_rate = 3e-3
    config.schedule = "warmup_cosine"
    config.schedule_options = ConfigDict({"warmup_steps": 200, "end_value": 3e-5})
    config.init_params = ("^transformer/",)
    config.log_every = 100
    config.eval_every = 500
    return config


def _evaluation() -> ConfigDict:
    """Evaluation; the score is the fraction of exact matches."""
    config = ConfigDict()
    # Batch size of generation.
    config.batch_size = 128
    # Maximum answer length in characters.
    config.most_characters = 80
    # Validation questions per training length.
    config.samples = 64
    # Test lengths, and test questions per length.
    config.test_lengths = (4, 5, 6, 7, 8, 9, 10, 11, 12)
    config.test_samples = 256
    return config
