"""Builds the optimizer from the `training` section of a config."""

from typing import Any

import jax
import optax

from nar.model import Params
from nar.runs.optimization_config import OptimizationConfig
from nar.training import make_optimizer, make_schedule
from nar.training.loop import check_early_stopping_patience, check_policy
from nar.training.loop.time_budget import check_max_cpu_minutes
from nar.training.optim import matching_names, parameter_names
from nar.training.state import check_ema_decay


def build_optimizer(training: OptimizationConfig) -> optax.GradientTransformation:
    """Builds the optimizer, and checks the EMA, early-stopping and non-finite settings.

    Raises:
      ValueError: if a name, a number, an option or a pattern is invalid; the message names the key.
    """
    try:
        check_ema_decay(training.ema_decay)
        check_early_stopping_patience(training.early_stopping_patience)
        check_max_cpu_minutes(training.max_cpu_minutes)
        check_policy(training.on_nonfinite, training.nonfinite_limit)
        rate = make_schedule(
            training.schedule, training.learning_rate, training.steps, training.schedule_options
        )
        return make_optimizer(
            rate,
            training.grad_clip_norm,
            training.frozen_params,
            name=training.optimizer,
            options=training.optimizer_options,
            weight_decay=training.weight_decay,
            weight_decay_exclude=training.weight_decay_exclude,
            learning_rate_multipliers=training.learning_rate_multipliers,
        )
    except ValueError as error:
        raise ValueError(f"training: {error}") from None


def check_patterns(training: OptimizationConfig, model: Any, stream: Any) -> None:
    """Raises ValueError if a parameter pattern matches no parameter.

    Parameter shapes are only evaluated if there is a pattern.
    """
    patterns = {
        "frozen_params": training.frozen_params,
        "weight_decay_exclude": training.weight_decay_exclude,
        "learning_rate_multipliers": tuple(pattern for pattern, _ in training.learning_rate_multipliers),
    }
    if not any(patterns.values()):
        return
    names = parameter_names(parameter_shapes(model, stream))
    for key, key_patterns in patterns.items():
        matching_names(key, key_patterns, names)


def parameter_shapes(model: Any, stream: Any) -> Params:
    """Shapes and dtypes of all parameters, by `jax.eval_shape`."""
    return jax.eval_shape(model.init, jax.random.key(0), stream.examples())
