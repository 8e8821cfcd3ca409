"""Plugins: objects by name, read-only registries, and the errors for names that do not exist."""

import difflib
import importlib
import os
import re
import sys
import types
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class UnknownNameError(ValueError, KeyError):
    """A name is not in a registry; the message lists the known names and the nearest one."""

    def __str__(self) -> str:
        return str(self.args[0])


class Registry(Mapping[str, Value], Generic[Value]):
    """Read-only view of named objects, whose errors list the known names."""

    def __init__(self, kind: str, entries: Mapping[str, Value]) -> None:
        """Wraps a dictionary, to which later entries may be added.

        Args:
          kind: noun for one entry, used in error messages.
          entries: name -> object.
        """
        self._kind = kind
        self._entries = entries

    def __getitem__(self, name: str) -> Value:
        if isinstance(name, str) and name in self._entries:
            return self._entries[name]
        raise UnknownNameError(unknown_name(self._kind, name, self._entries))

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> ItemsView[str, Value]:
        """Names and objects, in order."""
        return self._entries.items()

    def __repr__(self) -> str:
        return f"Registry({self._kind}: {', '.join(self)})"


def unknown_name(kind: str, name: Any, known: Iterable[str], *, or_else: str = "") -> str:
    """Message of the error for an unknown name: the known ones, and the nearest if one is near.

    Args:
      kind: noun for what is named.
      name: the unknown name, or another object in its place.
      known: the known names.
      or_else: what else is valid, such as "module:ATTRIBUTE".
    """
    known = list(known)
    choices = ", ".join(known) or "none"
    return f"unknown {kind} {name!r}; known: {choices}{f', or {or_else}' if or_else else ''}" + did_you_mean(
        name, known
    )


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """`"; did you mean NAME?"` with the nearest of the known names, or an empty string if none is near."""
    near = _nearest(name, known) if isinstance(name, str) else None
    return f"; did you mean {near}?" if near else ""


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most similar up to case and punctuation, or one with the same beginning."""
    by_letters = {_letters(item): item for item in known}
    letters = _letters(name)
    beginnings = [
        other
        for other in by_letters
        if min(len(other), len(letters)) >= _MIN_PREFIX
        and (other.startswith(letters) or letters.startswith(other))
    ]
    similar = difflib.get_close_matches(letters, by_letters, n=1)
    very_similar = difflib.get_close_matches(letters, similar, n=1, cutoff=_VERY_SIMILAR)
    near = [*very_similar, *beginnings, *similar]
    return by_letters[near[0]] if near else None


_MIN_PREFIX = 3
"""Letters that a beginning needs, so that it suggests a name."""

_VERY_SIMILAR = 0.8
"""Ratio of common letters above which a similar name is suggested before one with the same beginning."""


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


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
