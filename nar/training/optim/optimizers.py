"""Optimizers: those of optax by name, behind a clip of gradients; weight decay, rates by name, freezing."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nar.model import Params
from nar.plugins import load_attribute
from nar.training.optim.parameter_patterns import (
    compile_patterns,
    matches_any,
    matching_names,
    parameter_name,
    parameter_names,
)

Rate = float | optax.Schedule
Factory = Callable[..., optax.GradientTransformation]

_LEFT_OUT = ("lbfgs", "optimistic_adam")
"""The first evaluates the loss several times a step; optax warns of the second, and has another version."""


def _optimizers_of_optax() -> dict[str, Factory]:
    def takes_rate(found: Any) -> bool:
        return inspect.isfunction(found) and next(iter(inspect.signature(found).parameters), "") == (
            "learning_rate"
        )

    return {
        name: found
        for name, found in sorted(vars(optax).items())
        if takes_rate(found) and not name.startswith(("_", "scale_by_")) and name not in _LEFT_OUT
    }


OPTIMIZERS: Mapping[str, Factory] = MappingProxyType(_optimizers_of_optax())
"""By their names in optax: `(learning_rate, **options) -> optimizer`."""


class Leafwise(optax.GradientTransformation):
    """An optimizer that updates each parameter by what it keeps for it, and by the norm of all gradients."""


_LEAFWISE = frozenset(
    ("adabelief", "adadelta", "adagrad", "adam", "adamax", "adamaxw", "adamw", "adan", "amsgrad", "lamb")
    + ("lars", "lion", "novograd", "radam", "rmsprop", "rprop", "sgd", "sign_sgd", "yogi")
)
"""Those of optax that are, whatever their options."""


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
    """An optimizer behind a clip of the global gradient norm.

    Patterns are regular expressions that are found in names of parameters
    (`nar.training.optim.parameter_patterns`).

    Args:
      learning_rate: a number, or a function of the number of steps taken (`make_schedule`).
      grad_clip_norm: largest norm of the gradients of all parameters that train; 0 for none.
      frozen_params: patterns of parameters that stay as they are.
      name: one of `OPTIMIZERS`, or `module:ATTRIBUTE` of a function alike.
      options: of the optimizer, by the names of its arguments.
      weight_decay: in each step this times the learning rate is taken from each parameter, in proportion to
        it, beside what the optimizer does (Loshchilov and Hutter 2019, arXiv 1711.05101).
      weight_decay_exclude: patterns of parameters that do not decay.
      learning_rate_multipliers: pairs of a pattern and a factor of the learning rate of what it finds; where
        several find one parameter they multiply. They are factors of the whole update, decay included.

    Raises:
      ValueError: if a name, a number, an option or a pattern is not valid.
    """
    if not callable(learning_rate) and not learning_rate > 0:
        raise ValueError(f"learning_rate must be positive, got {learning_rate}")
    for key, value in (("grad_clip_norm", grad_clip_norm), ("weight_decay", weight_decay)):
        if not value >= 0:
            raise ValueError(f"{key} must not be negative, got {value}")
    chosen = _find_optimizer(name)
    if weight_decay and "weight_decay" in inspect.signature(chosen).parameters:
        raise ValueError(f"{name} has an option weight_decay of its own: give optimizer_options.weight_decay")
    parts = [optax.clip_by_global_norm(grad_clip_norm)] if grad_clip_norm else []
    parts.append(_with_options(name, chosen, learning_rate, options or {}))
    if weight_decay:
        spared = compile_patterns("weight_decay_exclude", weight_decay_exclude)
        parts.append(_decay(learning_rate, weight_decay, spared))
    if learning_rate_multipliers:
        parts.append(_scale_by_name(_checked_factors(learning_rate_multipliers)))
    optimizer = _frozen_but(optax.chain(*parts), frozen_params)
    # What freezes keeps a tree of all parameters, which must stay whole.
    is_leafwise = name in _LEAFWISE and not frozen_params
    return Leafwise(optimizer.init, optimizer.update) if is_leafwise else optimizer


def frozen_names(params: Params, frozen_params: Sequence[str]) -> list[str]:
    """Names of the parameters that the patterns freeze.

    Raises:
      ValueError: if a pattern finds none, for then it is a mistake.
    """
    return matching_names("frozen_params", frozen_params, parameter_names(params))


def _frozen_but(optimizer: optax.GradientTransformation, frozen_params: Sequence[str]) -> Any:
    if not frozen_params:
        return optimizer
    patterns = compile_patterns("frozen_params", frozen_params)

    def labels(params: Params) -> Params:
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: "frozen" if matches_any(patterns, parameter_name(path)) else "trained", params
        )

    return optax.multi_transform({"trained": optimizer, "frozen": optax.set_to_zero()}, labels)


def _find_optimizer(name: str) -> Factory:
    if name in OPTIMIZERS:
        return OPTIMIZERS[name]
    if ":" in name:
        return load_attribute(name, "optimizer", callable)
    raise ValueError(f"unknown optimizer {name!r}; known: {', '.join(OPTIMIZERS)}, or module:ATTRIBUTE")


def _with_options(
    name: str, factory: Factory, learning_rate: Rate, options: Mapping[str, Any]
) -> optax.GradientTransformation:
    """The optimizer, tried on a small tree of parameters, of which only shapes are computed."""
    known = list(inspect.signature(factory).parameters)[1:]
    for option in options:
        if option not in known:
            raise ValueError(
                f"optimizer_options: {name} has no option {option!r}; known: {', '.join(known) or 'none'}"
            )
    tree = {"module": {"w": jnp.zeros((2, 2)), "b": jnp.zeros(2)}}
    try:
        optimizer = factory(learning_rate, **options)
        jax.eval_shape(lambda tree: optimizer.update(tree, optimizer.init(tree), tree), tree)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"optimizer {name} cannot be used with options {dict(options)}: {error}") from None
    return optimizer


def _decay(
    learning_rate: Rate, weight_decay: float, spared: Sequence[re.Pattern[str]]
) -> optax.GradientTransformation:
    """Takes `learning_rate · weight_decay · parameter` from each update but those spared."""

    def init(params: Params) -> optax.ScaleByScheduleState:
        del params
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(updates: Params, state: Any, params: Params | None = None) -> tuple[Params, Any]:
        rate = learning_rate(state.count) if callable(learning_rate) else learning_rate
        shrink = weight_decay * rate

        def decayed(path: Any, update: jax.Array, param: jax.Array) -> jax.Array:
            return update if matches_any(spared, parameter_name(path)) else update - shrink * param

        decayed_updates = jax.tree_util.tree_map_with_path(decayed, updates, params)
        return decayed_updates, optax.ScaleByScheduleState(optax.safe_int32_increment(state.count))

    return optax.GradientTransformation(init, update)


def _checked_factors(factors: Sequence[tuple[str, float]]) -> list[tuple[re.Pattern[str], float]]:
    checked = []
    for pair in factors:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f"learning_rate_multipliers must be pairs (pattern, factor), got {pair!r}")
        pattern, factor = pair
        if not isinstance(factor, int | float) or not 0 < factor < float("inf"):
            raise ValueError(
                f"learning_rate_multipliers: the factor of {pattern!r} must be a positive number, "
                f"got {factor!r}; frozen_params says what is not trained"
            )
        checked.append((compile_patterns("learning_rate_multipliers", [pattern])[0], factor))
    return checked


def _scale_by_name(factors: Sequence[tuple[re.Pattern[str], float]]) -> optax.GradientTransformation:
    def scaled(path: Any, update: jax.Array) -> jax.Array:
        for pattern, factor in factors:
            if pattern.search(parameter_name(path)):
                update = update * factor
        return update

    return optax.stateless(lambda updates, params: jax.tree_util.tree_map_with_path(scaled, updates))
