"""Optimisers: those of optax by name, behind a clip of gradients; weight decay, rates by name, freezing."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nar.model import Params
from nar.names import load_attribute
from nar.training.patterns import compile_patterns, is_found, names_found, parameter_name, parameter_names

Rate = float | optax.Schedule
Factory = Callable[..., optax.GradientTransformation]

_LEFT_OUT = ("lbfgs", "optimistic_adam")
"""The first evaluates the loss several times a step; optax warns of the second, and has another version."""


def _optimisers_of_optax() -> dict[str, Factory]:
    def takes_rate(found: Any) -> bool:
        return inspect.isfunction(found) and next(iter(inspect.signature(found).parameters), "") == (
            "learning_rate"
        )

    return {
        name: found
        for name, found in sorted(vars(optax).items())
        if takes_rate(found) and not name.startswith(("_", "scale_by_")) and name not in _LEFT_OUT
    }


OPTIMISERS: Mapping[str, Factory] = MappingProxyType(_optimisers_of_optax())
"""By their names in optax: `(learning_rate, **options) -> optimiser`."""


class Leafwise(optax.GradientTransformation):
    """An optimiser that updates each parameter by what it keeps for it, and by the norm of all gradients."""


_LEAFWISE = frozenset(
    ("adabelief", "adadelta", "adagrad", "adam", "adamax", "adamaxw", "adamw", "adan", "amsgrad", "lamb")
    + ("lars", "lion", "novograd", "radam", "rmsprop", "rprop", "sgd", "sign_sgd", "yogi")
)
"""Those of optax that are, whatever their options."""


def make_optimiser(
    learning_rate: Rate,
    gradient_clip: float = 0.0,
    freeze: Sequence[str] = (),
    *,
    name: str = "adam",
    options: Mapping[str, Any] | None = None,
    weight_decay: float = 0.0,
    weight_decay_except: Sequence[str] = (),
    learning_rate_factors: Sequence[tuple[str, float]] = (),
) -> optax.GradientTransformation:
    """An optimiser behind a clip of the global gradient norm.

    Patterns are regular expressions that are found in names of parameters (`nar.training.patterns`).

    Args:
      learning_rate: a number, or a function of the number of steps taken (`make_schedule`).
      gradient_clip: largest norm of the gradients of all parameters that train; 0 for none.
      freeze: patterns of parameters that stay as they are.
      name: one of `OPTIMISERS`, or `module:ATTRIBUTE` of a function alike.
      options: of the optimiser, by the names of its arguments.
      weight_decay: in each step this times the learning rate is taken from each parameter, in proportion to
        it, beside what the optimiser does (Loshchilov and Hutter 2019, arXiv 1711.05101).
      weight_decay_except: patterns of parameters that do not decay.
      learning_rate_factors: pairs of a pattern and a factor of the learning rate of what it finds; where
        several find one parameter they multiply. They are factors of the whole update, decay included.

    Raises:
      ValueError: if a name, a number, an option or a pattern is not valid.
    """
    if not callable(learning_rate) and not learning_rate > 0:
        raise ValueError(f"learning_rate must be positive, got {learning_rate}")
    for key, value in (("gradient_clip", gradient_clip), ("weight_decay", weight_decay)):
        if not value >= 0:
            raise ValueError(f"{key} must not be negative, got {value}")
    chosen = _find_optimiser(name)
    if weight_decay and "weight_decay" in inspect.signature(chosen).parameters:
        raise ValueError(f"{name} has an option weight_decay of its own: give optimiser_options.weight_decay")
    parts = [optax.clip_by_global_norm(gradient_clip)] if gradient_clip else []
    parts.append(_with_options(name, chosen, learning_rate, options or {}))
    if weight_decay:
        spared = compile_patterns("weight_decay_except", weight_decay_except)
        parts.append(_decay(learning_rate, weight_decay, spared))
    if learning_rate_factors:
        parts.append(_scale_by_name(_checked_factors(learning_rate_factors)))
    optimiser = _frozen_but(optax.chain(*parts), freeze)
    # What freezes keeps a tree of all parameters, which must stay whole.
    is_leafwise = name in _LEAFWISE and not freeze
    return Leafwise(optimiser.init, optimiser.update) if is_leafwise else optimiser


def frozen_names(params: Params, freeze: Sequence[str]) -> list[str]:
    """Names of the parameters that the patterns freeze.

    Raises:
      ValueError: if a pattern finds none, for then it is a mistake.
    """
    return names_found("freeze", freeze, parameter_names(params))


def _frozen_but(optimiser: optax.GradientTransformation, freeze: Sequence[str]) -> Any:
    if not freeze:
        return optimiser
    patterns = compile_patterns("freeze", freeze)

    def labels(params: Params) -> Params:
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: "frozen" if is_found(patterns, parameter_name(path)) else "trained", params
        )

    return optax.multi_transform({"trained": optimiser, "frozen": optax.set_to_zero()}, labels)


def _find_optimiser(name: str) -> Factory:
    if name in OPTIMISERS:
        return OPTIMISERS[name]
    if ":" in name:
        return load_attribute(name, "optimiser", callable)
    raise ValueError(f"unknown optimiser {name!r}; known: {', '.join(OPTIMISERS)}, or module:ATTRIBUTE")


def _with_options(
    name: str, factory: Factory, learning_rate: Rate, options: Mapping[str, Any]
) -> optax.GradientTransformation:
    """The optimiser, tried on a small tree of parameters, of which only shapes are computed."""
    known = list(inspect.signature(factory).parameters)[1:]
    for option in options:
        if option not in known:
            raise ValueError(
                f"optimiser_options: {name} has no option {option!r}; known: {', '.join(known) or 'none'}"
            )
    tree = {"module": {"w": jnp.zeros((2, 2)), "b": jnp.zeros(2)}}
    try:
        optimiser = factory(learning_rate, **options)
        jax.eval_shape(lambda tree: optimiser.update(tree, optimiser.init(tree), tree), tree)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"optimiser {name} cannot be used with options {dict(options)}: {error}") from None
    return optimiser


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
            return update if is_found(spared, parameter_name(path)) else update - shrink * param

        decayed_updates = jax.tree_util.tree_map_with_path(decayed, updates, params)
        return decayed_updates, optax.ScaleByScheduleState(optax.safe_int32_increment(state.count))

    return optax.GradientTransformation(init, update)


def _checked_factors(factors: Sequence[tuple[str, float]]) -> list[tuple[re.Pattern[str], float]]:
    checked = []
    for pair in factors:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f"learning_rate_factors must be pairs (pattern, factor), got {pair!r}")
        pattern, factor = pair
        if not isinstance(factor, int | float) or not 0 < factor < float("inf"):
            raise ValueError(
                f"learning_rate_factors: the factor of {pattern!r} must be a positive number, "
                f"got {factor!r}; freeze says what is not trained"
            )
        checked.append((compile_patterns("learning_rate_factors", [pattern])[0], factor))
    return checked


def _scale_by_name(factors: Sequence[tuple[re.Pattern[str], float]]) -> optax.GradientTransformation:
    def scaled(path: Any, update: jax.Array) -> jax.Array:
        for pattern, factor in factors:
            if pattern.search(parameter_name(path)):
                update = update * factor
        return update

    return optax.stateless(lambda updates, params: jax.tree_util.tree_map_with_path(scaled, updates))
