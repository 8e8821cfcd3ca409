"""Type checks of config values against the defaults of the base config."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_ALLOWED: Mapping[type, tuple[str, tuple[type, ...]]] = MappingProxyType(
    {
        bool: ("True or False", (bool,)),
        int: ("an integer", (int,)),
        float: ("a number", (float, int)),
        str: ("a string", (str,)),
        tuple: ("a tuple", (tuple, list, str)),
    }
)
"""Type of the default -> its description in messages, and the accepted types."""


def check_type(key: str, value: Any, default: Any) -> None:
    """Checks one config value; a float may be an integer, and a tuple may be a list or a single string.

    Args:
      key: the config key, for the message.
      value: the user's value.
      default: the value in the base config.

    Raises:
      ValueError: if the value does not have the type of the default.
    """
    kind = type(default)
    if kind not in _ALLOWED:
        return
    names, allowed = _ALLOWED[kind]
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"config key {key} must be {names}, such as {default!r}; got {value!r}")
