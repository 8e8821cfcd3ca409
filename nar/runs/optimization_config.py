"""The training keys that runs of graph networks and of language models share."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nar.runs.schema import Section, key

MAX_SEED = 2**32 - 1
"""Largest seed: jax takes larger ones, and negative ones, for others."""
MAX_BATCH_SIZE = 2**20
"""Largest batch size, for training and evaluation."""


@dataclasses.dataclass(frozen=True)
class OptimizationConfig(Section):
    """The training keys that all kinds of runs have."""

    steps: int = key(10_000, "Number of training steps.", at_least=1)
    batch_size: int = key(32, "Batch size.", at_least=1, at_most=MAX_BATCH_SIZE)
    seed: int = key(0, "Seed of the initialization and the data.", at_least=0, at_most=MAX_SEED)
    optimizer: str = key(
        "adam", "Any optimizer of optax (adam, adamw, sgd, lion, ...), or module:ATTRIBUTE for a custom one."
    )
    optimizer_options: Mapping[str, Any] = key({}, "Arguments of the optimizer.")
    learning_rate: float = key(1e-3, "Peak learning rate.")
    schedule: str = key(
        "constant",
        "Learning-rate schedule: constant, linear, polynomial, cosine, exponential, piecewise_constant, "
        "piecewise_interpolate, one_cycle_linear, one_cycle_cosine, warmup_constant, warmup_cosine or "
        "warmup_exponential; or module:ATTRIBUTE for a custom one.",
    )
    schedule_options: Mapping[str, Any] = key(
        {},
        'Arguments of the schedule, those of optax\'s function, such as {"warmup_steps": 500}; decay ends at '
        "training.steps.",
    )
    learning_rate_multipliers: tuple[Any, ...] = key(
        (),
        "Pairs (regular expression, factor): multiplies the learning rate of parameters whose names match.",
    )
    weight_decay: float = key(
        0.0,
        "Decoupled weight decay, scaled by the learning rate. Optimizers with built-in weight decay take it "
        "as an option instead.",
    )
    weight_decay_exclude: tuple[str, ...] = key(
        (), "Regular expressions of parameters to exclude from weight decay."
    )
    grad_clip_norm: float = key(1.0, "Gradient clipping: the maximum global norm; 0 disables it.")
    frozen_params: tuple[str, ...] = key(
        (), "Regular expressions; parameters whose names match one are not trained."
    )
    init_from: str = key(
        "",
        "Warm start: the workdir of a run whose best checkpoint is loaded, or pretrained:NAME, such as "
        "pretrained:bfs, for a pretrained network. Everything that is not loaded is newly initialized, "
        "including the step and the optimizer state.",
    )
    init_params: tuple[str, ...] = key(
        ("^processor/",),
        "Regular expressions of the parameters to load in a warm start, among those that both runs have.",
    )
    init_renames: tuple[Any, ...] = key(
        (),
        "Pairs (regular expression, replacement), applied to the other run's parameter names before "
        'matching: (("^bfs/", "dijkstra/"),) loads the encoders and decoders of bfs as those of dijkstra.',
    )
    checkpoint_fallback: bool = key(
        False,
        "Whether the best of the intact checkpoints takes the place of the best one, of this run or of "
        "`init_from`, if that is damaged or missing, which is otherwise an error. The result says so.",
        mutable=True,
    )
    ema_decay: float = key(
        0.0,
        "Decay of an exponential moving average of the parameters, such as 0.999; evaluation uses the "
        "average; the last parameters are scored, too. 0 disables it.",
    )
    early_stopping_patience: int = key(
        0,
        "Early stopping: ends training after this many validations without a better score. 0 disables it.",
    )
    max_cpu_minutes: float = key(
        0.0,
        "Time budget: ends training at the first validation at which the run has used this many minutes of "
        "CPU time, over all threads and sessions, compilation and validation included. 0 disables it.",
    )
    on_nonfinite: str = key(
        "stop",
        "Policy on a non-finite loss, gradient or new parameter: stop; skip (the step changes nothing, and "
        "counts as `skipped` in metrics.jsonl); or restore (return to the parameters of the last scored "
        "checkpoint, and continue with the next batch).",
        mutable=True,
    )
    nonfinite_limit: int = key(
        10,
        "Training stops after this many consecutive skips, or this many restores without a new checkpoint.",
        mutable=True,
    )
    trackers: tuple[str, ...] = key(
        ("tensorboard",),
        "Trackers that receive the metrics too: tensorboard; wandb, mlflow (extras of these names); or "
        "module:ATTRIBUTE for a custom one.",
        mutable=True,
    )
    tracker_options: Mapping[str, Any] = key(
        {},
        'Options of trackers by name, such as {"wandb": {"mode": "offline"}}.',
        mutable=True,
        opaque=True,
    )
    callbacks: tuple[str, ...] = key(
        (),
        "Custom callbacks of the training loop, module:ATTRIBUTE: subclasses of nar.training.Callback, or "
        "functions that return one.",
    )
    callback_options: Mapping[str, Any] = key(
        {},
        'Options of custom callbacks by attribute, such as {"WeightNorms": {"depth": 2}}.',
        opaque=True,
    )
    log_every: int = key(50, "Steps between lines of metrics.jsonl.", at_least=1)
    eval_every: int = key(500, "Steps between validations; each is followed by a checkpoint.", at_least=1)
