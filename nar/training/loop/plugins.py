"""Plugins of the loop: registry of custom callbacks, and those that a config names."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nar.plugins import Registry
from nar.training.loop.callback import Callback


def _may_make(value: Any) -> bool:
    """Returns whether a value is a subclass of `Callback`, or a function that may return a callback."""
    return inspect.isfunction(value) or (isinstance(value, type) and issubclass(value, Callback))


CALLBACKS: Registry[Callable[..., Callback]] = Registry("callback", {}, is_valid=_may_make)
"""Custom callbacks by name: subclasses of `Callback`, or functions that return one."""


def check_callbacks(names: str | Sequence[str], options: Mapping[str, Any]) -> None:
    """Checks the callbacks of a config, without making them.

    Args:
      names: a name in `CALLBACKS` or `module:ATTRIBUTE` for each callback.
      options: keyword arguments, by attribute.

    Raises:
      ValueError: if a name is invalid or given twice, or options belong to no callback.
    """
    names = _as_tuple(names)
    for name in names:
        CALLBACKS.find(name)
    attributes = [_attribute(name) for name in names]
    if len(set(attributes)) < len(attributes):
        raise ValueError(f"training.callbacks must name each callback once, got {', '.join(names)}")
    for attribute, values in options.items():
        if attribute not in attributes:
            raise ValueError(
                f"training.callback_options: {attribute!r} is not a callback of this run; "
                f"its callbacks: {', '.join(attributes) or 'none'}"
            )
        if not isinstance(values, Mapping):
            raise ValueError(f"training.callback_options.{attribute} must be a dict, got {values!r}")


def make_callbacks(names: str | Sequence[str], options: Mapping[str, Any]) -> list[Callback]:
    """Makes the callbacks of a config, in their order.

    Args:
      names: see `check_callbacks`.
      options: see `check_callbacks`.

    Raises:
      ValueError: if a name or options are invalid.
    """
    return [_make(name, options.get(_attribute(name), {})) for name in _as_tuple(names)]


def _make(name: str, options: Mapping[str, Any]) -> Callback:
    try:
        callback = CALLBACKS.find(name)(**options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"callback {name!r} cannot be made: {error}") from error
    if not isinstance(callback, Callback):
        raise ValueError(f"callback {name!r} must return a nar.training.Callback, got {callback!r}")
    return callback


def _as_tuple(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _attribute(name: str) -> str:
    return name.rpartition(":")[2]
