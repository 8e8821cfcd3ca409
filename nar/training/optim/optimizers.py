"""Optimizers: optax's by name, with clipping, weight decay, rate multipliers and frozen parameters."""

import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nar.model import Params
from nar.model.params_by_task import merge_task, select_task
from nar.plugins import Registry, did_you_mean, takes
from nar.training.optim.parameter_patterns import (
    compile_patterns,
    matches_any,
    matching_names,
    parameter_name,
    parameter_names,
)

Rate = float | optax.Schedule
Factory = Callable[..., optax.GradientTransformation]

_EXCLUDED = ("lbfgs", "optimistic_adam")
"""The first evaluates the loss several times a step; optax warns about the second and has a newer version."""


def _optax_optimizers() -> dict[str, Factory]:
    def takes_rate(value: Any) -> bool:
        return inspect.isfunction(value) and next(iter(inspect.signature(value).parameters), "") == (
            "learning_rate"
        )

    return {
        name: value
        for name, value in sorted(vars(optax).items())
        if takes_rate(value) and not name.startswith(("_", "scale_by_")) and name not in _EXCLUDED
    }


OPTIMIZERS: Registry[Factory] = Registry("optimizer", _optax_optimizers(), is_valid=takes(1))
"""Registry of optimizers, by their names in optax: `(learning_rate, **options) -> optimizer`."""


def make_optimizer(
    learning_rate: Rate,
    grad_clip_norm: float = 0.0,
    frozen_params: Sequence[str] = (),
    *,
    name: str = "adam",
    options: Mapping[str, Any] | None = None,
    weight_decay: float = 0.0,
    weight_decay_exclude: Sequence[str] = (),
    learning_rate_multipliers: Sequence[tuple[str, float]] = (),
) -> optax.GradientTransformation:
    """Makes an optimizer with clipping by the global gradient norm.

    Patterns are regular expressions that are searched for in parameter names
    (`nar.training.optim.parameter_patterns`).

    Args:
      learning_rate: a number, or a function of the number of steps taken (`make_schedule`).
      grad_clip_norm: maximum global norm of the gradients of the parameters that train; 0 for no clipping.
      frozen_params: patterns of parameters that do not train.
      name: a name in `OPTIMIZERS`, or `module:ATTRIBUTE` of a function with the same signature.
      options: further arguments of the optimizer.
      weight_decay: decoupled weight decay, multiplied by the learning rate (Loshchilov and Hutter 2019,
        arXiv 1711.05101).
      weight_decay_exclude: patterns of parameters without weight decay.
      learning_rate_multipliers: pairs (pattern, factor) that multiply the whole update of matching
        parameters, weight decay included; the factors of all matching patterns are multiplied.

    Raises:
      ValueError: if a name, a number, an option or a pattern is not valid.
    """
    if not callable(learning_rate) and not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate must be positive and finite, got {learning_rate}")
    for key, value in (("grad_clip_norm", grad_clip_norm), ("weight_decay", weight_decay)):
        if not value >= 0:
            raise ValueError(f"{key} must not be negative, got {value}")
    if weight_decay == math.inf:
        raise ValueError(f"weight_decay must be finite, got {weight_decay}")
    factory = OPTIMIZERS.find(name)
    if weight_decay and "weight_decay" in inspect.signature(factory).parameters:
        raise ValueError(f"{name} has its own option weight_decay: set optimizer_options.weight_decay")
    transforms = [optax.clip_by_global_norm(grad_clip_norm)] if grad_clip_norm else []
    transforms.append(_with_options(name, factory, learning_rate, options or {}))
    if weight_decay:
        excluded = compile_patterns("weight_decay_exclude", weight_decay_exclude)
        transforms.append(_decoupled_weight_decay(learning_rate, weight_decay, excluded))
    if learning_rate_multipliers:
        transforms.append(_scale_by_name(_checked_multipliers(learning_rate_multipliers)))
    return _with_frozen(optax.chain(*transforms), frozen_params)


