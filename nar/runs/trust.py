"""Trust in the config of a run that may come from elsewhere.

A config names code as `module:ATTRIBUTE`, also in modules of the current directory, and loading its run
imports and calls that code. What is not part of nar is therefore refused unless the caller trusts the run.
"""

import functools
import importlib
import importlib.machinery
import os
import sys
import types
from collections.abc import Mapping
from typing import Any

from nar.plugins import split_name
from nar.runs.plugin_names import plugin_names

_COMPONENTS = ("algorithms", "data", "evaluation", "losses", "model", "problems", "processors")
"""Packages of nar whose functions and classes are components of networks: they neither import nor write."""

_WRITERS = ("nar.evaluation.suite_files",)
"""Modules of these packages that write files, whose functions are no components."""

_NOT_LOADED = tuple(
    f"training.{key}" for key in ("trackers", "tracker_options", "callbacks", "callback_options", "init_from")
)
"""Keys that only training reads, from the config of whoever starts it."""


def foreign_names(config: Mapping[str, Any]) -> dict[str, str]:
    """The names of code outside nar in a config: `module:ATTRIBUTE` -> its key.

    Nothing outside nar is imported.

    Args:
      config: a config as nested dictionaries.
    """
    return {name: key for key, name in plugin_names(config, _NOT_LOADED) if not _is_component(name)}


def check_trust(config: Mapping[str, Any], source: object, trust: bool) -> None:
    """Raises ValueError if the config names code outside nar and is not trusted.

    Args:
      config: the config of a run, as nested dictionaries.
      source: its file, for the message.
      trust: whether the caller trusts whoever made the run.
    """
    names = {} if trust else foreign_names(config)
    if names:
        title = f"{source} names code outside nar, which loading this run would import and call:"
        lines = [f"  {key}: {name}{_origin(name)}" for name, key in names.items()]
        advice = "If you trust whoever made this run, pass --trust (in Python: trust=True)."
        raise ValueError("\n".join([title, *lines, advice]))


def _is_component(name: str) -> bool:
    """True if a name is that of a component of nar, defined where components are."""
    module_name, attribute = split_name(name) or ("", "")
    if not _is_in_components(module_name):
        return False
    try:
        value = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError):
        return True  # Nothing would be called: the name is an error.
    value = value.func if isinstance(value, functools.partial) else value
    defined = value if isinstance(value, type | types.FunctionType) else type(value)
    return _is_in_components(defined.__module__)


def _is_in_components(module: str) -> bool:
    package, _, rest = module.partition(".")
    return package == "nar" and rest.partition(".")[0] in _COMPONENTS and module not in _WRITERS


def _origin(name: str) -> str:
    """The file from which the top-level module of a name would be imported; nothing is imported."""
    top = name.partition(":")[0].partition(".")[0]
    spec = importlib.machinery.PathFinder.find_spec(top, [*sys.path, os.getcwd()])
    places = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec else []
    place = next((place for place in places if place), None)
    return f" ({place})" if place else ""
