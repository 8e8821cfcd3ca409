"""Learning-rate schedules: optax's by name, registered ones, or `module:ATTRIBUTE`."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nar.plugins import Registry, did_you_mean


@dataclasses.dataclass(frozen=True)
class _Entry:
    """A schedule in the registry.

    Attributes:
      make: function whose arguments are the options, and which returns the schedule.
      rate: name of the argument that is the learning rate; None if the first two are rate and length.
      length: name of the argument that defaults to the number of steps of the run; None if there is none.
      defaults: pairs (argument, default) for arguments that have no default in optax.
    """

    make: Callable[..., optax.Schedule]
    rate: str | None = "init_value"
    length: str | None = None
    defaults: tuple[tuple[str, Any], ...] = ()


_TO_ZERO = (("end_value", 0.0),)
_FROM_ZERO = (("init_value", 0.0),)

SCHEDULES: Registry[_Entry] = Registry(
    "schedule",
    {
        "constant": _Entry(optax.constant_schedule, "value"),
        "linear": _Entry(optax.linear_schedule, length="transition_steps", defaults=_TO_ZERO),
        "polynomial": _Entry(optax.polynomial_schedule, length="transition_steps", defaults=_TO_ZERO),
        "cosine": _Entry(optax.cosine_decay_schedule, length="decay_steps"),
        "exponential": _Entry(optax.exponential_decay, length="transition_steps"),
        "piecewise_constant": _Entry(optax.piecewise_constant_schedule),
        "piecewise_interpolate": _Entry(optax.piecewise_interpolate_schedule),
        "one_cycle_linear": _Entry(optax.linear_onecycle_schedule, "peak_value", "transition_steps"),
        "one_cycle_cosine": _Entry(optax.cosine_onecycle_schedule, "peak_value", "transition_steps"),
        "warmup_constant": _Entry(optax.warmup_constant_schedule, "peak_value", defaults=_FROM_ZERO),
        "warmup_cosine": _Entry(
            optax.warmup_cosine_decay_schedule, "peak_value", "decay_steps", defaults=_FROM_ZERO
        ),
        "warmup_exponential": _Entry(
            optax.warmup_exponential_decay_schedule, "peak_value", "transition_steps", defaults=_FROM_ZERO
        ),
    },
    convert=lambda make: _Entry(make, rate=None),
)
"""Registry of schedules. Their options are the arguments of optax's function other than the learning rate."""

_BOUNDARIES = "boundaries_and_scales"


def make_schedule(
    name: str, learning_rate: float, num_steps: int, options: Mapping[str, Any] | None = None
) -> float | optax.Schedule:
    """Makes a learning-rate schedule; a constant one is a number.

    Args:
      name: a name in `SCHEDULES`, or `module:ATTRIBUTE` of a function
        `(learning_rate, num_steps, **options) -> (number of steps taken -> learning rate)`.
      learning_rate: the peak learning rate.
      num_steps: number of steps of the run, over which the schedule decays unless an option says otherwise.
      options: arguments of optax's function; `boundaries_and_scales` may be a sequence of pairs.

    Raises:
      ValueError: if the name, the learning rate or an option is not valid, or if the learning rate becomes
        negative or not finite.
    """
    options = dict(options or {})
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate must be positive and finite, got {learning_rate}")
    entry = SCHEDULES.find(name)
    if entry.rate is not None:
        known = [key for key in inspect.signature(entry.make).parameters if key != entry.rate]
        given = {**dict(entry.defaults), entry.rate: learning_rate}
        if entry.length:
            given[entry.length] = num_steps
    else:
        known = list(inspect.signature(entry.make).parameters)[2:]
        given = dict(zip(inspect.signature(entry.make).parameters, (learning_rate, num_steps), strict=False))
    for option in options:
        if option not in known:
            raise ValueError(
                f"schedule_options: {name} has no option {option!r}; known: {', '.join(known) or 'none'}"
                + did_you_mean(option, known)
            )
    if name == "constant":
        return learning_rate
    return _build(name, entry, {**given, **options}, num_steps)


def depends_on_length(name: str, options: Mapping[str, Any]) -> bool:
    """Returns whether a schedule depends on the number of steps of the run."""
    entry = SCHEDULES.find(name)
    return entry.rate is None or (entry.length is not None and entry.length not in options)


def _build(name: str, entry: _Entry, arguments: dict[str, Any], num_steps: int) -> optax.Schedule:
    try:
        if _BOUNDARIES in arguments:
            pairs = arguments[_BOUNDARIES]
            pairs = pairs.items() if isinstance(pairs, Mapping) else pairs
            arguments[_BOUNDARIES] = {int(step): float(scale) for step, scale in pairs}
        inspect.signature(entry.make).bind(**arguments)
        schedule = entry.make(**arguments)
        steps = jnp.unique(jnp.linspace(0, num_steps - 1, 100).astype(jnp.int32))
        rates = [float(rate) for rate in jax.vmap(lambda step: jnp.asarray(schedule(step)))(steps)]
    except (AttributeError, TypeError, ValueError, ZeroDivisionError) as error:
        warmup = arguments.get("warmup_steps")
        if isinstance(warmup, int | float) and warmup >= num_steps:
            raise ValueError(
                f"schedule_options of {name}: warmup_steps must be less than training.steps = {num_steps}, "
                f"got {warmup}"
            ) from None
        message = f"schedule_options of {name}, with training.steps = {num_steps}: {error}"
        raise ValueError(message) from None
    invalid = [rate for rate in rates if not math.isfinite(rate) or rate < 0]
    if invalid:
        raise ValueError(f"schedule_options of {name}: a learning rate would be {invalid[0]}")
    return schedule
