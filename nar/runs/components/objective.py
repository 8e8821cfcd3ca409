"""Builds the objective of a run, and checks the loss weights."""

import functools
from collections.abc import Mapping
from typing import Any

import jax

from nar.data import TraceStream
from nar.losses import Objective, check_loss_weights, find_objective, known_loss_weights, supervised
from nar.model import Model, Params
from nar.runs.config import TrainingConfig
from nar.training.train_step.gradient_accumulation import MicroBatch
from nar.training.train_step.objective_gradients import evaluate_objective


def build_objective(training: TrainingConfig, model: Model) -> Objective:
    """Finds the objective.

    Raises:
      ValueError: if it is unknown or not valid, or cannot train the network.
    """
    try:
        objective = find_objective(training.objective, training.objective_options)
        getattr(objective, "check_model", lambda model: None)(model)
        return objective
    except ValueError as error:
        raise ValueError(f"training.objective: {error}") from None


def check_weights(
    weights: Mapping[str, float], model: Model, objective: Objective, stream: TraceStream
) -> None:
    """Raises ValueError if a key of `training.loss_weights` matches no loss of the objective."""
    if not weights:
        return
    has_hints = model.config.hints.supervised
    probes = {
        task: [probe.name for probe in (*(spec.hints if has_hints else ()), *spec.answers, *spec.outputs)]
        for task, spec in model.specs.items()
    }
    names = probes
    if objective is not supervised or not set(weights) <= set(known_loss_weights(model.specs, probes)):
        names = loss_names(model, objective, stream)
    try:
        check_loss_weights(weights, model.specs, names)
    except ValueError as error:
        raise ValueError(f"training.loss_weights: {error}") from None


def loss_names(model: Model, objective: Objective, stream: TraceStream) -> dict[str, list[str]]:
    """Names of the losses of each task. The objective is traced by `jax.eval_shape`; nothing is computed."""
    key = jax.random.key(0)
    params = jax.eval_shape(model.init, key, stream.examples())

    def terms(params: Params, batch: Any, task: str) -> dict[str, Any]:
        return evaluate_objective(objective, model, task, params, MicroBatch(batch, key, carry={})).terms

    return {
        task: list(jax.eval_shape(functools.partial(terms, task=task), params, batch))
        for task, batch in stream.viewed_examples().items()
    }
