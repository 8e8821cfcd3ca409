"""Loading of built-in or custom objects by name, `module:ATTRIBUTE`."""

import importlib
import os
import sys
import types
from collections.abc import Callable
from typing import Any


def load_attribute(name: str, kind: str, is_valid: Callable[[Any], bool]) -> Any:
    """Imports the object that `module:ATTRIBUTE` names.

    Args:
      name: `module:ATTRIBUTE`; the module may lie in the current directory.
      kind: noun for the expected object, used in error messages.
      is_valid: predicate that the object must satisfy.

    Raises:
      ValueError: if the name is not of that form, the module cannot be imported, or it has no valid
        attribute of that name; the last message lists the valid ones.
    """
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), attribute]):
        raise ValueError(f"{kind} {name!r} is not of the form module:ATTRIBUTE")
    directory = os.getcwd()
    if not {"", directory} & set(sys.path):
        sys.path.append(directory)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(f"{kind} {name!r} cannot be imported: {error}") from error
    value = getattr(module, attribute, None)
    if not is_valid(value):
        others = [
            key
            for key, value in vars(module).items()
            if is_valid(value) and _is_defined_in(module_name, value)
        ]
        raise ValueError(f"{module_name} has no {kind} {attribute!r}; it has: {', '.join(others) or 'none'}")
    return value


def _is_defined_in(module_name: str, value: Any) -> bool:
    """Returns False for classes and functions that the module imported from elsewhere."""
    if not isinstance(value, type | types.FunctionType):
        return True
    return str(value.__module__).startswith(module_name)