def check_several_tasks(optimizer: optax.GradientTransformation) -> None:
    """Checks, by abstract evaluation on small arrays, that steps of one task can leave out other tasks.

    The optimizer state must have everything that belongs to a parameter in a tree like that of the
    parameters, and not, for example, concatenate them.

    Raises:
      ValueError: if they cannot.
    """
    tree = {name: {"module": {"w": jnp.zeros(size)}} for size, name in enumerate(("processor", "a", "b"), 1)}

    def step(params: Params) -> tuple[Params, Any]:
        whole = params, optimizer.init(params)
        task_params, task_state = select_task(whole, "a")
        updates, task_state = optimizer.update(task_params, task_state, task_params)
        return merge_task(whole, (optax.apply_updates(task_params, updates), task_state), "a")

    try:
        before = jax.eval_shape(lambda params: (params, optimizer.init(params)), tree)
        is_valid = jax.eval_shape(step, tree) == before
    except (TypeError, ValueError):
        is_valid = False
    if not is_valid:
        raise ValueError(
            "this optimizer cannot train several tasks: its state must be separable by parameter, so that a "
            "step of one task can leave out the parameters of the others"
        )


def frozen_names(params: Params, frozen_params: Sequence[str]) -> list[str]:
    """Names of the parameters that the patterns freeze.

    Raises:
      ValueError: if a pattern matches no parameter.
    """
    return matching_names("frozen_params", frozen_params, parameter_names(params))


def _with_frozen(optimizer: optax.GradientTransformation, frozen_params: Sequence[str]) -> Any:
    if not frozen_params:
        return optimizer
    patterns = compile_patterns("frozen_params", frozen_params)

    def labels(params: Params) -> Params:
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: "frozen" if matches_any(patterns, parameter_name(path)) else "trained", params
        )

    return optax.multi_transform({"trained": optimizer, "frozen": optax.set_to_zero()}, labels)


def _with_options(
    name: str, factory: Factory, learning_rate: Rate, options: Mapping[str, Any]
) -> optax.GradientTransformation:
    """Makes the optimizer and checks it by abstract evaluation on a small tree of parameters."""
    known = list(inspect.signature(factory).parameters)[1:]
    for option in options:
        if option not in known:
            raise ValueError(
                f"optimizer_options: {name} has no option {option!r}; known: {', '.join(known) or 'none'}"
                + did_you_mean(option, known)
            )
    tree = {"module": {"w": jnp.zeros((2, 2)), "b": jnp.zeros(2)}}
    try:
        optimizer = factory(learning_rate, **options)
        jax.eval_shape(lambda tree: optimizer.update(tree, optimizer.init(tree), tree), tree)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"optimizer {name} cannot be used with options {dict(options)}: {error}") from None
    return optimizer


def _decoupled_weight_decay(
    learning_rate: Rate, weight_decay: float, excluded: Sequence[re.Pattern[str]]
) -> optax.GradientTransformation:
    """Subtracts `learning_rate · weight_decay · parameter` from the update of each parameter not excluded."""

    def init(params: Params) -> optax.ScaleByScheduleState:
        del params
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(updates: Params, state: Any, params: Params | None = None) -> tuple[Params, Any]:
        rate = learning_rate(state.count) if callable(learning_rate) else learning_rate
        shrink = weight_decay * rate

        def decayed(path: Any, update: jax.Array, param: jax.Array) -> jax.Array:
            return update if matches_any(excluded, parameter_name(path)) else update - shrink * param

        decayed_updates = jax.tree_util.tree_map_with_path(decayed, updates, params)
        return decayed_updates, optax.ScaleByScheduleState(optax.safe_int32_increment(state.count))

    return optax.GradientTransformation(init, update)


def _checked_multipliers(multipliers: Sequence[tuple[str, float]]) -> list[tuple[re.Pattern[str], float]]:
    checked = []
    for pair in multipliers:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f"learning_rate_multipliers must be pairs (pattern, factor), got {pair!r}")
        pattern, factor = pair
        if not isinstance(factor, int | float) or not 0 < factor < float("inf"):
            raise ValueError(
                f"learning_rate_multipliers: the factor of {pattern!r} must be a positive number, "
                f"got {factor!r}; use frozen_params for parameters that do not train"
            )
        checked.append((compile_patterns("learning_rate_multipliers", [pattern])[0], factor))
    return checked


def _scale_by_name(multipliers: Sequence[tuple[re.Pattern[str], float]]) -> optax.GradientTransformation:
    def scaled(path: Any, update: jax.Array) -> jax.Array:
        for pattern, factor in multipliers:
            if pattern.search(parameter_name(path)):
                update = update * factor
        return update

    return optax.stateless(lambda updates, params: jax.tree_util.tree_map_with_path(scaled, updates))
