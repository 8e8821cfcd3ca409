"""A language model that answers `minimum` and `insertion_sort` of CLRS-Text; others start from this config.

Command: python -m experiments.train --config=configs/text_small.py --workdir=runs/text
And with randomised positions: --workdir=runs/text_random --config.model.position_range=256
Cost: 3,000 steps; 19 minutes on two CPU cores that had other work too.
Expected score: of 256 questions of each length trained on, over 90 % exactly right (minimum 90 to 96 %,
insertion_sort 97 to 99 %; with randomised positions 91 to 97 %, and more at the lengths beyond).
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The config; a comment says what each key means."""
    config = ConfigDict()
    # A language model on texts, and not a graph network on traces.
    config.kind = "text"
    # Names of nar.ALGORITHMS, or module:ATTRIBUTE for your own; several are trained in turn.
    config.algorithms = ("minimum", "insertion_sort")
    config.model = _model()
    config.data = _data()
    config.training = _training()
    config.evaluation = _evaluation()
    return config


def _model() -> ConfigDict:
    """A decoder-only transformer over characters."""
    config = ConfigDict()
    # Features of a token's state; a multiple of twice the number of heads.
    config.hidden_size = 64
    config.num_layers = 3
    config.num_heads = 4
    # How many times wider feed-forward networks are inside.
    config.widening = 4
    # Period, in positions over 2π, of the slowest rotation of rotary positions.
    config.longest_wave = 10_000.0
    # Randomised positions: tokens have a random subset of this range as positions, in order (Ruoss et al.
    # 2023, arXiv 2305.16843); 0 for 0, 1, 2, ... Longer texts than it cannot be read or written.
    config.position_range = 0
    # The subset is one for a text of so many tokens, if it has fewer: of a question, it is not known how long
    # its answer will be.
    config.position_room = 144
    return config


def _data() -> ConfigDict:
    """What it is trained on."""
    config = ConfigDict()
    # Lengths of problems; each batch has all of them.
    config.lengths = (4, 5, 6)
    # Whether questions and answers show the steps.
    config.use_hints = False
    # To which inputs are cut; 0 for all of their digits.
    config.decimals = 2
    return config


def _training() -> ConfigDict:
    """How it is trained; `configs/base.py` says what each key means."""
    config = base.get_config().training
    # These are of graph networks.
    for key in (
        "grad_accumulation_steps",
        "chunk_length",
        "loss_weights",
        "pooled_batches",
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
    """How it is scored: by the share of answers that are exactly right."""
    config = ConfigDict()
    # Questions that are answered at once.
    config.batch_size = 128
    # Characters of an answer, which is cut behind them.
    config.most_characters = 80
    # Questions of each length in validation, which has the lengths of training.
    config.samples = 64
    # Lengths that are scored at the end, and questions of each.
    config.test_lengths = (4, 5, 6, 7, 8, 9, 10, 11, 12)
    config.test_samples = 256
    return config
