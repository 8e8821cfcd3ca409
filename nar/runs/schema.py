"""Schema of configs: sections are frozen dataclasses, fields are keys with a default, description and check.

Nothing here imports jax, so that configs can be made and read by programs that train nothing.
"""

import copy
import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

_TYPES: Mapping[type, tuple[str, tuple[type, ...]]] = types.MappingProxyType(
    {
        bool: ("True or False", (bool,)),
        int: ("an integer", (int,)),
        float: ("a number", (float, int)),
        str: ("a string", (str,)),
        tuple: ("a tuple", (tuple, list, str)),
        Mapping: ("a dictionary", (Mapping,)),
    }
)
"""Type of a default or an entry -> its description in messages, and the accepted types."""


MAX_INTEGER = 2**31 - 1
"""Largest integer in a config: devices count steps and index arrays in 32 bits."""


class Key(NamedTuple):
    """A key of a config.

    Attributes:
      path: section and name, such as `training.steps`.
      value: its value, or its default.
      description: its documentation.
      mutable: whether it may change when a run is resumed.
    """

    path: str
    value: Any
    description: str
    mutable: bool


def key(
    default: Any,
    description: str,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
    mutable: bool = False,
    merged: bool = False,
    opaque: bool = False,
) -> Any:
    """Declares a config key: a field of a `Section`.

    Args:
      default: the default; a dictionary for a section without fixed keys, such as a processor's options.
      description: documentation of the key.
      at_least: the minimum of an integer.
      at_most: the maximum of an integer, by default `MAX_INTEGER`.
      mutable: whether it may change when a run is resumed, since past steps do not depend on it.
      merged: whether entries of the default that a given dictionary lacks remain, at every level; an entry
        of value None stands for one that is removed.
      opaque: whether its values are passed on to other software, and are not limited here.
    """
    metadata = {
        "description": description,
        "at_least": at_least,
        "at_most": at_most,
        "mutable": mutable,
        "merged": merged,
        "opaque": opaque,
    }
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: copy.deepcopy(dict(default)), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def section(factory: Callable[[], "Section"], description: str) -> Any:
    """Declares a section with fixed keys inside another one."""
    return dataclasses.field(default_factory=factory, metadata={"description": description})


def redeclared(base: type["Section"], name: str, default: Any) -> Any:
    """Declares a key of a base class again, with another default."""
    metadata = next(field.metadata for field in dataclasses.fields(base) if field.name == name)
    return key(default, **metadata)


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of a config."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, complete: bool = False) -> Self:
        """Parses a nested dictionary, as `to_dict` returns it or as it is read from JSON.

        Args:
          values: keys and their values. Missing keys have their defaults; lists become tuples.
          complete: whether a missing key is an error.

        Raises:
          ValueError: if a key is unknown, or a value has the wrong type or is out of range; the message names
            the key, and for an unknown key the closest known one.
        """
        return cls().merged(values, complete=complete)

    @classmethod
    def resolve(cls, config: "Self | Mapping[str, Any]") -> Self:
        """A checked config from a config or a nested dictionary; raises as `from_dict` does."""
        return cls.from_dict(config.to_dict() if isinstance(config, Section) else config)

    def to_dict(self) -> dict[str, Any]:
        """All keys and values as nested dictionaries, which JSON can represent."""
        return dataclasses.asdict(self)

    def merged(self, values: Mapping[str, Any], *, complete: bool = False, prefix: str = "") -> Self:
        """A copy in which the given values replace present ones; checks as in `from_dict`."""
        fields = {field.name: field for field in dataclasses.fields(self)}
        for name in values:
            if name not in fields:
                near = difflib.get_close_matches(str(name)[:100], fields, n=1)
                hint = f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(fields)}"
                raise ValueError(f"unknown config key {prefix}{name!s:.100}; {hint}")
        missing = [f"{prefix}{name}" for name in fields if name not in values]
        if missing and complete:
            raise ValueError(f"config key {missing[0]} is missing")
        parsed = {
            name: _parse(f"{prefix}{name}", value, getattr(self, name), fields[name], complete)
            for name, value in values.items()
        }
        return dataclasses.replace(self, **parsed)

    def describe(self, prefix: str = "") -> Iterator[Key]:
        """Yields every key, in the order of the schema."""
        for field in dataclasses.fields(self):
            value, path = getattr(self, field.name), f"{prefix}{field.name}"
            if isinstance(value, Section):
                yield from value.describe(f"{path}.")
            else:
                yield Key(path, value, field.metadata["description"], field.metadata["mutable"])


