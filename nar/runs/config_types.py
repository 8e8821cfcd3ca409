"""The types of a config's values: those of the base config's."""

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
"""Type in the base config -> what it is called, and what may be given."""


def check_type(key: str, value: Any, usual: Any) -> None:
    """Checks one value. A float may be given as an integer, and a tuple as a list or as its only string.

    Args:
      key: of the value, for the message.
      value: of a user's config.
      usual: of the base config.

    Raises:
      ValueError: if the value has another type than the usual one.
    """
    kind = type(usual)
    if kind not in _ALLOWED:
        return
    names, allowed = _ALLOWED[kind]
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"config key {key} must be {names}, such as {usual!r}; got {value!r}")
