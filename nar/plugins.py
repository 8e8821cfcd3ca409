"""Plugins: registries of named objects, objects by module, and the errors for names that do not exist."""

import dataclasses
import difflib
import functools
import importlib
import inspect
import os
import re
import sys
import types
import warnings
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class UnknownNameError(ValueError, KeyError):
    """A name is not in a registry; the message lists the known names and the nearest one."""

    def __str__(self) -> str:
        return str(self.args[0])


def takes(count: int, *, options: bool = True) -> Callable[[Any], bool]:
    """Predicate of functions and classes that can be called with `count` positional arguments.

    What is built into Python is none of them, such as `os:system`.

    Args:
      count: number of positional arguments.
      options: whether there may be further arguments without a default.
    """

    def is_valid(value: Any) -> bool:
        if not callable(value) or inspect.isbuiltin(value) or getattr(value, "__module__", "") == "builtins":
            return False
        try:
            signature = inspect.signature(value)
            (signature.bind_partial if options else signature.bind)(*range(count))
        except (TypeError, ValueError):
            return False
        return True

    return is_valid


_CAN_BE_CALLED = takes(0)


class Registry(Mapping[str, Value], Generic[Value]):
    """Named objects of one kind: the built-in ones, and those that users register or name by module.

    Whatever a config or a flag can name has one of these, and all work alike: `registry[name]` and
    `registry.find(name)` list the known names and the nearest one if there is no such name, `register` adds
    an object, and `find` imports `module:ATTRIBUTE` too.
    """

    def __init__(
        self,
        kind: str,
        entries: Mapping[str, Value],
        *,
        is_valid: Callable[[Any], bool] = _CAN_BE_CALLED,
        convert: Callable[[Any], Value] | None = None,
        path: str = "module:ATTRIBUTE",
        registers_imports: bool = False,
    ) -> None:
        """Makes a registry of built-in objects.

        Args:
          kind: noun for one entry, used in error messages.
          entries: name -> object, the built-in ones.
          is_valid: predicate of objects that may be registered or named by module.
          convert: from a valid object to an entry; by default the object is the entry.
          path: what names an object of a module, in error messages; empty if nothing can be added.
          registers_imports: whether what `find` imports can be found by its plain name afterwards.
        """
        self._kind = kind
        self._entries = dict(entries)
        self._built_in = frozenset(entries)
        self._is_valid = is_valid
        self._convert = convert
        self._path = path
        self._registers_imports = registers_imports
        REGISTRIES.append(self)

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

    def find(self, name: Any) -> Value:
        """Looks up an object.

        Args:
          name: a name in the registry; or `module:ATTRIBUTE`, which is imported; or an object of this kind,
            which is returned.

        Raises:
          ValueError: if there is none; the message lists the known names.
        """
        if isinstance(name, str):
            if name in self._entries:
                return self._entries[name]
            if ":" in name and self._path:
                value = load_attribute(name, self._kind, self._is_valid)
                return self.register(value) if self._registers_imports else self._entry(value)
        elif self._path and self._is_valid(name):
            return self._entry(name)
        raise ValueError(unknown_name(self._kind, name, self._entries, or_else=self._path))

    def register(self, value: Any, name: str | None = None) -> Any:
        """Adds an object, so that it can be referred to by its name; also a decorator.

        A cell of a notebook may be run again: an object of the same definition replaces the registered one,
        and so does, with a warning, another one if both are defined in `__main__`.

        Args:
          value: the object; registering the same one again has no effect.
          name: its name, of letters, digits, `_`, `-` and `.`; by default its own (`name` or `__name__`).

        Returns:
          The object.

        Raises:
          ValueError: if it is not of this kind, the name is invalid, or another object has this name.
        """
        if not self._path or not self._is_valid(value):
            raise ValueError(f"{value!r} cannot be registered as {self._kind}")
        name = _own_name(value) if name is None else name
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
            raise ValueError(f"the name of a {self._kind} has letters, digits, _, - and . only, got {name!r}")
        entry = self._entry(value)
        registered = self._entries.setdefault(name, entry)
        if registered is entry:
            return value
        is_same = have_same_definition(registered, entry)
        if name in self._built_in or not (is_same or (_is_in_main(registered) and _is_in_main(entry))):
            raise ValueError(f"the name {name!r} is taken by another {self._kind}")
        if not is_same:
            warnings.warn(f"another definition of {name!r} replaces the registered one", stacklevel=2)
        self._entries[name] = entry
        return value

    def module_of(self, name: str) -> str | None:
        """The module outside nar that defines a registered object; None for all others and unknown names."""
        if name in self._built_in or name not in self._entries:
            return None
        return next(_foreign_modules(self._entries[name]), None)

    def _entry(self, value: Any) -> Value:
        return self._convert(value) if self._convert else value


