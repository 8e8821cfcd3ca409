"""Things that are named `module:ATTRIBUTE`, of nar or of a user's own."""

import importlib
import os
import sys
import types
from collections.abc import Callable
from typing import Any


def load_attribute(name: str, what: str, is_one: Callable[[Any], bool]) -> Any:
    """What `module:ATTRIBUTE` names.

    Args:
      name: of a module that can be imported, be it from the current directory, and of what it holds.
      what: it should be, for messages.
      is_one: whether it is that.

    Raises:
      ValueError: if the name is not of that form, the module cannot be imported, or it has no such thing.
    """
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), attribute]):
        raise ValueError(f"{what} {name!r} is not of the form module:ATTRIBUTE")
    here = os.getcwd()
    if not {"", here} & set(sys.path):
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(f"{what} {name!r} cannot be imported: {error}") from error
    found = getattr(module, attribute, None)
    if not is_one(found):
        others = [key for key, value in vars(module).items() if is_one(value) and _is_own(module_name, value)]
        raise ValueError(f"{module_name} has no {what} {attribute!r}; it has: {', '.join(others) or 'none'}")
    return found


def _is_own(module_name: str, value: Any) -> bool:
    """Whether a class or function belongs to the module, which may have imported others."""
    if not isinstance(value, type | types.FunctionType):
        return True
    return str(value.__module__).startswith(module_name)