def _parse(path: str, value: Any, present: Any, field: "dataclasses.Field[Any]", complete: bool) -> Any:
    if isinstance(present, Section | Mapping) and not isinstance(value, Mapping):
        raise ValueError(f"config key {path} must be a dictionary; got {value!r:.200}")
    if isinstance(present, Section):
        return present.merged(value, complete=complete, prefix=f"{path}.")
    check_type(path, value, present)
    if isinstance(value, Mapping) and not isinstance(present, Mapping):
        raise ValueError(f"config key {path} must not be a dictionary; got {value!r:.200}")
    if not field.metadata["opaque"]:
        _check_range(path, value, field.metadata["at_least"], field.metadata["at_most"])
    if isinstance(present, tuple):
        value = (value,) if isinstance(value, str) else value
        _check_elements(path, value, field)
    if isinstance(present, Mapping):
        _check_entries(path, value, field)
    plain = _without_lists(value)
    return _merge(present, plain) if field.metadata["merged"] else plain


def _merge(present: Any, value: Any) -> Any:
    """Dictionaries merged at every level; anything else is replaced."""
    if not isinstance(present, Mapping) or not isinstance(value, Mapping):
        return value
    return {**present, **{name: _merge(present.get(name), one) for name, one in value.items()}}


def _check_elements(path: str, values: Sequence[Any], field: "dataclasses.Field[Any]") -> None:
    """Checks the types of the elements of a tuple, if the field declares one: `tuple[int, ...]`."""
    kind = typing.get_args(field.type)[0]
    if kind not in _TYPES:
        return
    for value in values:
        if not _has_type(value, kind):
            raise ValueError(
                f"each element of config key {path} must be {_TYPES[kind][0]}, got {value!r:.200}"
            )


def _check_entries(path: str, values: Mapping[str, Any], field: "dataclasses.Field[Any]") -> None:
    """Checks the types of the values of a dictionary, if the field declares one: `Mapping[str, float]`."""
    declared = typing.get_args(field.type)[1]
    kinds = typing.get_args(declared) if isinstance(declared, types.UnionType) else (declared,)
    kind = typing.get_origin(kinds[0]) or kinds[0]
    if kind not in _TYPES:
        return
    for name, value in values.items():
        if not _has_type(value, kind) and not (value is None and types.NoneType in kinds):
            where = f"config key {path}.{name!s:.100}"
            raise ValueError(f"{where} must be {_TYPES[kind][0]}, got {value!r:.200}")


def _has_type(value: Any, kind: type) -> bool:
    return isinstance(value, _TYPES[kind][1]) and (kind is bool or not isinstance(value, bool))


def check_type(path: str, value: Any, default: Any) -> None:
    """Checks one config value; a float may be an integer, and a tuple may be a list or a single string.

    Args:
      path: the config key, for the message.
      value: the user's value.
      default: a value of the right type.

    Raises:
      ValueError: if the value does not have the type of the default.
    """
    kind = type(default)
    if kind not in _TYPES:
        return
    if not _has_type(value, kind):
        names = _TYPES[kind][0]
        raise ValueError(f"config key {path} must be {names}, such as {default!r}; got {value!r:.200}")


def _check_range(path: str, value: Any, minimum: int | None, maximum: int | None) -> None:
    """Checks the integers and numbers of a value: the minimum and maximum of its key, and no NaN."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            _check_range(f"{path}.{name}", one, None, None)
    elif isinstance(value, list | tuple):
        for one in value:
            _check_range(path, one, None, None)
    elif isinstance(value, float) and math.isnan(value):
        raise ValueError(f"{path} must be a number, got {value!r}")
    elif isinstance(value, int):
        if minimum is not None and value < minimum:
            raise ValueError(f"{path} must be an integer of at least {minimum}, got {value!r}")
        maximum = MAX_INTEGER if maximum is None else maximum
        if not -MAX_INTEGER <= value <= maximum:
            given = repr(value) if abs(value) < 10**30 else "a number of more than 30 digits"
            raise ValueError(f"{path} must be an integer of at most {maximum}, got {given}")


def _without_lists(value: Any) -> Any:
    """A copy in which lists are tuples, since a config comes from Python or from JSON."""
    if isinstance(value, Mapping):
        return {name: _without_lists(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_without_lists(one) for one in value)
    return value