REGISTRIES: list[Registry[Any]] = []
"""All registries, in the order in which their modules are imported."""


def _own_name(value: Any) -> Any:
    own = getattr(value, "name", None)
    return own if isinstance(own, str) else getattr(value, "__name__", None)


def _is_in_main(value: Any) -> bool:
    """True for functions and classes of a notebook or script, and for objects that are made of such."""
    return "__main__" in _foreign_modules(value)


def _foreign_modules(value: Any) -> Iterator[str]:
    """Yields the modules outside nar of a function or class, or of those that an object is made of."""
    if isinstance(value, type | types.FunctionType):
        if value.__module__.partition(".")[0] not in ("nar", "builtins"):
            yield value.__module__
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _foreign_modules(one)
    elif isinstance(value, functools.partial):
        yield from _foreign_modules(value.func)
    elif dataclasses.is_dataclass(value):
        for one in (type(value), *vars(value).values()):
            yield from _foreign_modules(one)


def have_same_definition(one: Any, other: Any, _compared: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """True if two objects are equal, where functions and classes are compared by their code."""
    pair = (id(one), id(other))
    if one is other or pair in _compared:  # a method may refer to its class
        return True
    if type(one) is not type(other) and not (
        dataclasses.is_dataclass(one) and have_same_definition(type(one), type(other), _compared)
    ):
        return False
    if isinstance(one, Mapping) and list(one) != list(other):
        return False
    parts = _parts(one)
    if parts is None:
        try:
            return bool(one == other)
        except ValueError:  # arrays
            return False
    others, compared = _parts(other) or [], _compared | {pair}
    return len(parts) == len(others) and all(
        have_same_definition(*items, compared) for items in zip(parts, others, strict=True)
    )


def _parts(value: Any) -> list[Any] | None:
    """Components to compare when testing for the same definition; None to compare the objects themselves."""
    if isinstance(value, types.FunctionType):
        return [getattr(value, name) for name in _FUNCTION_PARTS]
    if isinstance(value, types.CellType):
        return [value.cell_contents]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, type):
        attributes = {key: item for key, item in vars(value).items() if key not in _ADDED_TO_CLASSES}
        return [value.__module__, value.__qualname__, value.__bases__, attributes]
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, tuple):
        return list(value)
    return [vars(value)] if dataclasses.is_dataclass(value) else None


_FUNCTION_PARTS = ("__module__", "__code__", "__defaults__", "__kwdefaults__", "__closure__")


_ADDED_TO_CLASSES = {
    "__dict__",
    "__weakref__",
    "__abstractmethods__",
    "_abc_impl",
    "__firstlineno__",
    "__dataclass_fields__",
    "__dataclass_params__",
}
"""Attributes that Python adds to a class, and that differ between equal definitions."""


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


_MAX_LISTED = 20
"""Attributes of a module that a message lists."""


def split_name(name: str) -> tuple[str, str] | None:
    """Module and attribute of a name of the form `module:ATTRIBUTE`; None if it has another form."""
    module, _, attribute = name.partition(":")
    is_name = all(part.isidentifier() for part in [*module.split("."), attribute])
    return (module, attribute) if is_name else None


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
    parts = split_name(name)
    if parts is None:
        raise ValueError(f"{kind} {name!r} is not of the form module:ATTRIBUTE")
    module_name, attribute = parts
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
        listed = ", ".join(others[:_MAX_LISTED]) or "none"
        raise ValueError(f"{module_name} has no {kind} {attribute!r}; it has: {listed}")
    return value


def _is_defined_in(module_name: str, value: Any) -> bool:
    """Returns False for classes and functions that the module imported from elsewhere."""
    if not isinstance(value, type | types.FunctionType):
        return True
    return str(value.__module__).startswith(module_name)
