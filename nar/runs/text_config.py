"""The config of a run that trains a language model: every key with its default, description and check."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nar.runs.optimization_config import MAX_BATCH_SIZE, OptimizationConfig
from nar.runs.schema import Section, key, redeclared, section


@dataclasses.dataclass(frozen=True)
class TextModelConfig(Section):
    """A decoder-only transformer over characters."""

    hidden_size: int = key(64, "Embedding size; a multiple of twice the number of heads.", at_most=2**14)
    num_layers: int = key(3, "Number of layers.", at_most=1000)
    num_heads: int = key(4, "Number of attention heads.", at_most=2**14)
    widening: int = key(4, "Ratio of the feed-forward hidden size to the embedding size.", at_most=100)
    rope_theta: float = key(
        10_000.0,
        "Base of rotary position embeddings: the slowest rotation has a period of 2π times this many "
        "positions.",
    )
    position_range: int = key(
        0,
        "Randomized positions: a sorted random subset of this range (Ruoss et al. 2023, arXiv 2305.16843), "
        "which limits the length of texts. 0 uses the positions 0, 1, 2, ...",
        at_most=2**20,
    )
    position_min_length: int = key(
        144,
        "Number of positions drawn for a shorter text, since the length of an answer is unknown in advance.",
        at_most=2**20,
    )


@dataclasses.dataclass(frozen=True)
class TextDataConfig(Section):
    """The training data."""

    lengths: tuple[int, ...] = key((4, 5, 6), "Problem lengths; each batch has all of them.")
    use_hints: bool = key(False, "Whether questions and answers include hints.")
    decimals: int = key(2, "Decimals to which inputs are truncated; 0 keeps all digits.")


@dataclasses.dataclass(frozen=True)
class TextTrainingConfig(OptimizationConfig):
    """Training: steps, optimizer, initialization, logging."""

    steps: int = redeclared(OptimizationConfig, "steps", 3000)
    batch_size: int = redeclared(OptimizationConfig, "batch_size", 64)
    optimizer_options: Mapping[str, Any] = redeclared(OptimizationConfig, "optimizer_options", {"b2": 0.98})
    learning_rate: float = redeclared(OptimizationConfig, "learning_rate", 3e-3)
    schedule: str = redeclared(OptimizationConfig, "schedule", "warmup_cosine")
    schedule_options: Mapping[str, Any] = redeclared(
        OptimizationConfig, "schedule_options", {"warmup_steps": 200, "end_value": 3e-5}
    )
    init_params: tuple[str, ...] = redeclared(OptimizationConfig, "init_params", ("^transformer/",))
    log_every: int = redeclared(OptimizationConfig, "log_every", 100)


@dataclasses.dataclass(frozen=True)
class TextEvaluationConfig(Section):
    """Evaluation; the score is the fraction of exact matches."""

    batch_size: int = key(128, "Batch size of generation.", at_least=1, at_most=MAX_BATCH_SIZE)
    max_length: int = key(80, "Maximum answer length in characters.", at_least=1, at_most=2**16)
    samples: int = key(64, "Validation questions per training length.", at_least=1, at_most=2**20)
    test_lengths: tuple[int, ...] = key((4, 5, 6, 7, 8, 9, 10, 11, 12), "Test lengths.")
    test_samples: int = key(256, "Test questions per length.", at_least=1, at_most=2**20)


@dataclasses.dataclass(frozen=True)
class TextRunConfig(Section):
    """The config of a run that trains a language model."""

    kind: str = key("text", "A language model on texts instead of a graph network on traces.")
    algorithms: tuple[str, ...] = key(
        ("minimum", "insertion_sort"),
        "Names of nar.ALGORITHMS, or module:ATTRIBUTE for custom ones; several are trained alternately.",
    )
    model: TextModelConfig = section(TextModelConfig, "A decoder-only transformer over characters.")
    data: TextDataConfig = section(TextDataConfig, "The training data.")
    training: TextTrainingConfig = section(
        TextTrainingConfig, "Training: steps, optimizer, initialization, logging."
    )
    evaluation: TextEvaluationConfig = section(
        TextEvaluationConfig, "Evaluation; the score is the fraction of exact matches."
    )
